//! Vectors that others have published: the hashes and proofs of the Certificate Transparency project's tests, and the examples in C2SP's texts.

use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::{Note, VerifierKey};
use chartseal_ledger::tile::{TileAddress, new_tiles, partial_tiles};
use chartseal_ledger::tree::{
    EMPTY_ROOT, Frontier, Leaves, Proof, consistency, inclusion, leaf_hash, root, subtree_hash,
};
use serde_json::Value;

use crate::vectors::{bytes, hash, hashes, number, read};

fn published() -> Value {
    read("published.json")
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("no list at {pointer}"))
}

#[test]
fn the_trees_of_certificate_transparency() {
    let published = published();
    let leaves: Vec<_> = list(&published, "/ct/leaves").iter().map(|leaf| leaf_hash(&bytes(leaf))).collect();
    assert_eq!(leaves, hashes(&published["ct"]["leaf_hashes"]));
    assert_eq!(hash(&published["ct"]["roots"][0]), EMPTY_ROOT);
    let mut frontier = Frontier::new();
    for (size, due) in hashes(&published["ct"]["roots"]).into_iter().enumerate() {
        assert_eq!(subtree_hash(&leaves[..size]), due);
        assert_eq!(root(size as u64, &Leaves(&leaves)), Ok(due));
        assert_eq!(frontier.root(), due);
        leaves.get(size).map(|&leaf| frontier.push(leaf));
    }
    for single in list(&published, "/ct/single_leaves") {
        assert_eq!(leaf_hash(single["text"].as_str().unwrap().as_bytes()), hash(&single["leaf_hash"]));
    }
}

#[test]
fn the_proofs_of_certificate_transparency() {
    let published = published();
    let roots = hashes(&published["ct"]["roots"]);
    let leaves = hashes(&published["ct"]["leaf_hashes"]);
    let root = |size: u64| roots[usize::try_from(size).unwrap()];
    for case in list(&published, "/ct/inclusion") {
        let (index, size) = (number(&case["index"]), number(&case["size"]));
        let proof: Proof = hashes(&case["proof"]).try_into().unwrap();
        assert_eq!(inclusion::prove(index, size, &Leaves(&leaves)).as_ref(), Ok(&proof));
        let leaf = leaves[usize::try_from(index).unwrap()];
        assert_eq!(inclusion::verify(&proof, index, leaf, size, root(size)), Ok(()));
    }
    for case in list(&published, "/ct/consistency") {
        let (old, size) = (number(&case["old_size"]), number(&case["size"]));
        let proof: Proof = hashes(&case["proof"]).try_into().unwrap();
        assert_eq!(consistency::prove(old, size, &Leaves(&leaves)).as_ref(), Ok(&proof));
        assert_eq!(consistency::verify(&proof, old, root(old), size, root(size)), Ok(()));
    }
}

#[test]
fn the_notes_of_c2sp() {
    let published = published();
    for example in list(&published, "/c2sp/notes") {
        let key: VerifierKey = example["vkey"].as_str().unwrap().parse().unwrap();
        assert_eq!(key.to_string(), example["vkey"]);
        let text = example["note"].as_str().unwrap();
        let note = Note::parse(text.as_bytes()).unwrap();
        assert_eq!(note.to_string(), text);
        assert!(note.signed_by(&key).unwrap().is_some());
        let altered = Note::parse(text.replacen(' ', "  ", 1).as_bytes()).unwrap();
        assert!(altered.signed_by(&key).is_err());
    }
    // The key is not published with this one, but its form and what is cosigned are.
    let cosigned = &published["c2sp"]["cosigned_checkpoint"];
    let note = Note::parse(cosigned["note"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(note.to_string(), cosigned["note"]);
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), ("example.com/behind-the-sofa", 20_852_163));
    let line = &note.signatures()[1];
    let timestamp_s = u64::from_be_bytes(*line.signature().first_chunk().unwrap());
    assert_eq!((timestamp_s, line.signature().len()), (number(&cosigned["timestamp_s"]), 72));
    assert_eq!(note.cosignature_message(1_679_315_147), cosigned["message"]);
}

#[test]
fn the_tiles_of_c2sp() {
    let published = published();
    for example in list(&published, "/c2sp/tile_paths") {
        let path = example["path"].as_str().unwrap();
        let address: TileAddress = path.parse().unwrap();
        assert_eq!(
            (u64::from(address.level()), address.index()),
            (number(&example["level"]), number(&example["index"]))
        );
        assert_eq!(address.to_string(), path);
    }
    for tree in list(&published, "/c2sp/tile_trees") {
        let size = number(&tree["size"]);
        let partial: Vec<_> = partial_tiles(size).iter().map(ToString::to_string).collect();
        assert_eq!(Value::from(partial), tree["partial"]);
        let full = |level: u8| new_tiles(0, size).iter().filter(|tile| tile.is_full() && tile.level() == level).count();
        let counts: Vec<usize> = (0..3).map(full).collect();
        assert_eq!(Value::from(counts), tree["full_by_level"]);
    }
}
