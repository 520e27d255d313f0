//! Events: none is lost or changed, and each command has the ones that it must have.

use std::collections::BTreeMap;

use chartseal_events::event::StoredEvent;
use chartseal_events::{Action, EventRef, Hash, StreamId};

use super::{Breach, Facts, Invariant, Known};

/// Whatever was stored once is stored, as it was.
pub fn check_kept(known: &Known, stored: &[StoredEvent]) -> Result<(), Breach> {
    let now: BTreeMap<EventRef, Hash> = stored.iter().map(|event| (event.at, event.leaf)).collect();
    if now.len() != stored.len() {
        return Err(Breach::new(Invariant::WrittenOnce, "a place stands twice in the order of appends"));
    }
    for (place, leaf) in &known.stored {
        match now.get(place) {
            Some(found) if found == leaf => {}
            Some(_) => return Err(Breach::new(Invariant::WrittenOnce, format!("{place} was written over"))),
            None => return Err(Breach::new(Invariant::WrittenOnce, format!("{place} is lost"))),
        }
    }
    for (place, leaf) in known.commands.values().filter_map(|heard| heard.taken) {
        if now.get(&place) != Some(&leaf) {
            return Err(Breach::new(Invariant::OnceForEach, format!("{place} was answered and is not stored")));
        }
    }
    Ok(())
}

/// One event for each command in a stream, one stream for each command but registrations, and none for what was refused.
pub fn check_commands(facts: &Facts<'_>) -> Result<(), Breach> {
    let mut found: BTreeMap<_, Vec<EventRef>> = BTreeMap::new();
    for event in facts.events() {
        if let Some(command) = &event.command {
            let key = (command.kid(), command.claims.jti);
            found.entry(key).or_default().push(event.place);
            let registers = matches!(command.action, Action::ProviderRegister(_));
            let places = &found[&key];
            let mut streams: Vec<StreamId> = places.iter().map(|place| place.stream).collect();
            streams.sort();
            streams.dedup();
            if streams.len() != places.len() || places.len() > if registers { 2 } else { 1 } {
                return Err(Breach::new(Invariant::OnceForEach, format!("one command, and {places:?}")));
            }
            let heard = facts.world.known.commands.get(&key).copied().unwrap_or_default();
            if heard.refused && heard.taken.is_none() {
                let what = format!("{} was refused and is stored", event.place);
                return Err(Breach::new(Invariant::RefusalLeavesNothing, what));
            }
        }
    }
    for event in facts.events() {
        let Some(command) = &event.command else { continue };
        if matches!(command.action, Action::ProviderRegister(_))
            && found[&(command.kid(), command.claims.jti)].len() != 2
        {
            return Err(Breach::new(Invariant::Together, format!("{}: half of a registration", event.place)));
        }
    }
    Ok(())
}
