//! All that has happened is sealed, and anybody looks at the ledger.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::command::SearchPerform;
use chartseal_events::event::{Envelope, StoredEvent, UploadExpired};
use chartseal_events::wire::{LedgerBlock, LedgerEvents, LedgerProof, SearchResults};
use chartseal_events::{Bytes, EventRef, Hash, Id, StreamId};
use chartseal_http::File;
use chartseal_http::testing::call;
use chartseal_infra::ports::{Append, Cosignatures as _, Cosigned, EventStore as _, LogFiles as _};
use chartseal_ledger::note::{SignatureType, VerifierKey};
use ed25519_dalek::SigningKey;
use serde_json::json;

use super::{People, token};
use crate::vault::Vault;

/// Events of the largest block, and their streams.
const HUNDREDS: u64 = 400;
const BUSY_STREAMS: u64 = 100;

/// Blocks of four sizes, and what is shown of them.
pub async fn sealed(vault: &Vault, people: &People) {
    let now_ms = vault.stage.now_ms();
    let mut places = Vec::new();
    for hour in 0..24 {
        let to_ms = now_ms + 1 - hour * 3_600_000;
        places.extend(vault.store.by_time(to_ms - 3_600_000, to_ms).await.expect("places"));
    }
    let vaults: Vec<EventRef> = places.iter().copied().filter(|place| place.stream == StreamId::Vault).collect();
    let situation = format!("the first block: {} events of 1 stream", vaults.len());
    block(vault, "seal, the first block", &situation, &vaults).await;

    let streams: BTreeSet<StreamId> = places.iter().map(|place| place.stream).collect();
    let (events, streams) = (places.len() - vaults.len(), streams.len() - 1);
    let situation = format!("{events} events of {streams} streams in one block, the second");
    block(vault, "seal, a busy second", &situation, &places).await;

    let query = json!({"any": [[token(1), token(2)]]}).to_string();
    let asked = vault.stage.post(&people.owner, "/search", SearchPerform {}, &[("query", &query)]);
    let found: SearchResults = vault.send(&vault.search(), &asked, 201).await;
    let (place, leaf) = (found.event.stored().at, found.event.leaf);
    block(vault, "seal, one event", &format!("1 event, in a log of {} events", places.len()), &[place]).await;
    let again = async { (vault.seal([place]).await, 0) };
    let report = vault.measure("seal, a hint again", "nothing is left to seal", again).await;
    assert_eq!(report.blocks, 0);

    let ledger = vault.ledger("");
    let asked = |path: &str| vault.stage.send("GET", path, Vec::new());
    let size = places.len() + 1 + 3;
    let tile = format!("/ledger/tile/0/000.p/{}", size.min(255));
    for (name, situation, path) in [
        ("GET /ledger/checkpoint", "3 blocks; the clock's first word".to_owned(), "/ledger/checkpoint".to_owned()),
        ("GET /ledger/checkpoint, again", "within a minute".to_owned(), "/ledger/checkpoint".to_owned()),
        ("GET /ledger/tile/{tile}", "a partial tile".to_owned(), tile),
    ] {
        let work = async {
            let answer = call(&ledger, &asked(&path)).await;
            let bytes = match answer.file {
                Some(File::Text(text)) => text.len(),
                Some(File::Bytes(bytes)) => bytes.len(),
                None => panic!("{}", answer.json),
            };
            ((), bytes)
        };
        vault.measure(name, &situation, work).await;
    }
    let witness = SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes();
    let witness = VerifierKey::new("w.example", SignatureType::Cosignature, &witness).expect("a key");
    let witnessed = vault.ledger(&format!("https://w.example {witness}"));
    let published = vault.log_files().published().await.expect("reads").expect("a head");
    let cosigned = Cosigned { size: 1, witnesses: 1, note: published.note };
    vault.store.put_cosigned(&cosigned).await.expect("kept");
    let work = async {
        let answer = call(&witnessed, &asked("/ledger/cosigned")).await;
        let Some(File::Text(note)) = answer.file else { panic!("{}", answer.json) };
        ((), note.len())
    };
    vault.measure("GET /ledger/cosigned", "the newest head is cosigned; the clock's first word", work).await;
    let name = ("GET /ledger/blocks/{height}", "a block with 1 event");
    let _: LedgerBlock = vault.measure_call(name, &ledger, &asked("/ledger/blocks/2"), 200).await;
    let name = ("GET /ledger/proof/{leaf}", "an event of the newest block; no full tile");
    let proof: LedgerProof = vault.measure_call(name, &ledger, &asked(&format!("/ledger/proof/{leaf}")), 200).await;
    assert_eq!(proof.height, 2);
    let read = async |name: (&str, &str), height: u64| {
        let asked = vault.stage.get(&vault.stage.operator, &format!("/ledger/blocks/{height}/events/0"));
        let shown: LedgerEvents = vault.measure_call(name, &ledger, &asked, 200).await;
        (shown.bodies.len(), shown.next)
    };
    let route = "GET /ledger/blocks/{height}/events/{first}";
    let situation = format!("all {events} events of a block; the vault's stream has {} events", vaults.len());
    assert_eq!(read((route, &situation), 1).await, (events, None));

    let hundreds = written(vault).await;
    let situation = format!("{HUNDREDS} events of {BUSY_STREAMS} new streams in one block");
    block(vault, "seal, some hundred events", &situation, &hundreds).await;
    let name = format!("{route}, some hundred events");
    assert_eq!(read((&name, &format!("all {HUNDREDS} events of a block")), 3).await, (hundreds.len(), None));
}

/// Events that are written by hand, in so many streams, one after the other.
async fn written(vault: &Vault) -> Vec<EventRef> {
    let (mut heads, mut places) = (BTreeMap::new(), Vec::new());
    for number in 0..HUNDREDS {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&(number % BUSY_STREAMS).to_be_bytes());
        let stream = StreamId::Record(Id::from_parts(vault.stage.now_ms(), random));
        let (seq, prev) = heads.get(&stream).copied().unwrap_or((0, Hash::ZERO));
        let (place, at_ms) = (EventRef { stream, seq }, vault.stage.now_ms());
        let nonce = Bytes(u128::from(number).to_be_bytes());
        let envelope = Envelope { place, prev, at_ms, seen: &[], nonce, command: None };
        let outcome = UploadExpired { version: 1, announced: 1 }.into();
        let event = StoredEvent::write(envelope, &outcome).expect("an event");
        heads.insert(stream, (seq + 1, event.leaf));
        vault.store.append(&Append { events: vec![event], at_ms, ..Append::default() }).await.expect("appended");
        places.push(place);
    }
    places
}

async fn block(vault: &Vault, name: &str, situation: &str, hints: &[EventRef]) {
    let work = async { (vault.seal(hints.iter().copied()).await, 0) };
    let report = vault.measure(name, situation, work).await;
    assert_eq!((report.blocks, report.healed), (1, 0), "{name}");
}
