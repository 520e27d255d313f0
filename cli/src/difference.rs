//! What differs between two files, so that a person sees it: in JSON the members and elements, in text the lines, else where the bytes part.
//!
//! Not in scope: getting them ([`crate::content`]), and what is printed of it. Differences hold what the files hold: they are for who may read those.

use std::collections::BTreeMap;
use std::time::Duration;

use chartseal_events::strict;
use serde::Serialize;
use serde_json::value::RawValue;
use similar::{Algorithm, DiffOp, TextDiff};

/// How long the smallest difference is looked for. A larger one is as true.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Lines around a difference in text.
const CONTEXT_LINES: usize = 3;

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Nothing: they are the same bytes.
    None,
    /// Both are JSON.
    Json(Vec<Change>),
    /// Both are the same JSON, written otherwise: blanks, the order of members, escapes.
    Spelling,
    /// Both are text: a unified difference.
    Text(String),
    /// At least one is neither.
    Bytes {
        /// The first byte that differs, from 0.
        offset: u64,
    },
}

/// A difference in JSON: something was removed (nothing after), added (nothing before), or is another now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What stood where in the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Standing>,
    /// What stands where in the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Standing>,
}

/// A value of a JSON document, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// A JSON Pointer (RFC 6901).
    pub path: String,
    /// The value, as JSON. A number keeps its digits: `1.0` and `1.00` are two precisions (FHIR, decimal).
    pub value: Box<str>,
}

/// What differs between two files.
pub fn difference(before: &[u8], after: &[u8]) -> Difference {
    if before == after {
        return Difference::None;
    }
    if let (Some(one), Some(other)) = (Node::of_document(before), Node::of_document(after)) {
        let mut changes = Vec::new();
        compare(&one, &other, &Paths::default(), &mut changes);
        return if changes.is_empty() { Difference::Spelling } else { Difference::Json(changes) };
    }
    if let (Some(one), Some(other)) = (text(before), text(after)) {
        let diff = TextDiff::configure().timeout(TIMEOUT).diff_lines(one, other);
        return Difference::Text(diff.unified_diff().context_radius(CONTEXT_LINES).to_string());
    }
    let same = before.iter().zip(after).take_while(|(one, other)| one == other).count();
    Difference::Bytes { offset: same as u64 }
}

/// UTF-8 without zeros.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// A JSON value, to be compared. Two texts of it that say the same are the same; numbers are as they are written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Node {
    Object(BTreeMap<String, Node>),
    Array(Vec<Node>),
    Text(String),
    Other(String),
}

impl Node {
    /// An object or an array that fills the bytes. One with a member twice is none: which of them counts depends on who reads it.
    fn of_document(bytes: &[u8]) -> Option<Self> {
        let document = strict::value(bytes).ok()?;
        if !document.is_object() && !document.is_array() {
            return None;
        }
        Self::of(std::str::from_utf8(bytes).ok()?.trim())
    }

    fn of(text: &str) -> Option<Self> {
        Some(match text.as_bytes().first()? {
            b'{' => {
                let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
                let nodes = members.into_iter().map(|(name, value)| Some((name, Self::of(value.get())?)));
                Self::Object(nodes.collect::<Option<_>>()?)
            }
            b'[' => {
                let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                Self::Array(elements.into_iter().map(|value| Self::of(value.get())).collect::<Option<_>>()?)
            }
            b'"' => Self::Text(serde_json::from_str(text).ok()?),
            _ => Self::Other(text.to_owned()),
        })
    }

