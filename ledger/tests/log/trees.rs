//! Trees and their proofs, against the naive reference, `ct-merkle` and `tlog_tiles`; and that whatever is altered is refused.

use chartseal_events::Hash;
use chartseal_ledger::tree::{
    EMPTY_ROOT, Frontier, FrontierError, HashReader, Leaves, MAX_TREE_SIZE, Node, Proof, ProofError, consistency,
    inclusion, leaf_hash, node_hash, range, root, subtree_hash,
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2_of_ct_merkle::Sha256;

use crate::naive;

/// The leaf hash of the number, in decimal.
fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(number.to_string().as_bytes())).collect()
}

fn proof(hashes: Vec<Hash>) -> Proof {
    hashes.try_into().unwrap()
}

/// All ways to spoil a proof: each bit-flipped, left out, doubled, exchanged; one put before or after.
fn spoilt(good: &Proof) -> Vec<Proof> {
    let hashes = good.hashes().to_vec();
    let mut spoilt = Vec::new();
    for place in 0..hashes.len() {
        let mut flipped = hashes.clone();
        flipped[place].0[place % 32] ^= 1 << (place % 8);
        let mut without = hashes.clone();
        without.remove(place);
        let mut doubled = hashes.clone();
        doubled.insert(place, hashes[place]);
        spoilt.extend([flipped, without, doubled]);
        if place > 0 {
            let mut exchanged = hashes.clone();
            exchanged.swap(place - 1, place);
            spoilt.push(exchanged);
        }
    }
    spoilt.push([&[Hash::ZERO][..], &hashes].concat());
    spoilt.push([&hashes[..], &[Hash::ZERO]].concat());
    spoilt.into_iter().map(proof).collect()
}

#[test]
fn every_inclusion_of_small_trees_is_the_reference() {
    for size in 0..=40 {
        let all = leaves(size);
        assert_eq!(subtree_hash(&all), naive::mth(&all));
        assert_eq!(root(size as u64, &Leaves(&all)), Ok(naive::mth(&all)));
        for index in 0..size {
            let made = inclusion::prove(index as u64, size as u64, &Leaves(&all)).unwrap();
            assert_eq!(made.hashes(), naive::path(index, &all));
            let verify =
                |proof: &Proof, index, leaf, size| inclusion::verify(proof, index, leaf, size, naive::mth(&all));
            let (index, size) = (index as u64, size as u64);
            let leaf = all[usize::try_from(index).unwrap()];
            assert_eq!(verify(&made, index, leaf, size), Ok(()));
            for spoilt in spoilt(&made) {
                assert!(verify(&spoilt, index, leaf, size).is_err());
            }
            for other in (0..=size).filter(|&other| other != index) {
                assert!(verify(&made, other, leaf, size).is_err(), "{index} of {size} taken for {other}");
            }
            assert_eq!(verify(&made, index, Hash::ZERO, size), Err(ProofError::RootMismatch));
            assert!(inclusion::verify(&made, index, leaf, size, Hash::ZERO).is_err());
        }
    }
}

#[test]
fn every_consistency_of_small_trees_is_the_reference() {
    for size in 0..=40 {
        let all = leaves(size);
        for old_size in 0..=size {
            let made = consistency::prove(old_size as u64, size as u64, &Leaves(&all)).unwrap();
            let (old_root, root) = (naive::mth(&all[..old_size]), naive::mth(&all));
            assert_eq!(made.hashes(), naive::consistency(old_size, &all));
            let verify = |proof: &Proof, old_root, root| {
                consistency::verify(proof, old_size as u64, old_root, size as u64, root)
            };
            assert_eq!(verify(&made, old_root, root), Ok(()));
            for spoilt in spoilt(&made) {
                assert!(verify(&spoilt, old_root, root).is_err());
            }
            assert!(verify(&made, leaf_hash(b"other"), root).is_err());
            // From nothing to something there is nothing to prove: any root is an extension.
            assert_eq!(verify(&made, old_root, leaf_hash(b"other")).is_ok(), old_size == 0 && size > 0);
            assert!(consistency::verify(&made, size as u64 + 1, root, size as u64, root).is_err());
        }
    }
}

