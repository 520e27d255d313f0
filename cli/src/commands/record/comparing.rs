//! `chartseal record diff`.

use std::str::FromStr;

use chartseal_cli::{Client, Content, Difference, DownloadOf, difference, printable};
use chartseal_events::Id;
use clap::Args;
use serde_json::{Value, json};

use super::Shown;
use crate::commands::Answered;
use crate::failure::Failure;
use crate::output::{self, Output};

/// Longest file that is looked into. Of longer ones it is said whether they are the same.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What is compared.
#[derive(Debug, Args)]
pub struct Compared {
    /// A version: RECORD@N of your own record, or request/ID for what was approved. With RECORD alone, its latest two versions are compared.
    #[arg(value_name = "A")]
    one: Version,
    /// The version to compare it with.
    #[arg(value_name = "B")]
    other: Option<Version>,
    #[command(flatten)]
    shown: Shown,
}

/// A version, as it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version(DownloadOf);

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a version is RECORD@N, RECORD or request/ID";
        if let Some(request) = text.strip_prefix("request/") {
            return request.parse().map(|id| Self(DownloadOf::Request(id))).map_err(|_| FORM);
        }
        let (record, version) = match text.split_once('@') {
            Some((record, version)) => (record, Some(version.parse::<u32>().ok().filter(|n| *n > 0).ok_or(FORM)?)),
            None => (text, None),
        };
        record.parse().map(|id| Self(DownloadOf::Record(id, version))).map_err(|_| FORM)
    }
}

pub fn diff(arguments: &Compared, client: &Client, output: &Output) -> Answered {
    let (one, other) = match (arguments.one.0, arguments.other) {
        (one, Some(other)) => (one, other.0),
        (DownloadOf::Record(record, None), None) => latest_two(record, client)?,
        _ => return Err(Failure::usage("there is nothing to compare it with", "Name the other version, too.")),
    };
    let bars = arguments.shown.bars();
    let before = client.content(one, MAX_BYTES, &bars)?;
    let after = client.content(other, MAX_BYTES, &bars)?;
    let same = before.download.sha256 == after.download.sha256;
    let found = match (&before.bytes, &after.bytes) {
        (Some(before), Some(after)) => Some(difference(before, after)),
        _ => None,
    };
    for (sign, content) in [("---", &before), ("+++", &after)] {
        let done = &content.download;
        let media_type = printable(&done.media_type);
        output.say(format!("{sign} {}@{}  {media_type}, {} bytes", done.record, done.version, done.bytes));
    }
    let (kind, changes) = say(found.as_ref(), same, output);
    Ok(
        json!({ "before": described(&before), "after": described(&after), "same": same, "kind": kind, "difference": changes }),
    )
}

/// The latest uploaded version of one's own record, and the one before it.
fn latest_two(record: Id, client: &Client) -> Result<(DownloadOf, DownloadOf), Failure> {
    let checked = client.record(record)?;
    let uploaded = checked.view.versions.iter().filter(|version| version.uploaded_at.is_some());
    let numbers: Vec<u32> = uploaded.map(|version| version.version).collect();
    match numbers.as_slice() {
        [.., one, other] => Ok((DownloadOf::Record(record, Some(*one)), DownloadOf::Record(record, Some(*other)))),
        _ => Err(Failure::usage(
            format!("{record} has fewer than two versions"),
            "Name another version to compare it with.",
        )),
    }
}

/// Says what differs. Gives the kind of it, and what there is to say in JSON.
fn say(found: Option<&Difference>, same: bool, output: &Output) -> (&'static str, Value) {
    match found {
        _ if same => {
            output.say("the same bytes");
            ("none", Value::Null)
        }
        Some(Difference::Json(changes)) => {
            for change in changes {
                for (sign, standing) in [("-", &change.before), ("+", &change.after)] {
                    if let Some(standing) = standing {
                        output.say(printable(&format!("{sign} {}: {}", standing.path, standing.value)));
                    }
                }
            }
            ("json", json!(changes))
        }
        Some(Difference::Spelling) => {
            output.say("the same JSON, written otherwise");
            ("spelling", Value::Null)
        }
        Some(Difference::Text(text)) => {
            text.lines().for_each(|line| output.say(printable(line)));
            ("text", json!(text))
        }
        Some(Difference::Bytes { offset }) => {
            output.say(format!("neither text nor JSON; they part at byte {offset}"));
            ("bytes", json!({ "offset": offset }))
        }
        Some(Difference::None) | None => {
            output.say(format!("other bytes; files above {} MiB are not looked into", MAX_BYTES >> 20));
            ("long", Value::Null)
        }
    }
}

fn described(content: &Content) -> Value {
    let done = &content.download;
    json!({
        "record": done.record,
        "version": done.version,
        "media_type": done.media_type,
        "bytes": done.bytes,
        "sha256": done.sha256,
        "checks": done.checks,
        "event": output::event(&done.event),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_in_three_ways() {
        let id: Id = "01JDB3YQ7X0000000000000000".parse().expect("an id");
        let read = |text: &str| text.parse::<Version>().map(|version| version.0);
        assert_eq!(read("01JDB3YQ7X0000000000000000"), Ok(DownloadOf::Record(id, None)));
        assert_eq!(read("01JDB3YQ7X0000000000000000@12"), Ok(DownloadOf::Record(id, Some(12))));
        assert_eq!(read("request/01JDB3YQ7X0000000000000000"), Ok(DownloadOf::Request(id)));
        for wrong in ["", "@1", "01JDB3YQ7X0000000000000000@", "01JDB3YQ7X0000000000000000@0", "request/", "record/1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
