//! The node's log: one line of JSON for each thing that happened, on standard error; systemd and Docker keep it. A failure is told once, where it is
//! handled. There is never a key, a passphrase, a read token or an event's body in a line.

use std::io::Write as _;

use serde_json::{Map, Value};

use crate::clock;

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// Somebody should look when there is time.
    Warn,
    /// The node does not do what it is for.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Writes a line: what happened, and its fields.
pub fn line(level: Level, message: &str, fields: impl IntoIterator<Item = (&'static str, Value)>) {
    let mut document = Map::new();
    document.insert("timestamp_ms".to_owned(), clock::now_ms().into());
    document.insert("level".to_owned(), level.name().into());
    document.insert("message".to_owned(), message.into());
    document.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    // Nowhere to tell of it that a line could not be written.
    let _ = writeln!(std::io::stderr().lock(), "{}", Value::Object(document));
}