    fn write(&self, json: &mut String) {
        match self {
            Self::Object(members) => {
                json.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    json.push_str(if index == 0 { "" } else { "," });
                    json.push_str(&quoted(name));
                    json.push(':');
                    value.write(json);
                }
                json.push('}');
            }
            Self::Array(elements) => {
                json.push('[');
                for (index, value) in elements.iter().enumerate() {
                    json.push_str(if index == 0 { "" } else { "," });
                    value.write(json);
                }
                json.push(']');
            }
            Self::Text(text) => json.push_str(&quoted(text)),
            Self::Other(text) => json.push_str(text),
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Where a value stands in the first document, and in the second.
#[derive(Debug, Clone, Default)]
struct Paths {
    before: String,
    after: String,
}

impl Paths {
    fn member(&self, name: &str) -> Self {
        // RFC 6901 section 3.
        let escaped = name.replace('~', "~0").replace('/', "~1");
        self.element(&escaped, &escaped)
    }

    fn element(&self, before: impl std::fmt::Display, after: impl std::fmt::Display) -> Self {
        Self { before: format!("{}/{before}", self.before), after: format!("{}/{after}", self.after) }
    }
}

fn standing(path: &str, node: &Node) -> Standing {
    let mut value = String::new();
    node.write(&mut value);
    Standing { path: path.to_owned(), value: value.into() }
}

fn note(before: Option<&Node>, after: Option<&Node>, paths: &Paths, changes: &mut Vec<Change>) {
    changes.push(Change {
        before: before.map(|node| standing(&paths.before, node)),
        after: after.map(|node| standing(&paths.after, node)),
    });
}

fn compare(before: &Node, after: &Node, paths: &Paths, changes: &mut Vec<Change>) {
    match (before, after) {
        (Node::Object(one), Node::Object(other)) => {
            for (name, value) in one {
                match other.get(name) {
                    Some(now) => compare(value, now, &paths.member(name), changes),
                    None => note(Some(value), None, &paths.member(name), changes),
                }
            }
            for (name, value) in other.iter().filter(|(name, _)| !one.contains_key(*name)) {
                note(None, Some(value), &paths.member(name), changes);
            }
        }
        (Node::Array(one), Node::Array(other)) => compare_arrays(one, other, paths, changes),
        _ if before == after => {}
        _ => note(Some(before), Some(after), paths, changes),
    }
}

/// Elements that stayed are found wherever they stand now; what stands in another's place is compared with it.
fn compare_arrays(one: &[Node], other: &[Node], paths: &Paths, changes: &mut Vec<Change>) {
    let deadline = std::time::Instant::now() + TIMEOUT;
    for op in similar::capture_diff_slices_deadline(Algorithm::Myers, one, other, Some(deadline)) {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let (old, new) = (op.old_range(), op.new_range());
        let pairs = old.len().min(new.len());
        for (before, after) in old.clone().zip(new.clone()) {
            compare(&one[before], &other[after], &paths.element(before, after), changes);
        }
        for before in old.skip(pairs) {
            note(Some(&one[before]), None, &paths.element(before, ""), changes);
        }
        for after in new.skip(pairs) {
            note(None, Some(&other[after]), &paths.element("", after), changes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(before: &str, after: &str) -> Vec<(Option<String>, Option<String>)> {
        let Difference::Json(changes) = difference(before.as_bytes(), after.as_bytes()) else {
            panic!("{before} and {after} are JSON")
        };
        let said = |standing: Standing| format!("{} {}", standing.path, standing.value);
        changes.into_iter().map(|change| (change.before.map(said), change.after.map(said))).collect()
    }

    fn pair(before: &str, after: &str) -> (Option<String>, Option<String>) {
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (said(before), said(after))
    }

    #[test]
    fn members_are_compared_by_name() {
        let changes = json(r#"{"a":1,"b/c":{"d":"x"},"e":[]}"#, r#"{ "e": [], "b/c": {"d":"y","f":null} }"#);
        let expected = [pair("/a 1", ""), pair(r#"/b~1c/d "x""#, r#"/b~1c/d "y""#), pair("", "/b~1c/f null")];
        assert_eq!(changes, expected);
    }

    #[test]
    fn elements_that_stayed_are_found_where_they_stand_now() {
        let changes = json(r#"[{"id":1},{"id":2},{"id":3}]"#, r#"[{"id":0},{"id":1},{"id":3,"x":true}]"#);
        let expected =
            [pair("", r#"/0 {"id":0}"#), pair("/1/id 2", "/2/id 3"), pair("", "/2/x true"), pair(r#"/2 {"id":3}"#, "")];
        assert_eq!(changes, expected);
    }

    #[test]
    fn the_precision_of_a_number_counts() {
        assert_eq!(json(r#"{"value":1.0}"#, r#"{"value":1.00}"#), [pair("/value 1.0", "/value 1.00")]);
        assert_eq!(json("[12345678901234567890]", "[12345678901234567891]").len(), 1);
    }

    #[test]
    fn another_spelling_of_the_same_is_said_to_be_one() {
        assert_eq!(difference(br#"{"a":"\u0041","b":2}"#, br#"{"b":2, "a":"A"}"#), Difference::Spelling);
        assert_eq!(difference(b"{}", b"{}"), Difference::None);
    }

    #[test]
    fn a_member_that_stands_twice_makes_it_text() {
        let Difference::Text(text) = difference(br#"{"a":1,"a":2}"#, br#"{"a":3,"a":2}"#) else { panic!("text") };
        assert!(text.contains(r#"-{"a":1,"a":2}"#) && text.contains(r#"+{"a":3,"a":2}"#), "{text}");
    }

    #[test]
    fn lines_are_shown_with_those_around_them() {
        let before = (0..20).map(|line| format!("line {line}")).collect::<Vec<_>>().join("\n");
        let after = before.replace("line 10\n", "line ten\n");
        let Difference::Text(text) = difference(before.as_bytes(), after.as_bytes()) else { panic!("text") };
        assert_eq!(
            text.lines().filter(|line| line.starts_with(['-', '+'])).collect::<Vec<_>>(),
            ["-line 10", "+line ten"]
        );
        assert_eq!(text.lines().count(), 1 + 3 + 2 + 3, "{text}");
    }

    #[test]
    fn other_bytes_part_somewhere() {
        assert_eq!(difference(b"ab\0c", b"ab\0d"), Difference::Bytes { offset: 3 });
        assert_eq!(difference(b"\xff\xfe", b"\xff"), Difference::Bytes { offset: 1 });
    }
}
