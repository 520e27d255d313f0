//! A line in the making.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::time::Instant;

use chartseal_events::Id;
use serde_json::{Map, Value};

use super::fields::{self, Field};

/// Most items of a list in a line.
pub const MAX_LISTED: usize = 100;
/// Most failures that a line tells of.
const MAX_FAILURES: usize = 20;
/// Longest text of a field, in bytes.
const MAX_TEXT_BYTES: usize = 1_024;
/// Longest error among several.
const MAX_FAILURE_BYTES: usize = 256;

/// What has been noted of an invocation.
#[derive(Debug, Default, Clone)]
pub struct Line {
    pub(super) started: Option<Instant>,
    members: Map<String, Value>,
    traces: Vec<Id>,
    more_traces: u64,
}

impl Line {
    pub(super) fn begin() -> Self {
        Self { started: Some(Instant::now()), ..Self::default() }
    }

    /// What a field holds so far.
    pub fn get(&self, field: &Field) -> Option<&Value> {
        self.members.get(field.name)
    }

    /// A number, 0 where there is none.
    pub fn number(&self, field: &Field) -> u64 {
        self.get(field).and_then(Value::as_u64).unwrap_or_default()
    }

    /// The first command that it is about.
    pub fn trace(&self) -> Option<Id> {
        self.traces.first().copied()
    }

    pub(super) fn members_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.members
    }

    pub(super) fn set(&mut self, field: &Field, value: Value) {
        let value = match value {
            Value::String(text) => Value::String(cut(text, MAX_TEXT_BYTES)),
            value => value,
        };
        self.members.insert(field.name.to_owned(), value);
    }

    pub(super) fn add(&mut self, field: &Field, amount: u64) {
        let sum = self.number(field).saturating_add(amount);
        self.set(field, sum.into());
    }

    pub(super) fn peak(&mut self, field: &Field, amount: u64) {
        let peak = self.number(field).max(amount);
        self.set(field, peak.into());
    }

    pub(super) fn list(&mut self, field: &Field, more: &Field, item: String) {
        let list = self.members.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
        match list {
            Value::Array(items) if items.len() < MAX_LISTED => items.push(Value::String(cut(item, MAX_TEXT_BYTES))),
            _ => self.add(more, 1),
        }
    }

    pub(super) fn about(&mut self, trace: Id) {
        if self.traces.contains(&trace) {
            return;
        }
        if self.traces.len() < MAX_LISTED {
            self.traces.push(trace);
        } else {
            self.more_traces += 1;
        }
    }

    pub(super) fn failure(&mut self, place: String, trace: Option<Id>, error: String) {
        let list = self.members.entry(fields::FAILURES.name).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(items) = list else { return };
        if items.len() < MAX_FAILURES {
            let mut members = Map::new();
            members.insert("place".to_owned(), place.into());
            if let Some(trace) = trace {
                members.insert("trace".to_owned(), trace.to_string().into());
            }
            members.insert("error".to_owned(), cut(error, MAX_FAILURE_BYTES).into());
            items.push(Value::Object(members));
        }
    }

    pub(super) fn said(&mut self, text: String) {
        let list = self.members.entry(fields::RUNTIME.name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(items) = list
            && items.len() < MAX_FAILURES
        {
            items.push(text.into());
        }
    }

    /// Writes the commands down that it is about.
    pub(super) fn close(&mut self) {
        match self.traces.as_slice() {
            [] => {}
            [trace] => self.set(&fields::TRACE, trace.to_string().into()),
            traces => {
                let texts = traces.iter().map(|trace| Value::String(trace.to_string())).collect();
                self.set(&fields::TRACES, Value::Array(texts));
            }
        }
        if self.more_traces > 0 {
            self.set(&fields::TRACES_MORE, self.more_traces.into());
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(&self.members).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// An error with everything that caused it.
pub fn in_words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some errors repeat their cause in their own words.
        if !text.ends_with(&words) {
            let _ = write!(text, ": {words}");
        }
        cause = error.source();
    }
    text
}

fn cut(mut text: String, limit_bytes: usize) -> String {
    if text.len() > limit_bytes {
        let end = (0..=limit_bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> Id {
        Id::from_parts(number, [0; 10])
    }

    #[test]
    fn what_is_counted_adds_up() {
        let mut line = Line::default();
        line.add(&fields::CONFLICTS, 1);
        line.add(&fields::CONFLICTS, 2);
        line.peak(&fields::STREAM_LAG_MS, 7);
        line.peak(&fields::STREAM_LAG_MS, 5);
        assert_eq!((line.number(&fields::CONFLICTS), line.number(&fields::STREAM_LAG_MS)), (3, 7));
        assert_eq!(line.number(&fields::REPEATED), 0);
    }

    #[test]
    fn one_command_is_a_word_and_several_are_a_list_with_an_end() {
        let mut line = Line::default();
        line.about(id(1));
        line.about(id(1));
        line.close();
        assert_eq!(line.get(&fields::TRACE), Some(&id(1).to_string().into()));

        for number in 2..=103 {
            line.about(id(number));
        }
        line.close();
        let listed = line.get(&fields::TRACES).and_then(Value::as_array).expect("a list");
        assert_eq!((listed.len(), line.number(&fields::TRACES_MORE)), (MAX_LISTED, 3));
    }

    #[test]
    fn nothing_grows_without_end() {
        let mut line = Line::default();
        for number in 0..250 {
            line.list(&fields::EVENTS_SEEN, &fields::EVENTS_SEEN_MORE, format!("record/{number}"));
            line.failure("here".to_owned(), Some(id(1)), "ä".repeat(1_000));
        }
        line.set(&fields::ERROR, "x".repeat(5_000).into());
        assert_eq!(line.number(&fields::EVENTS_SEEN_MORE), 150);
        let text = Value::Object(line.members.clone()).to_string();
        assert!(text.len() < 16 * 1_024, "{} bytes", text.len());
    }
}