#[test]
fn every_range_of_small_trees_is_the_reference() {
    for size in 1..=20 {
        let all = leaves(size);
        for (first, end) in (0..size).flat_map(|first| (first + 1..=size).map(move |end| (first, end))) {
            let made = range::prove(first as u64..end as u64, size as u64, &Leaves(&all)).unwrap();
            assert_eq!(made.hashes(), naive::range(first, end, &all));
            let verify = |proof: &Proof, first: usize, part: &[Hash]| {
                range::verify(proof, first as u64, part, size as u64, naive::mth(&all))
            };
            let part = &all[first..end];
            assert_eq!(verify(&made, first, part), Ok(()));
            for spoilt in spoilt(&made) {
                assert!(verify(&spoilt, first, part).is_err());
            }
            assert!(verify(&made, first + 1, part).is_err());
            // A leaf left out at an end, in the middle, doubled, or changed.
            assert!(verify(&made, first, &part[1..]).is_err());
            assert!(verify(&made, first, &part[..part.len() - 1]).is_err());
            for place in 0..part.len() {
                let mut changed = part.to_vec();
                changed[place] = Hash::ZERO;
                assert_eq!(verify(&made, first, &changed), Err(ProofError::RootMismatch));
                assert!(verify(&made, first, &[&part[..place], &part[place + 1..]].concat()).is_err());
                assert!(verify(&made, first, &[&part[..=place], &part[place..]].concat()).is_err());
            }
        }
    }
}

#[test]
fn a_suffix_needs_nothing_on_its_right() {
    let all = leaves(21);
    let suffix = range::prove(13..21, 21, &Leaves(&all)).unwrap();
    assert_eq!(suffix.hashes().len(), 13_u32.count_ones() as usize);
    // A page that hides what came after it cannot be passed off as the last one.
    let hiding = range::prove(13..20, 21, &Leaves(&all)).unwrap();
    assert!(range::verify(&hiding, 13, &all[13..20], 20, naive::mth(&all)).is_err());
    assert!(range::verify(&suffix, 13, &all[13..20], 21, naive::mth(&all)).is_err());
}

#[test]
fn what_no_tree_has_is_refused() {
    let leaf = leaf_hash(b"");
    let none = Proof::default();
    assert_eq!(inclusion::verify(&none, 0, leaf, 0, EMPTY_ROOT), Err(ProofError::OutsideTree));
    assert_eq!(inclusion::verify(&none, 0, leaf, 1, leaf), Ok(()));
    assert_eq!(inclusion::verify(&none, 0, leaf, u64::MAX, leaf), Err(ProofError::OutsideTree));
    assert_eq!(consistency::verify(&none, 1, leaf, u64::MAX, leaf), Err(ProofError::OutsideTree));
    assert_eq!(consistency::verify(&none, 0, leaf, 1, leaf), Err(ProofError::OldRootMismatch));
    assert_eq!(range::verify(&none, 0, &[], 0, EMPTY_ROOT), Err(ProofError::EmptyRange));
    assert_eq!(range::verify(&none, u64::MAX, &[leaf, leaf], 1, leaf), Err(ProofError::OutsideTree));
    // The largest tree's proofs have as many hashes as its levels; verifying stays within them.
    for index in [0, 1, MAX_TREE_SIZE / 2, MAX_TREE_SIZE - 1] {
        let due = inclusion::spans(index, MAX_TREE_SIZE).len();
        assert!(due <= 63, "{due}");
        let zeros = proof(vec![Hash::ZERO; due]);
        assert_eq!(inclusion::verify(&zeros, index, leaf, MAX_TREE_SIZE, leaf), Err(ProofError::RootMismatch));
    }
    for old in [1, 2, MAX_TREE_SIZE / 2, MAX_TREE_SIZE / 2 + 1, MAX_TREE_SIZE - 1] {
        let zeros = proof(vec![Hash::ZERO; consistency::spans(old, MAX_TREE_SIZE).len()]);
        assert!(consistency::verify(&zeros, old, leaf, MAX_TREE_SIZE, leaf).is_err());
    }
    let page = vec![leaf; 100];
    for first in [0, 1, MAX_TREE_SIZE / 2 - 7, MAX_TREE_SIZE - 100] {
        let zeros = proof(vec![Hash::ZERO; range::spans(first..first + 100, MAX_TREE_SIZE).len()]);
        assert_eq!(range::verify(&zeros, first, &page, MAX_TREE_SIZE, leaf), Err(ProofError::RootMismatch));
    }
}

