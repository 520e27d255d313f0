//! What the events of the frozen history do to the map.

use std::collections::BTreeMap;

use chartseal_events::event::{Event, EventRef, Outcome, StoredEvent};
use chartseal_events::{Hash, Kid, StreamId, Thumbprint};
use chartseal_ledger::map::{
    Change, Finding, MapKey, Operation, Page, PageId, UpdateError, Value, get, get_all, operations, prove, update,
    verify,
};

const ORIGIN: &str = "vault.example";

/// The history of `events/vectors`: stream by stream.
fn history() -> Vec<StoredEvent> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let path = std::path::PathBuf::from(package).join("../events/vectors/events-v1.json");
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut events = Vec::new();
    for (stream, bodies) in vectors["streams"].as_object().unwrap() {
        let stream: StreamId = stream.parse().unwrap();
        for (seq, body) in (0..).zip(bodies.as_array().unwrap()) {
            events.push(StoredEvent::new(EventRef { stream, seq }, body.as_str().unwrap().to_owned()));
        }
    }
    events
}

fn find(root: Hash, pages: &BTreeMap<PageId, Page>, key: MapKey) -> Finding {
    verify(root, &key, &prove(root, pages, &key).unwrap().to_bytes()).unwrap()
}

#[test]
fn every_head_and_every_key_of_a_history_is_proven() {
    let history = history();
    let all = operations(ORIGIN, 7, &history).unwrap();
    let map = update(Hash::ZERO, &BTreeMap::new(), &all).unwrap();
    let (mut heads, mut people, mut standings) = (BTreeMap::new(), 0, BTreeMap::new());
    let opened: Vec<(u64, Event)> = (7..).zip(history.iter().map(|stored| stored.open().unwrap())).collect();
    for (index, event) in &opened {
        heads.insert(event.place.stream, Value::Stream { seq: event.place.seq, head: event.leaf });
        match (&event.outcome, event.place.stream) {
            (Outcome::StaffAdded(staff), StreamId::Staff(id)) => {
                people += 1;
                let found = find(map.root, &map.pages, MapKey::signer(ORIGIN, &Kid::Person(id)));
                let expected = Value::Person {
                    role: staff.role,
                    provider: staff.provider,
                    sign_key: staff.sign_key,
                    seal_key: staff.seal_key,
                    valid_from: *index,
                };
                assert_eq!(found, Finding::Present(expected));
            }
            (Outcome::ProviderVerified(_), StreamId::Provider(id)) => {
                standings.insert(id, Value::Provider { verified: true, since: *index });
            }
            (Outcome::ProviderSuspended(_), StreamId::Provider(id)) => {
                standings.insert(id, Value::Provider { verified: false, since: *index });
            }
            _ => {}
        }
    }
    assert!(people > 1 && standings.values().any(|value| matches!(value, Value::Provider { verified: false, .. })));
    for (stream, head) in heads {
        assert_eq!(find(map.root, &map.pages, MapKey::stream(ORIGIN, stream)), Finding::Present(head));
        assert_eq!(find(map.root, &map.pages, MapKey::stream("other.example", stream)), Finding::Absent);
    }
    for (id, standing) in standings {
        assert_eq!(find(map.root, &map.pages, MapKey::provider(ORIGIN, id)), Finding::Present(standing));
    }
    for (_, event) in &opened {
        if let Outcome::OperatorRemoved(removed) = &event.outcome {
            let found = find(map.root, &map.pages, MapKey::signer(ORIGIN, &Kid::Key(removed.operator)));
            assert!(matches!(found, Finding::Present(Value::Operator { revoked_at: Some(_), .. })));
        }
    }
}

#[test]
fn a_revocation_keeps_the_key_and_happens_once() {
    let sign_key = chartseal_events::Bytes([7; 32]);
    let key = MapKey::signer(ORIGIN, &Kid::Key(Thumbprint::of(&sign_key)));
    let operation = |change| Operation { key, change };
    let added = operation(Change::Set(Value::Operator { sign_key, valid_from: 3, revoked_at: None }));
    let nothing = update(Hash::ZERO, &BTreeMap::new(), &[operation(Change::Revoke(2))]).unwrap();
    assert_eq!((nothing.root, nothing.pages.len()), (Hash::ZERO, 0));
    let ops = [added, operation(Change::Revoke(5)), operation(Change::Revoke(9))];
    let map = update(Hash::ZERO, &BTreeMap::new(), &ops).unwrap();
    let expected = Value::Operator { sign_key, valid_from: 3, revoked_at: Some(5) };
    assert_eq!(find(map.root, &map.pages, key), Finding::Present(expected));
}

#[test]
fn an_operation_has_one_spelling() {
    let all = operations(ORIGIN, 7, &history()).unwrap();
    let revoke = Operation { key: MapKey([9; 32]), change: Change::Revoke(12) };
    for operation in all.iter().chain([&revoke]) {
        let bytes = operation.to_bytes();
        assert!(bytes.len() <= chartseal_ledger::map::MAX_OPERATION_BYTES);
        assert_eq!(Operation::from_bytes(&bytes).unwrap(), *operation);
        for length in 0..bytes.len() {
            assert!(Operation::from_bytes(&bytes[..length]).is_err());
        }
        assert!(Operation::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        let mut other = bytes.clone();
        other[32] = 3;
        assert!(Operation::from_bytes(&other).is_err());
    }
}

#[test]
fn a_value_is_found_where_it_was_put_and_nowhere_else() {
    let all = operations(ORIGIN, 7, &history()).unwrap();
    let map = update(Hash::ZERO, &BTreeMap::new(), &all).unwrap();
    for operation in &all {
        let found = get(map.root, &map.pages, &operation.key).unwrap();
        let Finding::Present(proven) = find(map.root, &map.pages, operation.key) else { panic!("proven absent") };
        assert_eq!(found, Some(proven));
    }
    assert_eq!(get(map.root, &map.pages, &MapKey([9; 32])), Ok(None));
    let keys = all.iter().map(|operation| operation.key).chain([MapKey([9; 32])]).collect();
    let values = get_all(map.root, &map.pages, &keys).unwrap();
    assert!(keys.iter().all(|key| values.get(key).cloned() == get(map.root, &map.pages, key).unwrap()));
    assert!(matches!(get_all(map.root, &BTreeMap::new(), &keys), Err(UpdateError::Missing(ids)) if ids.len() == 1));
    assert_eq!(get(Hash::ZERO, &BTreeMap::new(), &MapKey([9; 32])), Ok(None));
    let missing = get(map.root, &BTreeMap::new(), &MapKey([9; 32]));
    assert_eq!(missing, Err(UpdateError::Missing(vec![PageId::ROOT])));
}
