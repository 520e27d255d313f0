//! The map against a naive trie, written from the definition in `docs/LEDGER.md`.

use std::collections::BTreeMap;

use chartseal_events::Hash;
use chartseal_ledger::map::proof::MapProofError;
use chartseal_ledger::map::{
    Change, Finding, MapKey, Operation, Page, PageId, UpdateError, Value, prove, update, verify,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

type Pages = BTreeMap<PageId, Page>;

fn sha256(parts: [&[u8]; 2]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

/// The node over these leaves, which share their first `depth` bits.
fn naive(depth: usize, leaves: &[(MapKey, Value)]) -> [u8; 32] {
    match leaves {
        [] => [0; 32],
        [(key, value)] => {
            let mut node = sha256([&key.0, &Sha256::digest(value.to_bytes())]);
            node[0] |= 0x80;
            node
        }
        _ => {
            let (right, left): (Vec<_>, Vec<_>) =
                leaves.iter().cloned().partition(|(key, _)| key.0[depth / 8] >> (7 - depth % 8) & 1 == 1);
            let mut node = sha256([&naive(depth + 1, &left), &naive(depth + 1, &right)]);
            node[0] &= 0x7f;
            node
        }
    }
}

fn value(number: u64) -> Value {
    Value::Stream { seq: number, head: Hash::of(&[&number.to_be_bytes()]) }
}

/// Keys that share long beginnings, and some that share none.
fn key() -> impl Strategy<Value = MapKey> {
    (any::<u8>(), 0_usize..8).prop_map(|(number, shared)| {
        let mut key: [u8; 32] = Sha256::digest([number]).into();
        key[..shared].fill(0x5a);
        MapKey(key)
    })
}

fn entries() -> impl Strategy<Value = Vec<(MapKey, u64)>> {
    prop::collection::vec((key(), 0_u64..1_000), 0..200)
}

fn set(entries: &[(MapKey, u64)]) -> Vec<Operation> {
    entries.iter().map(|(key, number)| Operation { key: *key, change: Change::Set(value(*number)) }).collect()
}

/// Updates as a sealer does: every round brings only what was asked for.
fn apply(root: Hash, stored: &mut Pages, operations: &[Operation]) -> Hash {
    let mut at_hand = Pages::new();
    for _round in 0..=64 {
        match update(root, &at_hand, operations) {
            Ok(updated) => {
                stored.extend(updated.pages);
                return updated.root;
            }
            Err(UpdateError::Missing(ids)) => {
                for id in ids {
                    let page = Page::from_bytes(id, &stored[&id].to_bytes()).expect("what was stored can be read");
                    assert!(at_hand.insert(id, page).is_none(), "asked for a page that is at hand");
                }
            }
            Err(foreign) => panic!("{foreign}"),
        }
    }
    panic!("more rounds than a path has pages");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_split_into_batches_is_the_trie_of_the_definition(entries in entries(), cuts in prop::collection::vec(1_usize..40, 1..40)) {
        let mut split = Pages::new();
        let mut root = Hash::ZERO;
        let mut rest = &entries[..];
        for cut in cuts {
            let (batch, after) = rest.split_at(cut.min(rest.len()));
            root = apply(root, &mut split, &set(batch));
            rest = after;
        }
        root = apply(root, &mut split, &set(rest));

        let mut once = Pages::new();
        prop_assert_eq!(root, apply(Hash::ZERO, &mut once, &set(&entries)));
        prop_assert_eq!(split, once);
        let last: BTreeMap<MapKey, u64> = entries.into_iter().collect();
        let leaves: Vec<(MapKey, Value)> = last.into_iter().map(|(key, number)| (key, value(number))).collect();
        prop_assert_eq!(root.0, naive(0, &leaves));
    }

    #[test]
    fn every_key_is_proven_present_or_absent(entries in entries(), asked in prop::collection::vec(key(), 20)) {
        let mut pages = Pages::new();
        let root = apply(Hash::ZERO, &mut pages, &set(&entries));
        let last: BTreeMap<MapKey, u64> = entries.into_iter().collect();
        for key in last.keys().copied().chain(asked) {
            let proof = prove(root, &pages, &key).expect("all pages are there");
            let bytes = proof.to_bytes();
            let expected = last.get(&key).map_or(Finding::Absent, |number| Finding::Present(value(*number)));
            prop_assert_eq!(verify(root, &key, &bytes), Ok(expected));
            prop_assert_eq!(chartseal_ledger::map::MapProof::from_bytes(&bytes), Ok(proof));
        }
    }

    #[test]
    fn a_missing_page_is_asked_for_and_a_foreign_one_refused(entries in entries(), at in any::<prop::sample::Index>()) {
        prop_assume!(!entries.is_empty());
        let mut pages = Pages::new();
        let root = apply(Hash::ZERO, &mut pages, &set(&entries));
        let changes: Vec<_> = entries.iter().map(|(key, number)| (*key, number + 1_000)).collect();
        let id = *at.get(&pages.keys().collect::<Vec<_>>()).to_owned();
        let page = pages.remove(&id).expect("one of them");
        prop_assert_eq!(update(root, &pages, &set(&changes)), Err(UpdateError::Missing(vec![id])));
        let Page::Entries(mut other) = page else { return Ok(()) };
        other.first_entry().expect("a page has one at least").insert(value(5_000));
        pages.insert(id, Page::Entries(other));
        prop_assert_eq!(update(root, &pages, &set(&changes)), Err(UpdateError::Foreign(id)));
    }

    #[test]
    fn what_is_read_and_written_again_is_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0_u8..6) {
        for bytes in [bytes.clone(), [vec![1, kind], bytes.clone()].concat(), [vec![kind], bytes].concat()] {
            if let Ok(proof) = chartseal_ledger::map::MapProof::from_bytes(&bytes) {
                prop_assert_eq!(proof.to_bytes(), bytes.clone());
            }
            if let Ok(value) = Value::from_bytes(&bytes) {
                prop_assert_eq!(value.to_bytes(), bytes);
            }
        }
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let entries: Vec<_> = (0_u64..200).map(|n| (MapKey(Sha256::digest(n.to_be_bytes()).into()), n)).collect();
    let mut pages = Pages::new();
    let root = apply(Hash::ZERO, &mut pages, &set(&entries[..150]));
    for (key, _) in &entries[140..160] {
        let proof = prove(root, &pages, key).expect("all pages are there").to_bytes();
        for bit in 0..proof.len() * 8 {
            let mut other = proof.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(root, key, &other).is_err(), "bit {bit}");
        }
        for length in 0..proof.len() {
            assert!(verify(root, key, &proof[..length]).is_err(), "the first {length} bytes");
        }
        for bit in 0..256 {
            let mut other = root;
            other.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(other, key, &proof), Err(MapProofError::RootMismatch));
        }
    }
}