#[test]
fn nothing_is_made_up_where_a_node_is_not_at_hand() {
    let all = leaves(5);
    assert_eq!(Leaves(&all).read(Node { level: 0, index: 5 }), None);
    assert_eq!(Leaves(&all).read(Node { level: 63, index: 2 }), None);
    assert_eq!(Leaves(&all).read(Node { level: 200, index: 0 }), None);
    assert!(inclusion::prove(0, 9, &Leaves(&all)).is_err());
    // What there is no proof of has an empty one, which nothing verifies with.
    assert_eq!(inclusion::prove(9, 9, &Leaves(&all)), Ok(Proof::default()));
    assert_eq!(range::prove(3..3, 5, &Leaves(&all)), Ok(Proof::default()));
}

#[test]
fn a_frontier_is_as_long_as_its_size_says() {
    let hash = leaf_hash(b"");
    assert_eq!(Frontier::from_hashes(3, vec![hash]), Err(FrontierError::Length));
    assert_eq!(Frontier::from_hashes(u64::MAX, vec![hash; 64]), Err(FrontierError::Full));
    let mut full = Frontier::from_hashes(MAX_TREE_SIZE, vec![hash; 63]).unwrap();
    assert_eq!(full.push(hash), Err(FrontierError::Full));
}

/// `tlog_tiles` reads its hashes by an index over all levels.
struct Stored<'a>(&'a [Hash]);

impl tlog_tiles::HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let read = |&index: &u64| {
            let (level, place) = tlog_tiles::split_stored_hash_index(index);
            let width = 1 << level;
            let first = usize::try_from(place).unwrap() * width;
            tlog_tiles::Hash(naive::mth(&self.0[first..first + width]).0)
        };
        Ok(indexes.iter().map(read).collect())
    }
}

