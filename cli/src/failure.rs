//! A command that did not do what it was asked: one line that says what, one that says what to do, and the exit code.

use std::borrow::Cow;

use chartseal_cli::{Error, Exit, printable};
use clap::error::ErrorKind;
use serde_json::Value;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    /// One line.
    pub what: String,
    /// What to do next.
    pub advice: Cow<'static, str>,
    /// A stable name.
    pub code: Cow<'static, str>,
    /// How the process ends.
    pub exit: Exit,
    /// What was done before it failed.
    pub done: Option<Value>,
}

impl Failure {
    /// The command line is wrong in a way that its parser cannot see.
    pub fn usage(what: impl Into<String>, advice: &'static str) -> Self {
        Self { what: what.into(), advice: advice.into(), code: "usage".into(), exit: Exit::Usage, done: None }
    }

    /// The command line is wrong, and its parser says why.
    pub fn parser(error: &clap::Error) -> Self {
        let what = if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            "the command is not complete".to_owned()
        } else {
            // The first paragraph says what is wrong; the usage follows.
            let text = error.render().to_string();
            let lines = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
            let first = printable(&lines.collect::<Vec<_>>().join(" "));
            first.strip_prefix("error: ").unwrap_or(&first).to_owned()
        };
        Self::usage(what, "See `chartseal help`, or say --help after the command.")
    }

    /// With what was done before.
    pub fn after(mut self, done: Value) -> Self {
        self.done = Some(done);
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { what: error.to_string(), advice: error.advice(), code: error.code(), exit: error.exit(), done: None }
    }
}
