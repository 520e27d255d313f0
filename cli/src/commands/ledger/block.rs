//! `chartseal ledger block`: a block's header with its leaf hashes, and what its events are.

use chartseal_cli::{SealedBlock, Tampering, read_event};
use chartseal_events::Event;
use serde_json::{Value, json};

use super::Answered;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::session::Session;

pub fn run(height: u64, with_events: bool, session: &Session, output: &Output) -> Answered {
    let found = if with_events {
        session.client()?.block_events(height)?
    } else {
        session.vault()?.block(height)?.map(|block| (block, Vec::new()))
    };
    let Some((block, bodies)) = found else {
        let advice = "Ask for a lower one: `chartseal ledger checkpoint` says how large the log is.";
        return Err(Failure::usage(format!("there is no block {height} yet"), advice));
    };
    let events = bodies.iter().enumerate().map(|(position, body)| {
        // Its hash is the sealed one; a sealer that reads what it seals puts no other bytes into a block.
        read_event(body.as_bytes()).ok_or(Tampering::BlockEvent { height, position })
    });
    let events = events.collect::<Result<Vec<Event>, _>>().map_err(chartseal_cli::Error::from)?;
    say(&block, &events, output);
    Ok(described(&block, &events, with_events))
}

fn say(block: &SealedBlock, events: &[Event], output: &Output) {
    let seal = &block.seal;
    output.say(format!("block {}, sealed {}", seal.height(), output::time(seal.timestamp_ms())));
    output.say(format!("  leaves    {} to {}, its header {}", seal.first_index(), seal.index() - 1, seal.index()));
    output.say(format!("  before    {}", seal.prev()));
    output.say(format!("  events    {}", seal.events_root()));
    output.say(format!("  map       {}, version {}", seal.map().root, seal.map().version));
    for (position, (index, leaf)) in (seal.first_index()..).zip(&block.leaves).enumerate() {
        let what = events.get(position).map(|event| format!("  {} {}", event.outcome.typ(), event.place));
        output.say(format!("  {index:>8}  {leaf}{}", what.unwrap_or_default()));
    }
}

fn described(block: &SealedBlock, events: &[Event], with_events: bool) -> Value {
    let seal = &block.seal;
    let mut document = json!({
        "height": seal.height(),
        "sealed_at": seal.timestamp_ms(),
        "first_index": seal.first_index(),
        "size": seal.size(),
        "prev": seal.prev(),
        "events_root": seal.events_root(),
        "map_root": seal.map().root,
        "map_version": seal.map().version,
        "leaves": block.leaves,
    });
    if with_events {
        let listed = events
            .iter()
            .map(|event| json!({ "type": event.outcome.typ(), "at": event.at_ms, "event": output::event(event) }));
        document["events"] = listed.collect();
    }
    document
}
