//! The binary `chartseal`: reads the command line, runs one command of the library, prints what happened. See `chartseal help`.
#![forbid(unsafe_code)]

mod bars;
mod commands;
mod failure;
mod options;
mod output;
mod session;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let options = options::Options::parse();
    let output = output::Output::new(options.globals.json);
    let exit = match commands::run(options, &output) {
        Ok(answer) => output.answer(&answer),
        Err(failure) => output.failure(&failure),
    };
    ExitCode::from(exit as u8)
}
