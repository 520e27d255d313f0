//! What is printed: text for people as things happen, or one JSON document at the end.

use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use chartseal_cli::Exit;
use chartseal_events::Event;
use serde_json::{Value, json};

use crate::failure::Failure;

/// Where a command says what happened.
#[derive(Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether one document is printed, and no text.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A line for people.
    pub fn say(&self, line: impl AsRef<str>) {
        if !self.json {
            // A reader that has gone away is no failure of the command.
            let _ = writeln!(std::io::stdout(), "{}", line.as_ref());
        }
    }

    /// The end of a command that did what it was asked.
    pub fn answer(&self, answer: &Value) -> Exit {
        if self.json && !answer.is_null() {
            let _ = writeln!(std::io::stdout(), "{answer}");
        }
        Exit::Done
    }

    /// The end of a command that did not.
    pub fn failure(&self, failure: &Failure) -> Exit {
        if self.json {
            let mut document = failure.done.clone().unwrap_or_else(|| json!({}));
            document["error"] = json!({
                "code": failure.code,
                "what": failure.what,
                "advice": failure.advice,
                "exit": failure.exit as u8,
            });
            let _ = writeln!(std::io::stdout(), "{document}");
        }
        let _ = writeln!(std::io::stderr(), "chartseal: {}\n  {}", failure.what, failure.advice);
        failure.exit
    }
}

/// An event in JSON.
pub fn event(event: &Event) -> Value {
    json!({ "stream": event.place.stream, "seq": event.place.seq, "leaf": event.leaf })
}

/// A wire type in JSON, without its evidence: that has been checked and is long.
pub fn without_evidence(view: &impl serde::Serialize) -> Value {
    let mut value = serde_json::to_value(view).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.remove("evidence");
    }
    value
}

/// A time for people.
pub fn time(at_ms: u64) -> String {
    // HTTP dates end in the year 9999; so do ours.
    let since = Duration::from_millis(at_ms.min(253_402_300_799_000));
    httpdate::fmt_http_date(UNIX_EPOCH + since)
}
