//! The functions' log lines: every invocation with what Lambda and the function said of it, held against docs/LOGGING.md.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::Stack;

/// What every invocation's line has.
const ALWAYS: [&str; 11] = [
    "timestamp",
    "level",
    "message",
    "vault",
    "function",
    "version",
    "operation",
    "outcome",
    "duration_ms",
    "cold_start",
    "request.id",
];

/// An invocation, as the log has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Invocation {
    /// The function.
    pub function: String,
    /// Lambda's id.
    pub request_id: String,
    /// What the function wrote.
    pub lines: Vec<String>,
}

/// A line that has been read.
#[derive(Debug, Clone)]
pub struct Line {
    /// The function, as the log's group says.
    pub function: String,
    /// Its members.
    pub members: BTreeMap<String, Value>,
}

impl Line {
    /// The text of a member.
    pub fn text(&self, name: &str) -> &str {
        self.members.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number; 0 where there is none.
    pub fn number(&self, name: &str) -> u64 {
        self.members.get(name).and_then(Value::as_u64).unwrap_or_default()
    }

    /// Whether it is about a command, alone or among others.
    pub fn is_about(&self, trace: &str) -> bool {
        let listed = self.members.get("traces").and_then(Value::as_array);
        self.text("trace") == trace || listed.is_some_and(|traces| traces.iter().any(|other| other == trace))
    }
}

/// The documented fields: the names in the tables of docs/LOGGING.md, which a test of the code keeps true.
pub fn documented(stack: &Stack) -> Vec<String> {
    let path = stack.workspace.root().join("docs/LOGGING.md");
    let text = std::fs::read_to_string(path).expect("docs/LOGGING.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name.to_owned()).collect()
}

/// Reads an invocation's one line, and says everything that is wrong with it.
pub fn read(invocation: &Invocation, documented: &[String]) -> Result<Line, String> {
    let Invocation { function, request_id, lines } = invocation;
    let [text] = lines.as_slice() else {
        return Err(format!("{function} {request_id}: {} lines: {lines:#?}", lines.len()));
    };
    let members: BTreeMap<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("{function}: {error}: {text}"))?;
    let mut wrong = Vec::new();
    for name in members.keys().filter(|name| *name != "_aws" && !documented.contains(name)) {
        wrong.push(format!("{name} is no documented field"));
    }
    for name in ALWAYS.iter().filter(|name| !members.contains_key(**name)) {
        wrong.push(format!("{name} is missing"));
    }
    let line = Line { function: function.clone(), members };
    for (name, wanted) in [("message", "invocation"), ("function", function.as_str()), ("request.id", request_id)] {
        if line.text(name) != wanted {
            wrong.push(format!("{name} is not {wanted}"));
        }
    }
    for failure in line.members.get("failures").and_then(Value::as_array).into_iter().flatten() {
        let members = failure.as_object().expect("an object");
        wrong.extend(members.keys().filter(|name| !["place", "trace", "error"].contains(&name.as_str())).cloned());
    }
    // What the metrics name must be there; the rest of the specification is a matter of infra's own tests.
    for directive in line.members["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
        let metrics = directive["Metrics"].as_array().into_iter().flatten().map(|metric| &metric["Name"]);
        let dimensions = directive["Dimensions"].as_array().into_iter().flatten().filter_map(Value::as_array).flatten();
        for name in metrics.chain(dimensions).filter_map(Value::as_str) {
            if !line.members.contains_key(name) {
                wrong.push(format!("the metrics name {name}, which is not there"));
            }
        }
    }
    if wrong.is_empty() { Ok(line) } else { Err(format!("{function}: {}: {text}", wrong.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(lines: &[&str]) -> Invocation {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Invocation { function: "records".to_owned(), request_id: "1-2".to_owned(), lines }
    }

    const GOOD: &str = r#"{"_aws":{"CloudWatchMetrics":[{"Dimensions":[["vault"]],"Metrics":[{"Name":"duration_ms"}]}]},"cold_start":false,
        "duration_ms":1.5,"function":"records","level":"INFO","message":"invocation","operation":"GET /records","outcome":"ok","request.id":"1-2",
        "timestamp":"t","vault":"v","version":"0"}"#;

    #[test]
    fn what_is_not_as_documented_is_said() {
        let documented: Vec<_> = ALWAYS.iter().map(|name| (*name).to_owned()).collect();
        assert!(read(&invocation(&[GOOD]), &documented).is_ok());
        let wrong = |lines: &[&str]| read(&invocation(lines), &documented).expect_err("it is wrong");
        assert!(wrong(&[]).contains("0 lines"));
        assert!(wrong(&[GOOD, GOOD]).contains("2 lines"));
        assert!(wrong(&["plain words"]).contains("plain words"));
        assert!(
            wrong(&[&GOOD.replace("\"level\"", "\"label\"")])
                .contains("label is no documented field; level is missing")
        );
        assert!(wrong(&[&GOOD.replace("1-2", "1-3")]).contains("request.id is not 1-2"));
        assert!(wrong(&[&GOOD.replace("[\"vault\"]", "[\"code\"]")]).contains("which is not there"));
    }
}
