//! The functions of the stack, and how their binaries are built for the machine we are on.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Deserialize;

use crate::{Error, Workspace};

/// Every function of template.yaml: its crate is `chartseal-<name>`, its binary `<name>`.
pub const FUNCTIONS: [&str; 14] = [
    "commit",
    "consumer",
    "decide",
    "download",
    "genesis",
    "healthz",
    "issue-key",
    "records",
    "register",
    "request",
    "search",
    "sweeper",
    "tokens",
    "workflow",
];

/// The client's crate, built along with the functions, and its binary.
const CLIENT: (&str, &str) = ("chartseal-cli", "chartseal");

/// Builds all functions and the client for release and returns the folder that holds their binaries.
///
/// Cargo's own progress goes to standard error.
pub fn build(workspace: &Workspace) -> Result<PathBuf, Error> {
    let start = Instant::now();
    eprintln!("building {} functions and the client (release)", FUNCTIONS.len());
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command.current_dir(workspace.root()).args([
        "build",
        "--release",
        "--bins",
        "--message-format=json-render-diagnostics",
    ]);
    command.args(["--package", CLIENT.0]);
    for function in FUNCTIONS {
        command.args(["--package", &format!("chartseal-{function}")]);
    }
    let program = cargo.to_string_lossy().into_owned();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(Error::spawn(program.clone()))?;
    let mut binaries = BTreeMap::new();
    if let Some(messages) = child.stdout.take() {
        for line in BufReader::new(messages).lines() {
            let line = line.map_err(Error::file("read", "cargo's messages"))?;
            if let Ok(Message { target: Some(target), executable: Some(executable) }) = serde_json::from_str(&line) {
                binaries.insert(target.name, executable);
            }
        }
    }
    let status = child.wait().map_err(Error::spawn(program))?;
    if !status.success() {
        let advice = "the compiler's message is above".to_owned();
        return Err(Error::Step { step: "building the functions", status: status.to_string(), advice });
    }
    let folder = folder_of(&binaries)?;
    eprintln!("built in {:.1} s: {}", start.elapsed().as_secs_f64(), folder.display());
    Ok(folder)
}

/// The one folder that holds every binary we asked for.
fn folder_of(binaries: &BTreeMap<String, PathBuf>) -> Result<PathBuf, Error> {
    let wanted = || FUNCTIONS.iter().copied().chain([CLIENT.1]);
    let folder = binaries.get(CLIENT.1).and_then(|path| path.parent());
    match folder {
        Some(folder) if wanted().all(|name| binaries.get(name).is_some_and(|path| path.parent() == Some(folder))) => {
            Ok(folder.to_path_buf())
        }
        _ => Err(Error::MissingBinaries(
            wanted().filter(|name| !binaries.contains_key(*name)).map(str::to_owned).collect(),
        )),
    }
}

/// The part of cargo's message we read (`compiler-artifact`).
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_that_were_not_built_are_named() {
        let some = FUNCTIONS[1..].iter().copied().chain([CLIENT.1]);
        let binaries = some.map(|name| (name.to_owned(), PathBuf::from(format!("/target/release/{name}")))).collect();
        let error = folder_of(&binaries).unwrap_err();
        assert!(matches!(&error, Error::MissingBinaries(names) if names == &[FUNCTIONS[0]]), "{error}");
    }
}
