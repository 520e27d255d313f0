//! What must hold for any bytes at all. The fuzzer calls these (`ledger/fuzz`), and the ordinary tests replay its kept corpus through them.
#![allow(dead_code, missing_docs)] // each fuzz target uses one

use std::sync::LazyLock;

use chartseal_events::event::{Head, StoredEvent, leaf_hash};
use chartseal_events::evidence::{rerun, view_at};
use chartseal_events::state::History;
use chartseal_events::{Command, Event, Hash};
use chartseal_ledger::block::Block;
use chartseal_ledger::chain::Chain;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::event_proof::EventProof;
use chartseal_ledger::map::{Finding, MapKey, MapProof, Value as MapValue, verify};
use chartseal_ledger::note::{Note, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::seal::Seal;
use chartseal_ledger::tile::{Edge, TileAddress, VerifiedTiles};
use chartseal_ledger::tlog_proof::TlogProof;
use chartseal_ledger::tree::{
    HashReader, Leaves, MAX_TREE_SIZE, Node, Proof, ProofError, consistency, inclusion, range, subtree_hash,
};
use serde_json::Value;

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../vectors/golden.json")).unwrap());

/// Believes the golden log with one witness.
static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let key = |number: usize| GOLDEN["keys"][number]["vkey"].as_str().unwrap().parse::<VerifierKey>().unwrap();
    Policy::new(key(0), Some(key(1)), vec![key(2), key(3), key(4)], 1).unwrap()
});

/// The golden log's own head, which is the one that its keys have signed.
static HEAD: LazyLock<Checkpoint> =
    LazyLock::new(|| POLICY.accept(GOLDEN["note"].as_str().unwrap().as_bytes()).unwrap().checkpoint);

/// A note has one spelling, and nobody makes a head that was not signed.
pub fn note(data: &[u8]) {
    if let Ok(note) = Note::parse(data) {
        assert_eq!(note.to_string().as_bytes(), data);
    }
    if let Ok(accepted) = POLICY.accept(data) {
        assert_eq!(accepted.checkpoint, *HEAD);
        assert!(!accepted.witnesses.is_empty());
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(key) = text.parse::<VerifierKey>()
    {
        assert_eq!(key.to_string(), text);
    }
}

/// A checkpoint has one spelling.
pub fn checkpoint(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.text(), text);
        assert_eq!(Checkpoint::new(checkpoint.origin(), checkpoint.size(), checkpoint.root()), Ok(checkpoint));
    }
}

/// A stored block has one spelling, and its edge is of its own size.
pub fn block(data: &[u8]) {
    let Ok(block) = Block::from_bytes(data) else { return };
    assert_eq!(block.to_bytes(), data);
    assert_eq!(block.edge().size(), block.seal().size());
    assert_eq!(block.events().len(), block.seal().events() as usize);
    // Whether it follows itself or nothing is refused or not, but never a panic.
    drop((block.follow(None), block.follow(Some(&block))));
}

/// An event's body is read or refused; what is read has its command word for word, and can be put to its stream, at whatever place, without a panic.
pub fn event(data: &[u8]) {
    let Ok(body) = std::str::from_utf8(data) else { return };
    let Ok(event) = Event::read(body, leaf_hash(data)) else { return };
    if let Some(command) = &event.command {
        assert_eq!(Command::parse(command.jws().text()).as_ref(), Ok(command));
        assert!(body.contains(command.jws().text()));
        drop(command.reads());
    }
    let stored = StoredEvent::new(event.place, body.to_owned());
    let mut before = History::empty(event.place.stream);
    before.head = event.place.seq.checked_sub(1).map(|seq| Head { seq, leaf: event.prev });
    let history = std::sync::Arc::new(before.clone());
    drop(view_at(&event, history, Vec::<History>::new()).and_then(|view| rerun(&event, &view, "vault.example")));
    drop(before.apply(&stored));
}

/// A seal has one spelling; one that is well formed has a next one, which is well formed too.
pub fn seal(data: &[u8]) {
    let Ok(seal) = Seal::from_bytes(data) else { return };
    assert_eq!(seal.to_bytes(), data);
    assert!(seal.index() < seal.size() && seal.size() <= MAX_TREE_SIZE);
    let leaf = [seal.leaf_hash()];
    if let Ok(next) = Seal::next(Some(&seal), 0, &leaf, seal.map()) {
        assert_eq!(Seal::from_bytes(&next.to_bytes()), Ok(next));
        assert!(next.timestamp_ms() > seal.timestamp_ms() && next.first_index() == seal.size());
    }
    assert!(Chain::new().follow(&seal, &leaf).is_err() || seal.height() == 0);
}

/// Proofs of any form: no panic, and exactly as many hashes as the sizes ask for. Two numbers, then hashes.
pub fn proofs(data: &[u8]) {
    let Some((first, rest)) = data.split_first_chunk() else { return };
    let Some((second, rest)) = rest.split_first_chunk() else { return };
    let (first, second) = (u64::from_be_bytes(*first), u64::from_be_bytes(*second));
    small_tree(first, second, rest);
    let Ok(proof) = Proof::from_bytes(rest) else { return };
    assert_eq!(proof.to_bytes(), rest);
    let (leaf, root) = (Hash([1; 32]), Hash([2; 32]));
    let possible = second <= MAX_TREE_SIZE;
    let due = |spans: usize, outcome: Result<(), ProofError>| {
        let mismatch = outcome == Err(ProofError::RootMismatch) || outcome == Err(ProofError::OldRootMismatch);
        assert_eq!(mismatch, proof.hashes().len() == spans, "{outcome:?}");
    };
    let outcome = inclusion::verify(&proof, first, leaf, second, root);
    if first < second && possible {
        due(inclusion::spans(first, second).len(), outcome);
    } else {
        assert_eq!(outcome, Err(ProofError::OutsideTree));
    }
    let outcome = consistency::verify(&proof, first, leaf, second, root);
    if first <= second && possible {
        due(consistency::spans(first, second).len(), outcome);
    } else {
        assert!(outcome.is_err());
    }
    let page = [leaf; 3];
    let outcome = range::verify(&proof, first, &page, second, root);
    if first < second && second - first >= 3 && possible {
        due(range::spans(first..first + 3, second).len(), outcome);
    } else {
        assert_eq!(outcome, Err(ProofError::OutsideTree));
    }
}

