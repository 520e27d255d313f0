//! People with wallets, as the demonstration and `up` play them: each call runs the released `chartseal` binary.
//!
//! All that is known of the command line's JSON is here, and it is read tolerantly: a field is found by its name wherever
//! the answer holds it.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Deserializer, Value};

use crate::process::{Captured, Failure, captured, last_lines};

/// Random bytes of a passphrase: as strong as the keys it guards.
const PASSPHRASE_BYTES: usize = 16;

/// A folder of wallets, all opened by the passphrase in its file, and the client that opens them.
#[derive(Clone)]
pub struct Wallets {
    client: PathBuf,
    folder: PathBuf,
}

/// What the client answered.
pub struct Answer(Value);

impl Wallets {
    /// A fresh folder; what an earlier run left there is removed.
    pub fn create(folder: &Path, binaries: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(format!("{} cannot be prepared: {error}", folder.display()), "is the folder yours to write?")
        };
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(failed)?;
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let wallets = Self { client: binaries.join("chartseal"), folder: folder.to_path_buf() };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(wallets.passphrase_file())
            .map_err(failed)?;
        writeln!(file, "{}", passphrase().map_err(failed)?).map_err(failed)?;
        Ok(wallets)
    }

    /// The folder they lie in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The released client.
    pub fn client(&self) -> &Path {
        &self.client
    }

    /// The file with the passphrase of them all.
    pub fn passphrase_file(&self) -> PathBuf {
        self.folder.join("passphrase")
    }

    /// The file of a person's wallet.
    pub fn file(&self, person: &str) -> PathBuf {
        self.folder.join(format!("{person}.wallet"))
    }

    /// Makes the operator's wallet and returns the public key that a deployment takes as `OperatorKeys`.
    pub fn create_operator(&self) -> Result<String, Failure> {
        let file = self.file("operator");
        let arguments = ["operator".as_ref(), "init".as_ref(), "--out".as_ref(), file.as_os_str()];
        self.run("operator", &arguments)?.text("operator_key")
    }

    /// Lets the operator's wallet know, and pin, the vault that was deployed.
    pub fn connect_operator(&self, api: &str) -> Result<Answer, Failure> {
        self.run("operator", &["operator", "connect", "--api", api])
    }

    /// Runs a command of the client with a person's wallet.
    pub fn run<S: AsRef<OsStr>>(&self, person: &str, arguments: &[S]) -> Result<Answer, Failure> {
        let mut command = Command::new(&self.client);
        // The user's own wallet and vault take no part.
        for name in ["CHARTSEAL_WALLET", "CHARTSEAL_PASSPHRASE", "CHARTSEAL_PASSPHRASE_FILE", "CHARTSEAL_API"] {
            command.env_remove(name);
        }
        command.arg("--wallet").arg(self.file(person)).arg("--passphrase-file").arg(self.passphrase_file());
        command.arg("--json").args(arguments);
        let said = captured(&mut command)?;
        if said.status.success() {
            return Answer::read(&said.stdout);
        }
        let words: Vec<_> = arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect();
        Err(refused(&words.join(" "), &said))
    }
}

fn passphrase() -> std::io::Result<String> {
    let mut bytes = [0; PASSPHRASE_BYTES];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
}

/// The client's own account of a failure.
fn refused(words: &str, said: &Captured) -> Failure {
    let in_words = if said.stderr.trim().is_empty() { &said.stdout } else { &said.stderr };
    let cause = format!("`chartseal {words}` ended with {}\n{}", said.status, last_lines(in_words));
    Failure::new(cause, "the client's message says what to do; codes are explained in docs/ERRORS.md")
}

impl Answer {
    /// The last JSON value of an output: what comes before it is progress.
    fn read(output: &str) -> Result<Self, Failure> {
        Deserializer::from_str(output).into_iter::<Value>().map_while(Result::ok).last().map(Self).ok_or_else(|| {
            Failure::new(format!("the client printed no JSON: {}", last_lines(output)), "does it still take --json?")
        })
    }

    /// A text by its name, wherever the answer holds it.
    pub fn text(&self, name: &str) -> Result<String, Failure> {
        find(&self.0, name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
            Failure::new(format!("the client's answer has no `{name}`: {}", self.0), "mend xtask/src/wallets.rs")
        })
    }

    /// All texts of that name.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.0, name, &mut found);
        found
    }

    /// The texts in a list of that name.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let list = find(&self.0, name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The leaf hash of the event that the command made, where it made one.
    pub fn leaf(&self) -> Option<String> {
        let event = find(&self.0, "event")?;
        event.as_str().or_else(|| event["leaf"].as_str()).map(str::to_owned)
    }
}

/// The first value of that name, breadth first: an answer's own fields come before those of what it lists.
fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let mut level = vec![value];
    while !level.is_empty() {
        if let Some(found) = level.iter().find_map(|value| value.get(name)) {
            return Some(found);
        }
        level = level.into_iter().flat_map(inner).collect();
    }
    None
}

fn inner(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn collect(value: &Value, name: &str, found: &mut Vec<String>) {
    found.extend(value.get(name).and_then(Value::as_str).map(str::to_owned));
    for value in inner(value) {
        collect(value, name, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(output: &str) -> Answer {
        Answer::read(output).expect("JSON")
    }

    #[test]
    fn an_answers_own_fields_come_first() {
        let upload = answer(r#"{"records":[{"record":"R","event":{"stream":"record/R","seq":2,"leaf":"aa"}}]}"#);
        assert_eq!((upload.text("record").ok(), upload.leaf()), (Some("R".to_owned()), Some("aa".to_owned())));
        let search = answer(r#"{"hits":[{"record":"A","event":"cc"},{"record":"B"}],"event":"bb"}"#);
        assert_eq!(search.leaf().as_deref(), Some("bb"));
        assert_eq!(search.texts("record"), ["A", "B"]);
        let download = answer(r#"{"checks":["links","signatures"],"event":null}"#);
        assert_eq!((download.list("checks"), download.leaf()), (vec!["links", "signatures"], None));
    }

    #[test]
    fn progress_before_the_answer_is_passed_over() {
        assert_eq!(answer("{\"sent\":1}\n{\"sha256\":\"x\"}\n").text("sha256").ok().as_deref(), Some("x"));
    }

    #[test]
    fn an_answer_without_the_field_is_a_failure_that_shows_it() {
        let Err(failure) = answer(r#"{"state":"denied"}"#).text("request") else { panic!("there is none") };
        assert!(failure.cause.contains("`request`") && failure.cause.contains("denied"), "{failure}");
        assert!(Answer::read("no json").is_err());
    }

    #[test]
    fn wallets_lie_in_a_folder_of_their_own() {
        let folder = std::env::temp_dir().join(format!("chartseal-xtask-wallets-{}", std::process::id()));
        let first = Wallets::create(&folder, Path::new("/bin")).expect("a writable temporary folder");
        let one = fs::read_to_string(first.passphrase_file()).expect("written");
        let second = Wallets::create(&folder, Path::new("/bin")).expect("made again");
        let two = fs::read_to_string(second.passphrase_file()).expect("written");
        assert_eq!(one.trim().len(), 2 * PASSPHRASE_BYTES);
        assert_ne!(one, two);
        fs::remove_dir_all(folder).expect("ours");
    }
}
