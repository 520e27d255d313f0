//! The frozen vectors of the map: they stay what they are, good ones are believed, hostile ones refused.
//!
//! `CHARTSEAL_WRITE_VECTORS=1 cargo test -p chartseal-ledger --test map_vectors` writes the file anew, when a vector is added. An old vector never changes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chartseal_events::event::Role;
use chartseal_events::{Bytes, Hash, Id, Kid, StreamId, Thumbprint};
use chartseal_ledger::map::{Change, Finding, MapKey, Operation, Value, prove, update, verify};
use serde_json::{Value as Json, json};

const ORIGIN: &str = "vault.example";

fn id(number: u8) -> Id {
    Id::from_parts(1_764_000_000_000, [number; 10])
}

/// Domain, id, key and value.
fn entries() -> Vec<(&'static str, String, MapKey, Value)> {
    let mut entries = Vec::new();
    let head = |number: u8| Value::Stream { seq: number.into(), head: Hash::of(&[&[number]]) };
    let streams = (0..60).map(|number| StreamId::Record(id(number))).chain([StreamId::Vault]);
    for (number, stream) in (0..).zip(streams) {
        entries.push(("strm", stream.to_string(), MapKey::stream(ORIGIN, stream), head(number)));
    }
    for (number, revoked_at) in [(1, None), (2, Some(900))] {
        let sign_key = Bytes([number; 32]);
        let kid = Kid::Key(Thumbprint::of(&sign_key));
        let value = Value::Operator { sign_key, valid_from: 0, revoked_at };
        entries.push(("key", kid.to_string(), MapKey::signer(ORIGIN, &kid), value));
    }
    for (number, role) in [(70, Role::Administrator), (71, Role::Clinician)] {
        let (sign_key, seal_key) = (Bytes([number; 32]), Bytes([number + 100; 32]));
        let value = Value::Person { role, provider: id(80), sign_key, seal_key, valid_from: 5 };
        let kid = Kid::Person(id(number));
        entries.push(("key", kid.to_string(), MapKey::signer(ORIGIN, &kid), value));
    }
    for (number, verified) in [(80, true), (81, false)] {
        let key = MapKey::provider(ORIGIN, id(number));
        entries.push(("key", format!("provider/{}", id(number)), key, Value::Provider { verified, since: 6 }));
    }
    entries
}

fn refused(name: &str, root: Hash, key: &MapKey, proof: &[u8]) -> Json {
    let failure = verify(root, key, proof).expect_err(name).code();
    json!({"name": name, "root": root.to_string(), "key": hex::encode(key.0), "proof": hex::encode(proof), "failure": failure})
}

fn made() -> Json {
    let entries = entries();
    let operations: Vec<Operation> =
        entries.iter().map(|(_, _, key, value)| Operation { key: *key, change: Change::Set(value.clone()) }).collect();
    let map = update(Hash::ZERO, &BTreeMap::new(), &operations).unwrap();
    let proof = |key: &MapKey| prove(map.root, &map.pages, key).unwrap().to_bytes();
    let present: Vec<Json> = entries
        .iter()
        .map(|(domain, id, key, value)| {
            let (key_hex, value) = (hex::encode(key.0), hex::encode(value.to_bytes()));
            json!({"domain": domain, "id": id, "key": key_hex, "value": value, "proof": hex::encode(proof(key))})
        })
        .collect();
    let missing: Vec<(String, MapKey)> = (100..120)
        .map(|number| StreamId::Record(id(number)))
        .map(|stream| (stream.to_string(), MapKey::stream(ORIGIN, stream)))
        .collect();
    let absent: Vec<Json> = missing
        .iter()
        .map(|(id, key)| json!({"domain": "strm", "id": id, "key": hex::encode(key.0), "proof": hex::encode(proof(key))}))
        .collect();

    let (key, other) = (entries[0].2, entries[1].2);
    let good = proof(&key);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    // The value, hidden: its own leaf given as another key's.
    let siblings = &good[3 + usize::from(good[2])..];
    let hidden = [&[1, 2][..], &key.0, &Hash::of(&[&entries[0].3.to_bytes()]).0, siblings].concat();
    let away = [&[1, 2][..], &other.0, &[9; 32], siblings].concat();
    let must_fail = vec![
        refused("map-empty", map.root, &key, &[]),
        refused("map-version", map.root, &key, &changed(0, 2)),
        refused("map-end", map.root, &key, &changed(1, 3)),
        refused("map-value-kind", map.root, &key, &changed(3, 5)),
        refused("map-value-length", map.root, &key, &changed(2, good[2] - 1)),
        refused("map-value-too-long", map.root, &key, &changed(2, 101)),
        refused("map-half-a-sibling", map.root, &key, &good[..good.len() - 16]),
        refused("map-sibling-left-out", map.root, &key, &good[..good.len() - 32]),
        refused("map-sibling-too-many", map.root, &key, &[&good[..], &[0; 32]].concat()),
        refused("map-129-siblings", map.root, &key, &[&[1, 0][..], &[0; 129 * 32]].concat()),
        refused("map-other-seq", map.root, &key, &changed(11, 1)),
        refused("map-other-head", map.root, &key, &changed(12, good[12] ^ 1)),
        refused("map-hidden-as-other-key", map.root, &key, &hidden),
        refused("map-other-key-off-the-path", map.root, &key, &away),
        refused("map-hidden-as-nothing", map.root, &key, &[&[1, 0][..], siblings].concat()),
        refused("map-of-another-key", map.root, &other, &good),
        refused("map-other-root", Hash([1; 32]), &key, &good),
        refused("map-empty-root", Hash::ZERO, &key, &good),
    ];
    json!({
        "about": "chartseal map vectors, map_version 1; see docs/LEDGER.md, The map.",
        "origin": ORIGIN, "root": map.root.to_string(), "present": present, "absent": absent, "must_fail": must_fail,
    })
}

#[test]
fn the_vectors_are_what_is_made_and_hold() {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let path = PathBuf::from(package).join("vectors/map.json");
    let made = made();
    if std::env::var_os("CHARTSEAL_WRITE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let frozen: Json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(frozen == made, "map.json is not what is made now");
    let root: Hash = frozen["root"].as_str().unwrap().parse().unwrap();
    let bytes = |value: &Json| hex::decode(value.as_str().unwrap()).unwrap();
    for case in frozen["present"].as_array().unwrap() {
        let key = MapKey(bytes(&case["key"]).try_into().unwrap());
        let value = Value::from_bytes(&bytes(&case["value"])).unwrap();
        assert_eq!(verify(root, &key, &bytes(&case["proof"])), Ok(Finding::Present(value)));
    }
    for case in frozen["absent"].as_array().unwrap() {
        let key = MapKey(bytes(&case["key"]).try_into().unwrap());
        assert_eq!(verify(root, &key, &bytes(&case["proof"])), Ok(Finding::Absent));
    }
}
