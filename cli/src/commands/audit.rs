//! `audit`: of the vault's log, by replaying it ([`log`]); or of its store (`--store`). That reads tables and bucket with cloud credentials, which is server
//! code: this program links none of it, and starts `chartseal-audit` instead (docs/adr/0010).

mod log;

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use chartseal_cli::Exit;
use clap::Args;

use super::Answered;
use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;

const PROGRAM: &str = "chartseal-audit";

/// What is audited, and what goes on to the program that does it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Account for every item of the vault's tables and every object of its bucket, instead; needs an auditor's cloud credentials.
    #[arg(long, conflicts_with_all = ["copy", "from_copy", "key", "keys", "quorum"])]
    store: bool,
    #[command(flatten)]
    log: log::OfLog,
    /// Options of `chartseal-audit`, with --store; `chartseal-audit --help` tells of them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<OsString>,
}

/// Audits.
pub fn run(arguments: &Arguments, session: &Session, output: &Output) -> Answered {
    if arguments.store {
        return of_store(arguments, output.is_json());
    }
    if let Some(option) = arguments.options.first() {
        let what = format!("`{}` is not an option of the log's audit", option.to_string_lossy().escape_debug());
        return Err(Failure::usage(what, "See `chartseal audit --help`; options of the store's audit need --store."));
    }
    log::run(&arguments.log, session, output)
}

/// Starts the program, and ends as it ends.
fn of_store(arguments: &Arguments, json: bool) -> Answered {
    let mut command = Command::new(program());
    command.args(&arguments.options);
    if json {
        command.arg("--json");
    }
    match command.status() {
        // One that was killed by a signal has no code.
        Ok(status) => std::process::exit(status.code().unwrap_or(Exit::Failed as i32)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let advice =
                "Put it beside `chartseal` or on the PATH: `cargo build --release -p chartseal-audit` makes it.";
            Err(Failure::usage(format!("{PROGRAM} is not there"), advice))
        }
        Err(error) => {
            Err(Failure::usage(format!("{PROGRAM} cannot be started: {error}"), "Look at the file's rights."))
        }
    }
}

/// The program beside this one, else the one on the PATH.
fn program() -> PathBuf {
    let name = format!("{PROGRAM}{}", env::consts::EXE_SUFFIX);
    let beside = env::current_exe().ok().and_then(|own| Some(own.parent()?.join(&name)));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name))
}