fn theirs(hash: Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

fn concatenated(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn growing_leaf_by_leaf_is_the_reference(size in 0_usize..600) {
        let all = leaves(size);
        let mut frontier = Frontier::new();
        for (count, &leaf) in all.iter().enumerate() {
            prop_assert_eq!(frontier.hashes().len(), count.count_ones() as usize);
            frontier.push(leaf).unwrap();
        }
        prop_assert_eq!(frontier.root(), naive::mth(&all));
        prop_assert_eq!(frontier.size(), size as u64);
        let again = Frontier::from_hashes(frontier.size(), frontier.hashes().to_vec());
        prop_assert_eq!(again, Ok(frontier));
    }

    #[test]
    fn ct_merkle_agrees_both_ways(size in 1_usize..200, at in any::<prop::sample::Index>(), old in any::<prop::sample::Index>()) {
        let (index, old_size) = (at.index(size), old.index(size) + 1);
        let mut theirs = MemoryBackedTree::<Sha256, String>::new();
        let mut old_root = None;
        for number in 0..size {
            theirs.push(number.to_string());
            if number + 1 == old_size {
                old_root = Some(theirs.root());
            }
        }
        let all = leaves(size);
        let (their_root, their_old_root) = (theirs.root(), old_root.unwrap());
        prop_assert_eq!(&their_root.as_bytes()[..], &subtree_hash(&all).0[..]);

        // Our proofs, their verifier.
        let ours = inclusion::prove(index as u64, size as u64, &Leaves(&all)).unwrap();
        let proof = ct_merkle::InclusionProof::<Sha256>::try_from_bytes(ours.to_bytes()).unwrap();
        their_root.verify_inclusion(&index.to_string(), index as u64, &proof).unwrap();
        let ours = consistency::prove(old_size as u64, size as u64, &Leaves(&all)).unwrap();
        let proof = ct_merkle::ConsistencyProof::<Sha256>::try_from_bytes(ours.to_bytes()).unwrap();
        if old_size < size {
            their_root.verify_consistency(&their_old_root, &proof).unwrap();
        }

        // Their proofs are ours, byte by byte.
        let theirs_made = theirs.prove_inclusion(index);
        prop_assert_eq!(theirs_made.as_bytes(), &inclusion::prove(index as u64, size as u64, &Leaves(&all)).unwrap().to_bytes()[..]);
        if old_size < size {
            let theirs_made = theirs.prove_consistency(size - old_size);
            prop_assert_eq!(theirs_made.as_bytes(), &ours.to_bytes()[..]);
        }
    }

    #[test]
    fn tlog_tiles_agrees_both_ways(size in 1_usize..400, at in any::<prop::sample::Index>(), old in any::<prop::sample::Index>()) {
        let (index, old_size) = (at.index(size) as u64, old.index(size) as u64 + 1);
        let all = leaves(size);
        let size = size as u64;
        let stored = Stored(&all);
        let (root, old_root) = (subtree_hash(&all), subtree_hash(&all[..usize::try_from(old_size).unwrap()]));
        let leaf = all[usize::try_from(index).unwrap()];
        prop_assert_eq!(tlog_tiles::tree_hash(size, &stored).unwrap().0, root.0);

        let made = inclusion::prove(index, size, &Leaves(&all)).unwrap();
        let their_proof = tlog_tiles::prove_record(size, index, &stored).unwrap();
        prop_assert_eq!(made.to_bytes(), their_proof.iter().flat_map(|hash| hash.0).collect::<Vec<_>>());
        let ours: Vec<_> = made.hashes().iter().copied().map(theirs).collect();
        prop_assert!(tlog_tiles::check_record(&ours, size, theirs(root), index, theirs(leaf)).is_ok());

        let made = consistency::prove(old_size, size, &Leaves(&all)).unwrap();
        let their_proof = tlog_tiles::prove_tree(size, old_size, &stored).unwrap();
        prop_assert_eq!(made.to_bytes(), their_proof.iter().flat_map(|hash| hash.0).collect::<Vec<_>>());
        let ours: Vec<_> = made.hashes().iter().copied().map(theirs).collect();
        prop_assert!(tlog_tiles::check_tree(&ours, size, theirs(root), old_size, theirs(old_root)).is_ok());
    }

    #[test]
    fn ranges_of_larger_trees_are_the_reference(size in 1_usize..700, ends in any::<(prop::sample::Index, prop::sample::Index)>()) {
        let (first, end) = (ends.0.index(size), ends.1.index(size));
        let (first, end) = (first.min(end), first.max(end) + 1);
        let all = leaves(size);
        let made = range::prove(first as u64..end as u64, size as u64, &Leaves(&all)).unwrap();
        prop_assert_eq!(made.hashes(), naive::range(first, end, &all));
        prop_assert_eq!(range::verify(&made, first as u64, &all[first..end], size as u64, naive::mth(&all)), Ok(()));
        // One leaf's range has an inclusion proof's hashes, sorted by place instead of height.
        if end == first + 1 {
            let mut path = naive::path(first, &all);
            let mut range = made.hashes().to_vec();
            path.sort();
            range.sort();
            prop_assert_eq!(path, range);
        }
    }

    #[test]
    fn proofs_have_one_binary_form(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        match Proof::from_bytes(&bytes) {
            Ok(proof) => {
                prop_assert_eq!(proof.to_bytes(), &bytes[..]);
                prop_assert_eq!(concatenated(proof.hashes()), &bytes[..]);
                let json = serde_json::to_string(&proof).unwrap();
                prop_assert_eq!(serde_json::from_str::<Proof>(&json).unwrap(), proof);
            }
            Err(_) => prop_assert!(bytes.len() % 32 != 0),
        }
    }

    #[test]
    fn the_two_hashes_are_the_reference(bytes in prop::collection::vec(any::<u8>(), 0..300), left: [u8; 32], right: [u8; 32]) {
        prop_assert_eq!(leaf_hash(&bytes).0, tlog_tiles::record_hash(&bytes).0);
        prop_assert_eq!(node_hash(Hash(left), Hash(right)), naive::node(Hash(left), Hash(right)));
    }
}
