//! Witnesses of a local stack: `chartseal-node` as processes of their own, each with a folder, a key and an address on this machine.
//!
//! A witness has to know the log before it can have a key for it, and a vault has to be told its witnesses: so first there is a stack, then witnesses, then
//! an update of the stack with [`witness_parameters`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Workspace, build_alone};

/// How long a node may take to begin to listen: it opens its key with scrypt.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long a node may take to end: it finishes the answers that it has begun.
const STOP_LIMIT: Duration = Duration::from_secs(10);
const STEP: &str = "starting a witness";

/// The program.
pub fn witness_program(workspace: &Workspace) -> Result<PathBuf, Error> {
    build_alone(workspace, "chartseal-node", "chartseal-node")
}

/// What a witness is made of.
#[derive(Debug, Clone, Copy)]
pub struct WitnessMaking<'a> {
    /// Its folder, which is made.
    pub folder: &'a Path,
    /// Its name in cosignatures.
    pub name: &'a str,
    /// An auditor's wallet of the vault: the witness judges what events say.
    pub wallet: &'a Path,
    /// The file with the passphrase of that wallet, and of the witness' own key.
    pub passphrase_file: &'a Path,
}

/// A witness that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Its process.
    pub pid: u32,
    /// Its address.
    pub url: String,
    /// Its public key, a C2SP vkey.
    pub key: String,
}

impl Witness {
    /// Makes a witness, starts it, and waits until it listens. It ends when somebody ends its process; what it says is in `<folder>.log`.
    pub fn start(program: &Path, making: &WitnessMaking<'_>) -> Result<(Self, Child), Error> {
        let WitnessMaking { folder, name, wallet, passphrase_file } = *making;
        let node = |step: &str| {
            let mut command = Command::new(program);
            command.args(["witness", step]).arg(folder).arg("--wallet").arg(wallet);
            command.arg("--passphrase-file").arg(passphrase_file).stdin(Stdio::null());
            command
        };
        let made = node("init").args(["--name", name]).output().map_err(Error::spawn(program.display().to_string()))?;
        if !made.status.success() {
            return Err(failed(made.status.to_string(), String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        let key = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        let path = folder.with_extension("log");
        let log = File::create(&path).map_err(Error::file("write", &path))?;
        let mut run = node("run");
        // A group of its own: what ends the command that started it does not end it.
        run.args(["--listen", "127.0.0.1:0", "--poll-s", "1"]).stdout(Stdio::null()).stderr(log).process_group(0);
        let mut child = run.spawn().map_err(Error::spawn(program.display().to_string()))?;
        let url = listening(&path, &mut child)?;
        Ok((Self { pid: child.id(), url, key }, child))
    }

    /// Ends it, if its process is still a node, and waits until it has ended.
    pub fn stop(&self) {
        let path = format!("/proc/{}/comm", self.pid);
        let is_there = || fs::read_to_string(&path).is_ok_and(|name| name.trim() == "chartseal-node");
        if !is_there() {
            return;
        }
        // One that has ended meanwhile is ended.
        let _ = Command::new("kill").arg(self.pid.to_string()).status();
        let begun = Instant::now();
        while is_there() && begun.elapsed() < STOP_LIMIT {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The template's parameters for these witnesses, of which so many must have cosigned.
pub fn witness_parameters(witnesses: &[Witness], quorum: usize) -> BTreeMap<String, String> {
    let named: Vec<String> = witnesses.iter().map(|witness| format!("{} {}", witness.url, witness.key)).collect();
    let parameters = [("Witnesses", named.join(",")), ("WitnessQuorum", quorum.to_string())];
    parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The address that a node says it listens on.
fn listening(log: &Path, child: &mut Child) -> Result<String, Error> {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(log).map_err(Error::file("read", log))?;
        let said = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut listening = said.filter(|line| line["message"] == "listening");
        if let Some(address) = listening.find_map(|line| line["listen"].as_str().map(str::to_owned)) {
            return Ok(format!("http://{address}"));
        }
        if let Some(status) = child.try_wait().map_err(Error::spawn("chartseal-node"))? {
            return Err(failed(status.to_string(), text));
        }
        if begun.elapsed() > START_LIMIT {
            let _ = child.kill();
            return Err(failed("no answer".to_owned(), text));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn failed(status: String, advice: String) -> Error {
    Error::Step { step: STEP, status, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_pairs_of_address_and_key() {
        let witness = |number: u32| Witness {
            pid: number,
            url: format!("http://127.0.0.1:{number}"),
            key: format!("w{number}+00000000+AA=="),
        };
        let made = witness_parameters(&[witness(1), witness(2)], 2);
        let pairs = "http://127.0.0.1:1 w1+00000000+AA==,http://127.0.0.1:2 w2+00000000+AA==";
        assert_eq!(made.get("Witnesses").map(String::as_str), Some(pairs));
        assert_eq!(made.get("WitnessQuorum").map(String::as_str), Some("2"));
    }

    #[test]
    fn a_process_that_is_no_node_is_left_alone() {
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        Witness { pid: other.id(), url: String::new(), key: String::new() }.stop();
        assert_eq!(other.try_wait().unwrap(), None);
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
