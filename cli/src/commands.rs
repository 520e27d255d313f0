//! The commands, a file for each group. A command returns its JSON answer, and says it in words as it goes.

pub mod audit;
pub mod ledger;
pub mod node;
pub mod operator;
pub mod provider;
pub mod record;
pub mod request;
pub mod search;
pub mod wallet;

use clap::CommandFactory as _;
use serde_json::Value;

use crate::failure::Failure;
use crate::options::{Group, Options};
use crate::output::Output;
use crate::session::Session;

/// What a command comes to.
pub type Answered = Result<Value, Failure>;

/// Runs a command.
pub fn run(options: Options, output: &Output) -> Answered {
    let session = Session::new(options.globals);
    match options.command {
        Group::Wallet(command) => wallet::run(&command, &session, output),
        Group::Operator(command) => operator::run(&command, &session, output),
        Group::Provider(command) => provider::run(&command, &session, output),
        Group::Record(command) => record::run(&command, &session, output),
        Group::Search(arguments) => search::run(&arguments, &session, output),
        Group::Request(command) => request::run(&command, &session, output),
        Group::Ledger(command) => ledger::run(&command, &session, output),
        Group::Receipt(command) => ledger::receipts(&command, &session, output),
        Group::Verify(arguments) => ledger::verify(&arguments, output),
        Group::Audit(arguments) => audit::run(&arguments, &session, output),
        Group::Witness(arguments) => node::run("witness", &arguments, session.globals()),
        Group::Mirror(arguments) => node::run("mirror", &arguments, session.globals()),
        Group::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Options::command(), "chartseal", &mut script);
            let _ = std::io::Write::write_all(&mut std::io::stdout(), &script);
            Ok(Value::Null)
        }
    }
}
