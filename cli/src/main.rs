//! The binary `chartseal`: reads the command line, runs one command of the library, prints what happened. See `chartseal help`.
#![forbid(unsafe_code)]

mod bars;
mod commands;
mod failure;
mod leaf_bar;
mod options;
mod output;
mod session;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let options = match options::Options::try_parse() {
        Ok(options) => options,
        Err(error) if error.use_stderr() && is_json_wanted() => {
            return ExitCode::from(output::Output::new(true).failure(&failure::Failure::parser(&error)) as u8);
        }
        // Help and version too.
        Err(error) => error.exit(),
    };
    let output = output::Output::new(options.globals.json);
    let exit = match commands::run(options, &output) {
        Ok(answer) => output.answer(&answer),
        Err(failure) => output.failure(&failure),
    };
    ExitCode::from(exit as u8)
}

/// Whether the command line says `--json`, although it cannot be read as a whole.
fn is_json_wanted() -> bool {
    std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json")
}
