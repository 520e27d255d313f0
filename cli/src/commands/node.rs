//! `witness` and `mirror`: long-running nodes. They are a program of their own, `chartseal-node`, which takes this one's place.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

#[cfg(not(unix))]
use chartseal_cli::Exit;
use clap::Args;

use super::Answered;
use crate::failure::Failure;
use crate::options::Globals;

const PROGRAM: &str = "chartseal-node";

/// What goes on to the program.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A command of the node and its options; --help tells of them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    arguments: Vec<OsString>,
}

/// Starts the program; what stood before the command goes along in its environment. Comes back only if there is no such program.
pub fn run(kind: &str, arguments: &Arguments, globals: &Globals) -> Answered {
    let mut command = Command::new(program());
    command.arg(kind).args(&arguments.arguments);
    if let Some(wallet) = &globals.wallet {
        command.env("CHARTSEAL_WALLET", wallet);
    }
    if let Some(file) = &globals.passphrase_file {
        command.env("CHARTSEAL_PASSPHRASE_FILE", file);
    }
    if let Some(api) = &globals.api {
        command.env("CHARTSEAL_API", api);
    }
    let error = start(command);
    if error.kind() == std::io::ErrorKind::NotFound {
        let advice = "Put it beside `chartseal` or on the PATH: `cargo build --release -p chartseal-node` makes it.";
        return Err(Failure::usage(format!("{PROGRAM} is not there"), advice));
    }
    Err(Failure::usage(format!("{PROGRAM} cannot be started: {error}"), "Look at the file's rights."))
}

/// In this process' place: a signal that is meant for the node reaches it.
#[cfg(unix)]
fn start(mut command: Command) -> std::io::Error {
    std::os::unix::process::CommandExt::exec(&mut command)
}

#[cfg(not(unix))]
fn start(mut command: Command) -> std::io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(Exit::Failed as i32)),
        Err(error) => error,
    }
}

/// The program beside this one, else the one on the PATH.
fn program() -> PathBuf {
    let name = format!("{PROGRAM}{}", env::consts::EXE_SUFFIX);
    let beside = env::current_exe().ok().and_then(|own| Some(own.parent()?.join(&name)));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name))
}
