//! A command that did not do what it was asked: one line that says what, one that says what to do, and the exit code.

use std::borrow::Cow;

use chartseal_cli::{Error, Exit};
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
