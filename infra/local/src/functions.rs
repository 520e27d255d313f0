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
pub const FUNCTIONS: [&str; 18] = [
    "commit",
    "consumer",
    "cosign",
    "decide",
    "download",
    "genesis",
    "healthz",
    "issue-key",
    "ledger-api",
    "records",
    "register",
    "request",
    "seal",
    "search",
    "sweeper",
    "tokens",
    "uploads",
    "workflow",
];

/// The function that a payload of `events/samples` is for: its name, or its name up to the case (`records-list`).
pub fn function_of(sample: &str) -> Option<&'static str> {
    FUNCTIONS
        .into_iter()
        .find(|function| sample.strip_prefix(function).is_some_and(|case| case.is_empty() || case.starts_with('-')))
}

/// How cargo tells what it has made, while it shows what is wrong.
const MESSAGES: &str = "--message-format=json-render-diagnostics";

/// The client's crate, built along with the functions, and its binary.
const CLIENT: (&str, &str) = ("chartseal-cli", "chartseal");

/// Cargo, as if it were started from a shell.
///
/// Under `cargo run` and `cargo test` the environment tells of the running crate, and build scripts that read it (ring's does) would run again,
/// and everything that stands on them, the AWS SDK included, would be built again at each change between a shell and us.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if is_of_a_crate(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

/// Whether cargo sets this variable for the crate that it runs.
fn is_of_a_crate(variable: &str) -> bool {
    let families = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CFG_", "CARGO_FEATURE_"];
    let single = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "CARGO_TARGET_TMPDIR", "OUT_DIR"];
    families.iter().any(|family| variable.starts_with(family)) || single.contains(&variable)
}

/// Builds all functions and the client for release and returns the folder that holds their binaries.
///
/// Cargo's own progress goes to standard error.
pub fn build(workspace: &Workspace) -> Result<PathBuf, Error> {
    let start = Instant::now();
    eprintln!("building {} functions and the client (release)", FUNCTIONS.len());
    let binaries = binaries_of(&mut release(workspace), "building the functions")?;
    let folder = folder_of(&binaries)?;
    eprintln!("built in {:.1} s: {}", start.elapsed().as_secs_f64(), folder.display());
    Ok(folder)
}

/// Builds a program that is no function of the stack, but is to be like one, for a test of what functions have in common: along with them, so that it
/// stands on the very same libraries.
pub fn build_beside(workspace: &Workspace, package: &str, program: &str) -> Result<PathBuf, Error> {
    let mut binaries =
        binaries_of(release(workspace).args(["--package", package]), "building a program beside the functions")?;
    binaries.remove(program).ok_or_else(|| Error::MissingBinaries(vec![program.to_owned()]))
}

/// Builds a program that is none of the stack's, for release, by itself: it need not stand on the functions' libraries, and they are not built anew for it.
pub fn build_alone(workspace: &Workspace, package: &str, program: &str) -> Result<PathBuf, Error> {
    let mut command = cargo();
    command.current_dir(workspace.root()).args(["build", "--release", "--bins", MESSAGES, "--package", package]);
    binaries_of(&mut command, "building a program for the stack")?
        .remove(program)
        .ok_or_else(|| Error::MissingBinaries(vec![program.to_owned()]))
}

/// Cargo, told to build all functions and the client for release.
fn release(workspace: &Workspace) -> Command {
    let mut command = cargo();
    command.current_dir(workspace.root()).args(["build", "--release", "--bins", MESSAGES]);
    command.args(["--package", CLIENT.0]);
    for function in FUNCTIONS {
        command.args(["--package", &format!("chartseal-{function}")]);
    }
    command
}

/// Runs a `cargo build` that tells of its artifacts in JSON; the binaries by the names of their targets. Cargo's progress is shown.
pub(crate) fn binaries_of(command: &mut Command, step: &'static str) -> Result<BTreeMap<String, PathBuf>, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
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
        return Err(Error::Step { step, status: status.to_string(), advice });
    }
    Ok(binaries)
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
    fn cargo_learns_nothing_of_the_crate_that_starts_it() {
        assert!(env::var_os("CARGO_MANIFEST_DIR").is_some(), "cargo test sets it");
        let removed: Vec<_> =
            cargo().get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name.to_owned()).collect();
        assert!(removed.iter().any(|name| name == "CARGO_MANIFEST_DIR"));
        for kept in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR", "CARGO_NET_OFFLINE", "PATH"] {
            assert!(!is_of_a_crate(kept), "{kept}");
        }
    }

    #[test]
    fn binaries_that_were_not_built_are_named() {
        let some = FUNCTIONS[1..].iter().copied().chain([CLIENT.1]);
        let binaries = some.map(|name| (name.to_owned(), PathBuf::from(format!("/target/release/{name}")))).collect();
        let error = folder_of(&binaries).unwrap_err();
        assert!(matches!(&error, Error::MissingBinaries(names) if names == &[FUNCTIONS[0]]), "{error}");
    }
}
