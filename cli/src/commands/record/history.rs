//! `chartseal record history`.

use chartseal_cli::{Client, printable};
use chartseal_events::{Event, Id, Kid, Outcome, StreamId};
use serde_json::{Value, json};

use crate::commands::Answered;
use crate::output::{self, Output};

/// Most requests that are looked through for those of one record.
const MAX_REQUESTS: usize = 10_000;

pub fn show(record: Id, with_requests: bool, client: &Client, output: &Output) -> Answered {
    let checked = client.record(record)?;
    let mut events: Vec<Event> = checked.sound.events.get(&StreamId::Record(record)).cloned().unwrap_or_default();
    output.say(format!("{record} of {}; its events hold up", checked.view.owner));
    if with_requests {
        for request in client.requests(MAX_REQUESTS)?.iter().filter(|request| request.record == record) {
            events.extend_from_slice(client.request(request.request)?.events());
        }
        // Within a stream they are in order already, and stay so.
        events.sort_by_key(|event| event.at_ms);
    }
    for event in &events {
        let place = if with_requests { event.place.to_string() } else { format!("{:>4}", event.place.seq) };
        output.say(format!(
            "{place}  {}  {:<25} {}{}",
            output::time(event.at_ms),
            event.outcome.typ(),
            printable(&what(event)),
            by(event)
        ));
    }
    if with_requests {
        output.say("Each request holds up by itself; that the vault has listed all of them is not proven here.");
    }
    let events: Vec<Value> = events.iter().map(described).collect();
    let (owner, versions) = (checked.view.owner, output::view(&checked.view.versions));
    Ok(json!({ "record": record, "owner": owner, "versions": versions, "events": events }))
}

/// The version that an event is about.
fn version(event: &Event) -> Option<u32> {
    match &event.outcome {
        Outcome::RecordCreated(created) => Some(created.version),
        Outcome::RecordAnnounced(announced) => Some(announced.version),
        Outcome::RecordUploaded(uploaded) => Some(uploaded.version),
        Outcome::UploadExpired(expired) => Some(expired.version),
        Outcome::KeyIssued(issued) => Some(issued.version),
        Outcome::RecordDownloaded(downloaded) => Some(downloaded.version),
        Outcome::AccessRequested(requested) => Some(requested.version),
        _ => None,
    }
}

fn what(event: &Event) -> String {
    let version = version(event).map(|number| format!("version {number}, ")).unwrap_or_default();
    let more = match &event.outcome {
        Outcome::AccessRequested(requested) => {
            format!("{} for provider {}, ", requested.purpose.code(), requested.requester)
        }
        Outcome::AccessApproved(approved) => format!("until {}, ", output::time(approved.until)),
        _ => String::new(),
    };
    version + &more
}

/// Who it goes back to.
fn by(event: &Event) -> String {
    let Some(command) = &event.command else { return "by the vault".into() };
    match (command.kid(), command.claims.act) {
        (Kid::Person(person), Some(provider)) => format!("by {person} of {provider}"),
        (kid, _) => format!("by operator {kid}"),
    }
}

fn described(event: &Event) -> Value {
    let mut value = output::event(event);
    value["type"] = json!(event.outcome.typ());
    value["at"] = json!(event.at_ms);
    value["version"] = json!(version(event));
    value["by"] = json!(event.command.as_ref().map(|command| command.kid().to_string()));
    value["provider"] = json!(event.command.as_ref().and_then(|command| command.claims.act));
    value
}
