//! Answers, at the moment they are given: nothing is released before its event is stored.

use chartseal_events::wire::Receipt;
use chartseal_events::{Code, Command, Outcome};
use chartseal_http::Answer;
use chartseal_infra::faulty::Call;
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::Clock as _;
use serde_json::Value;

use super::{Breach, Invariant, Known};

/// The event that a good answer shows, where it does.
pub fn told_by(answer: &Answer) -> Option<Receipt> {
    if answer.problem.is_some() {
        return None;
    }
    let document: Value = serde_json::from_str(&answer.json).ok()?;
    serde_json::from_value(document.get("event")?.clone()).ok()
}

/// Holds an answer, or the lack of one, against what is stored now. `calls` are those that the function made for it.
pub fn check_release(
    vault: &MemoryVault,
    known: &Known,
    command: Option<&Command>,
    calls: &[Call],
    answer: &Answer,
) -> Result<(), Breach> {
    let breach = |what: &str| Err(Breach::new(Invariant::Release, format!("{what}: {}", answer.json)));
    if answer.problem.is_some_and(|code| code.status() >= 500 && code != Code::Unavailable) {
        return Err(Breach::new(Invariant::Answer, answer.json.clone()));
    }
    let Some(command) = command else { return Ok(()) };
    let stored = vault.events();
    let its_event = stored.iter().filter_map(|event| known.open(event)).find(|checked| {
        checked.event.command.as_ref().is_some_and(|stored| stored.jws().text() == command.jws().text())
    });
    let opened = |call: &Call| matches!(call, Call::Unwrap | Call::PresignGet | Call::PresignPut);
    let first_opened = calls.iter().position(opened);
    let last_append = calls.iter().rposition(|call| *call == Call::Append);
    if let Some(opened) = first_opened {
        if its_event.is_none() && !is_announced_again(command) {
            return breach("something was opened without its event");
        }
        if last_append.is_some_and(|append| append > opened) {
            return breach("something was opened before its event was written");
        }
    }
    let Some(receipt) = told_by(answer) else { return Ok(()) };
    if !stored.iter().any(|event| event.at == receipt.stored().at && event.body == receipt.body) {
        return breach("answered with an event that is not stored");
    }
    let releases = answer.json.contains("\"sealed_key\"") || answer.json.contains("\"download\"");
    if releases && !is_live(vault, known, &receipt) {
        return breach("released when the grant was over");
    }
    Ok(())
}

/// Another command for the same run is answered with the run's own event.
fn is_announced_again(command: &Command) -> bool {
    matches!(command.action, chartseal_events::Action::RecordAnnounce(_))
}

/// Whether the event of a release is of an owner, or of a grant that is live now.
fn is_live(vault: &MemoryVault, known: &Known, receipt: &Receipt) -> bool {
    let chartseal_events::StreamId::Request(_) = receipt.stream else { return true };
    let (now_ms, stored) = (vault.now_ms(), vault.events());
    let of_request = stored.iter().filter(|event| event.at.stream == receipt.stream);
    let mut until = 0;
    for checked in of_request.filter_map(|event| known.open(event)) {
        match &checked.event.outcome {
            Outcome::AccessApproved(approved) => until = approved.until,
            Outcome::AccessExpired(_) | Outcome::AccessDenied(_) => until = 0,
            _ => {}
        }
    }
    now_ms < until
}
