//! What stands beside events: private values, keys and headers, bodies. All of it exactly where events say, and nothing more.

use std::collections::BTreeMap;

use chartseal_events::event::StoredEvent;
use chartseal_events::private::commitments;
use chartseal_events::{EventRef, Hash, Outcome, StreamId};
use chartseal_infra::BlobKey;
use chartseal_infra::ports::KeyItem;

use super::{Breach, Facts, Invariant};
use crate::cast::WORDS;
use crate::world::World;

/// The private values of each command stand beside the first event that it led to.
pub fn check_private(facts: &Facts<'_>) -> Result<(), Breach> {
    let mut expected: BTreeMap<EventRef, BTreeMap<String, Hash>> = BTreeMap::new();
    for event in facts.events() {
        let Some(command) = event.command.as_ref().filter(|command| !command.private.is_empty()) else { continue };
        // Of a registration's two events, the provider's is the first.
        if !matches!(event.outcome, Outcome::StaffAdded(_)) {
            expected.insert(event.place, command.private.clone());
        }
    }
    let found: BTreeMap<EventRef, BTreeMap<String, Hash>> =
        facts.vault.private_parts().into_iter().map(|(place, part)| (place, commitments(&part))).collect();
    if found == expected {
        return Ok(());
    }
    let differs = |place: &&EventRef| found.get(place) != expected.get(place);
    let place = found.keys().chain(expected.keys()).find(differs);
    Err(Breach::new(Invariant::Together, format!("private values: {place:?}")))
}

/// Wrapped keys are the created ones, headers those of the announced runs.
pub fn check_keys(facts: &Facts<'_>) -> Result<(), Breach> {
    let mut expected: BTreeMap<String, Option<Hash>> = BTreeMap::new();
    for event in facts.events() {
        match (&event.outcome, event.place.stream) {
            (Outcome::RecordCreated(created), StreamId::Record(record)) => {
                expected.insert(format!("{record}/{}", created.version), Some(created.wrapped_sha256));
            }
            (Outcome::RecordAnnounced(_), StreamId::Record(record)) => {
                let command = event.command.as_ref().map(|command| &command.action);
                let Some(chartseal_events::Action::RecordAnnounce(run)) = command else { continue };
                expected.insert(format!("{record}/{}/{}", run.version, run.message_id), None);
            }
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    for item in facts.vault.keys() {
        match item {
            KeyItem::Wrapped { record, version, wrapped } => {
                found.insert(format!("{record}/{version}"), Some(Hash::of(&[&wrapped])))
            }
            KeyItem::Header { record, version, message_id, .. } => {
                found.insert(format!("{record}/{version}/{message_id}"), None)
            }
        };
    }
    let differs = |name: &&String| found.get(*name) != expected.get(*name);
    match found.keys().chain(expected.keys()).find(differs) {
        Some(name) => Err(Breach::new(Invariant::Together, format!("the key table: {name}"))),
        None => Ok(()),
    }
}

/// Every recorded upload is in the bucket, in the version that is pinned, with the announced size and checksum.
pub fn check_bodies(facts: &Facts<'_>) -> Result<(), Breach> {
    let heads = facts.vault.blob_heads();
    for event in facts.events() {
        let (Outcome::RecordUploaded(uploaded), StreamId::Record(record)) = (&event.outcome, event.place.stream) else {
            continue;
        };
        let announced = facts.view.record(record).and_then(|record| record.version(uploaded.version));
        let run = announced.and_then(|version| version.announced.get(&uploaded.announced));
        let key = BlobKey { record, version: uploaded.version, announced: uploaded.announced }.to_string();
        let pinned = heads.get(&key).into_iter().flatten().find(|head| head.version_id == uploaded.version_id);
        if !run.zip(pinned).is_some_and(|(run, head)| head.holds(&run.announcement)) {
            return Err(Breach::new(Invariant::Body, format!("{}: {key} is not what was announced", event.place)));
        }
    }
    Ok(())
}

/// Names, reasons, labels and plaintexts are private values and nothing else. (Events that were checked before have none: their bytes are the same.)
pub fn check_words(world: &World, stored: &[StoredEvent]) -> Result<(), Breach> {
    let fresh = stored.iter().filter(|event| !world.known.checked.contains_key(&event.leaf));
    let bodies = fresh.map(|event| event.body.clone());
    let lists = world.vault.index().into_keys();
    let objects = world.vault.blob_keys();
    let urls = world.cast.calls.values().map(|call| call.url.clone());
    let told = world.vault.told().into_iter().map(|(_, output)| output.to_string());
    for text in bodies.chain(lists).chain(objects).chain(urls).chain(told) {
        if let Some(word) = WORDS.iter().find(|word| text.contains(*word)) {
            return Err(Breach::new(Invariant::Words, format!("{word:?} in {text}")));
        }
    }
    Ok(())
}