/// A tree of up to 64 leaves: what is made verifies, and with one bit changed it does not.
fn small_tree(first: u64, second: u64, bytes: &[u8]) {
    let size = second % 64 + 1;
    let leaves: Vec<Hash> = (0..size).map(|number| Hash([u8::try_from(number).unwrap(); 32])).collect();
    let root = subtree_hash(&leaves);
    let index = first % size;
    let at = usize::try_from(index).unwrap();
    let spoilt = |proof: &Proof| {
        let mut made = proof.to_bytes();
        let &[place, bit, ..] = bytes else { return None };
        let place = usize::from(place) % made.len().max(1);
        *made.get_mut(place)? ^= 1 << (bit % 8);
        Proof::from_bytes(&made).ok()
    };
    let proof = inclusion::prove(index, size, &Leaves(&leaves)).unwrap();
    let verify = |proof: &Proof| inclusion::verify(proof, index, leaves[at], size, root);
    assert_eq!(verify(&proof), Ok(()));
    assert!(spoilt(&proof).is_none_or(|spoilt| verify(&spoilt).is_err()));

    let old_root = subtree_hash(&leaves[..=at]);
    let proof = consistency::prove(index + 1, size, &Leaves(&leaves)).unwrap();
    let verify = |proof: &Proof| consistency::verify(proof, index + 1, old_root, size, root);
    assert_eq!(verify(&proof), Ok(()));
    assert!(spoilt(&proof).is_none_or(|spoilt| verify(&spoilt).is_err()));

    let proof = range::prove(index..size, size, &Leaves(&leaves)).unwrap();
    let verify = |proof: &Proof| range::verify(proof, index, &leaves[at..], size, root);
    assert_eq!(verify(&proof), Ok(()));
    assert!(spoilt(&proof).is_none_or(|spoilt| verify(&spoilt).is_err()));
}

/// A path and an edge have one spelling; tiles are read only if they lead to the root.
pub fn tiles(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(address) = text.parse::<TileAddress>()
    {
        assert_eq!(address.to_string(), text);
        assert_eq!(TileAddress::new(address.level(), address.index(), address.width()), Some(address));
    }
    let Ok(mut edge) = Edge::from_bytes(data) else { return };
    assert_eq!(edge.to_bytes(), data);
    let (size, root) = (edge.size(), edge.root());
    assert_eq!(edge.frontier().root(), root);
    let stored: Vec<(TileAddress, Vec<u8>)> =
        edge.tiles().map(|(address, hashes)| (address, hashes.iter().flat_map(|hash| hash.0).collect())).collect();
    let tiles = VerifiedTiles::new(size, root, stored.clone()).unwrap();
    if size > 0 {
        let last = tiles.read(Node { level: 0, index: size - 1 });
        assert_eq!(last.is_some(), size % 256 > 0);
        let other = Hash(root.0.map(|byte| !byte));
        assert!(VerifiedTiles::new(size, other, stored).is_err());
    }
    let mut frontier = edge.frontier();
    if edge.push(Hash::ZERO, |_, _| ()).is_ok() {
        frontier.push(Hash::ZERO).unwrap();
        assert_eq!(edge.frontier(), frontier);
    }
}

/// A proof file has one spelling, and proves nothing but what is in the golden log.
pub fn proof_file(data: &[u8]) {
    if let Ok(file) = TlogProof::parse(data) {
        assert_eq!(file.to_string().as_bytes(), data);
    }
    let Ok(proof) = EventProof::parse(data) else { return };
    assert_eq!(proof.to_file().to_string().as_bytes(), data);
    if let Ok(proven) = proof.verify(&POLICY) {
        let leaf = &GOLDEN["leaves"][usize::try_from(proven.index).unwrap()];
        assert_eq!(proven.leaf.to_string(), leaf.as_str().unwrap());
        assert_eq!(proven.accepted.checkpoint, *HEAD);
        let height = usize::try_from(proven.seal.height()).unwrap();
        assert_eq!(GOLDEN["blocks"][height]["seal_leaf"], proven.seal.leaf_hash().to_string());
    }
}

static MAP: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("../../vectors/map.json")).unwrap());

/// A proof of the map has one spelling, and nobody shows a key of the frozen map anything but its one value, or that it has none.
pub fn map_proof(data: &[u8]) {
    if let Ok(proof) = MapProof::from_bytes(data) {
        assert_eq!(proof.to_bytes(), data);
    }
    let root = MAP["root"].as_str().unwrap().parse().unwrap();
    let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    for case in MAP["present"].as_array().unwrap().iter().chain(MAP["absent"].as_array().unwrap()).step_by(11) {
        let key = MapKey(bytes(&case["key"]).try_into().unwrap());
        if let Ok(finding) = verify(root, &key, data) {
            let expected = case
                .get("value")
                .map_or(Finding::Absent, |value| Finding::Present(MapValue::from_bytes(&bytes(value)).unwrap()));
            assert_eq!(finding, expected);
        }
    }
}
