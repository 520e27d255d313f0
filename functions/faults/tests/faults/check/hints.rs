//! Index, due list and workflow, which are made from the events: after healing they are what the events say.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::event::Event;
use chartseal_events::state::{AnnouncedStatus, RequestState};
use chartseal_events::{EventRef, Id, Outcome, StreamId};
use chartseal_infra::ports::{Clock as _, IndexEntry};
use serde_json::Value;

use super::{Breach, Facts, Invariant};

/// The index, made anew from the events, is the index.
pub fn check_index(facts: &Facts<'_>) -> Result<(), Breach> {
    let parts = facts.vault.private_parts();
    let mut expected: BTreeMap<String, BTreeSet<IndexEntry>> = BTreeMap::new();
    let mut list = |name: String, event: &Event, version: u32| {
        let entry = IndexEntry { at_ms: event.at_ms, event: event.place, version };
        expected.entry(name).or_default().insert(entry);
    };
    for event in facts.events() {
        match (&event.outcome, event.place.stream) {
            (Outcome::RecordCreated(created), StreamId::Record(_)) if created.version == 1 => {
                list("records".to_owned(), event, 0);
                list(format!("records/{}", created.owner), event, 0);
            }
            (Outcome::AccessRequested(asked), _) => {
                list("requests".to_owned(), event, 0);
                list(format!("requests/{}", asked.owner), event, 0);
                list(format!("requests/{}", asked.requester), event, 0);
            }
            (Outcome::RecordAnnounced(announced), StreamId::Record(record)) if is_latest(facts, record, event) => {
                let tokens = parts.get(&event.place).and_then(|part| part.get("tokens"));
                let tokens = tokens.map_or("", |tokens| &tokens.value);
                for token in tokens.split(' ') {
                    list(format!("token/{token}"), event, announced.version);
                }
            }
            _ => {}
        }
    }
    let found: BTreeMap<String, BTreeSet<IndexEntry>> = facts
        .vault
        .index()
        .into_iter()
        .filter(|(_, entries)| !entries.is_empty())
        .map(|(name, entries)| (name, entries.into_iter().collect()))
        .collect();
    let differs = |name: &&String| found.get(*name) != expected.get(*name);
    match found.keys().chain(expected.keys()).find(differs) {
        Some(name) => {
            let what = format!("{name}: {:?} for {:?}", found.get(name), expected.get(name));
            Err(Breach::new(Invariant::Index, what))
        }
        None => Ok(()),
    }
}

/// Whether an announcement is of the body that is its record's latest.
fn is_latest(facts: &Facts<'_>, record: Id, announced: &Event) -> bool {
    let record = facts.view.record(record);
    let latest = record.and_then(|record| record.latest_uploaded()).and_then(|(_, version)| version.current());
    latest.is_some_and(|(_, uploaded)| uploaded.announced == announced.place.seq)
}

/// Whatever has a deadline is looked at by then; nothing is due that should have been done.
pub fn check_due(facts: &Facts<'_>) -> Result<(), Breach> {
    let now_ms = facts.vault.now_ms();
    let due = facts.vault.due_items();
    if let Some(item) = due.iter().find(|item| item.at_ms <= now_ms) {
        return Err(Breach::new(Invariant::Due, format!("{} is overdue", item.event)));
    }
    let mut awaited: Vec<(EventRef, u64)> = Vec::new();
    for history in facts.view.histories() {
        match history.stream {
            StreamId::Record(id) => {
                let runs = facts.view.record(id).into_iter().flat_map(|record| &record.versions);
                let pending = runs.flat_map(|version| &version.announced);
                let pending = pending.filter(|(_, run)| run.status == AnnouncedStatus::Pending);
                awaited.extend(
                    pending.map(|(seq, run)| (EventRef { stream: history.stream, seq: *seq }, run.expires_at_ms)),
                );
            }
            StreamId::Request(id) => {
                let Some(request) = facts.view.request(id) else { continue };
                match request.state {
                    RequestState::Requested => {
                        return Err(Breach::new(Invariant::Workflow, format!("{} was never verified", history.stream)));
                    }
                    RequestState::Verified => {
                        awaited.push((EventRef { stream: history.stream, seq: 0 }, request.asked.expires_at));
                    }
                    RequestState::Approved { until_ms } => {
                        let seq = request.decided_seq.unwrap_or_default();
                        awaited.push((EventRef { stream: history.stream, seq }, until_ms));
                    }
                    RequestState::Denied | RequestState::Undecided | RequestState::Over => {}
                }
            }
            _ => {}
        }
    }
    for (place, deadline_ms) in awaited {
        if deadline_ms <= now_ms {
            return Err(Breach::new(Invariant::Due, format!("{place} should have been ended")));
        }
        if !due.iter().any(|item| item.event == place && item.at_ms <= deadline_ms) {
            return Err(Breach::new(Invariant::Due, format!("nobody will look at {place} at its deadline")));
        }
    }
    Ok(())
}

/// Each request has one workflow, which waits with a token that is kept, or was told the decision, once.
pub fn check_workflow(facts: &Facts<'_>) -> Result<(), Breach> {
    let breach = |what: String| Err(Breach::new(Invariant::Workflow, what));
    let (started, told, tokens) = (facts.vault.workflow_starts(), facts.vault.told(), facts.vault.task_tokens());
    let waiting = facts.vault.waiting();
    for event in facts.events().filter(|event| matches!(event.outcome, Outcome::AccessRequested(_))) {
        let StreamId::Request(id) = event.place.stream else { continue };
        if started.iter().filter(|started| **started == id).count() != 1 {
            return breach(format!("{id} has no workflow, or several"));
        }
        let (Some(request), Some(token)) = (facts.view.request(id), facts.world.machine.token(id)) else {
            return breach(format!("the workflow of {id} does not wait"));
        };
        if tokens.get(&id) != Some(&token) {
            return breach(format!("{id}: the kept token is not the one that its workflow waits with"));
        }
        let heard: Vec<&Value> = told.iter().filter(|(told, _)| *told == token).map(|(_, output)| output).collect();
        let expected: &[&str] = match request.state {
            RequestState::Requested | RequestState::Verified => &[],
            RequestState::Approved { .. } => &["approved"],
            RequestState::Denied => &["denied"],
            RequestState::Undecided => &["expired"],
            RequestState::Over => &["approved", "expired"],
        };
        let right = match heard.as_slice() {
            [] => expected.is_empty() && waiting.contains(&token),
            [output] => expected.iter().any(|word| output["decision"] == *word),
            _ => false,
        };
        if !right {
            return breach(format!("{id} is {:?}, and its workflow heard {heard:?}", request.state));
        }
    }
    let known = |id: &&Id| facts.view.request(**id).is_none();
    match started.iter().find(known) {
        Some(id) => breach(format!("a workflow was started for {id}, which is no request")),
        None => Ok(()),
    }
}
