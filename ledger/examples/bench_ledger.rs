//! How fast and how small the log is, in one run, so that its figures can be set against one another.
//!
//!     cargo run --release -p chartseal-ledger --example bench_ledger [seconds for each figure] [body bytes]
//!
//! Sealing is everything that a sealer hashes: events' leaves, the block's events root, the seal, the log's tree with its tiles, the root. Its limit is
//! what SHA-256 alone takes for the same bytes. Following is what an auditor does with a block. All on one core.

use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chartseal_events::Hash;
use chartseal_events::event::leaf_hash;
use chartseal_ledger::chain::Chain;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::event_proof::EventProof;
use chartseal_ledger::note::{Note, SignatureType, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::seal::{MapState, SEAL_BYTES, Seal};
use chartseal_ledger::tile::{Edge, VerifiedTiles, tiles_for};
use chartseal_ledger::tree::{Leaves, consistency, inclusion, range, subtree_hash};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

type Failure = Box<dyn std::error::Error>;

/// Events of a block.
const BLOCK_EVENTS: usize = 1_000;

/// Leaves of the log that proofs are measured in.
const LOG_LEAVES: usize = 1_000_000;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(2.0), |seconds| seconds.parse())?;
    let body_bytes: usize = arguments.next().map_or(Ok(900), |bytes| bytes.parse())?;
    sealing(Duration::from_secs_f64(seconds), body_bytes)?;
    proofs(Duration::from_secs_f64(seconds))
}

/// How often a second of this process's own time on a core, so that other programs on the machine change little. The time is looked at once for many
/// times: asking for it costs more than a proof.
fn rate(for_so_long: Duration, mut work: impl FnMut()) -> f64 {
    let mut batch = 1_u32;
    loop {
        let begin = on_core();
        (0..batch).for_each(|_| work());
        let taken = on_core().saturating_sub(begin);
        if taken >= for_so_long {
            return f64::from(batch) / taken.as_secs_f64();
        }
        batch *= 2;
    }
}

/// How long this process has been on a core, by Linux; elsewhere the time since the epoch.
fn on_core() -> Duration {
    let linux = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanoseconds = linux.and_then(|text| text.split(' ').next()?.parse().ok().map(Duration::from_nanos));
    nanoseconds.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn sealing(seconds: Duration, body_bytes: usize) -> Result<(), Failure> {
    let bodies: Vec<Vec<u8>> =
        (0..BLOCK_EVENTS).map(|number| vec![u8::try_from(number % 251).unwrap(); body_bytes]).collect();
    let events = f64::from(u32::try_from(BLOCK_EVENTS)?);

    let mut edge = Edge::new();
    let mut last: Option<Seal> = None;
    let mut tiles = 0_u64;
    let sealed = rate(seconds, || {
        let leaves: Vec<Hash> = bodies.iter().map(|body| leaf_hash(body)).collect();
        let seal = Seal::next(last.as_ref(), 0, &leaves, MapState::NONE).unwrap();
        for leaf in leaves.into_iter().chain([seal.leaf_hash()]) {
            edge.push(leaf, |_, _| tiles += 1).unwrap();
        }
        black_box(edge.root());
        last = Some(seal);
    });

    // The same bytes in the same pieces: leaves, a node for each leaf in both trees, and the seal.
    let node = [7_u8; 65];
    let pieces = rate(seconds, || {
        for body in &bodies {
            black_box(Sha256::new().chain_update([0, 1]).chain_update(body).finalize());
        }
        for _ in 0..2 * BLOCK_EVENTS {
            black_box(Sha256::digest(node));
        }
        black_box(Sha256::digest([0; SEAL_BYTES + 1]));
    });
    // And in one piece, without the padding that each hash has.
    let bytes = BLOCK_EVENTS * (body_bytes + 2 + 2 * 65) + SEAL_BYTES + 1;
    let stream = vec![7_u8; bytes];
    let raw = rate(seconds, || {
        black_box(Sha256::digest(&stream));
    });

    let leaves: Vec<Hash> = bodies.iter().map(|body| leaf_hash(body)).collect();
    let mut chain = Chain::new();
    let followed = rate(seconds, || {
        let seal = Seal::next(chain.last(), 0, &leaves, MapState::NONE).unwrap();
        chain.follow(&seal, &leaves).unwrap();
    });
    println!("{BLOCK_EVENTS} events a block, {body_bytes} bytes each, {tiles} full tiles written");
    println!("sealing               {:>12.0} events/s", sealed * events);
    println!("SHA-256, same pieces  {:>12.0} events/s   sealing is at {:.2} of it", pieces * events, sealed / pieces);
    println!("SHA-256, one piece    {:>12.0} events/s   sealing is at {:.2} of it", raw * events, sealed / raw);
    println!(
        "leaves to chain       {:>12.0} events/s   (seal made and followed, leaf hashes at hand)",
        followed * events
    );
    Ok(())
}

fn proofs(seconds: Duration) -> Result<(), Failure> {
    let body = br#"{"v":1,"type":"example.happened.v1"}"#;
    let mut leaves: Vec<Hash> = (0..LOG_LEAVES).map(|number| leaf_hash(&number.to_be_bytes())).collect();
    let (index, size) = (LOG_LEAVES - 700, LOG_LEAVES as u64);
    leaves[index] = leaf_hash(body);
    let mut edge = Edge::new();
    let mut stored = std::collections::BTreeMap::new();
    for &leaf in &leaves {
        edge.push(leaf, |address, hashes| {
            stored.insert(address, bytes(hashes));
        })?;
    }
    stored.extend(edge.tiles().map(|(address, hashes)| (address, bytes(hashes))));
    let (policy, note) = head(&edge)?;
    let root = edge.root();

    let place = index as u64;
    let spans = inclusion::spans(place, size);
    let wanted = tiles_for(&spans, size);
    let proof = inclusion::prove(place, size, &Leaves(&leaves))?;
    let made = rate(seconds, || {
        let brought = wanted.iter().map(|tile| (*tile, &stored[tile]));
        let tiles = VerifiedTiles::new(size, root, brought).unwrap();
        black_box(inclusion::prove(place, size, &tiles).unwrap());
    });
    let verified = rate(seconds, || inclusion::verify(&proof, place, leaves[index], size, root).unwrap());
    let with_head = rate(seconds, || {
        let head = policy.accept(note.as_bytes()).unwrap().checkpoint;
        inclusion::verify(&proof, place, leaf_hash(body), head.size(), head.root()).unwrap();
    });
    let us = |rate: f64| 1e6 / rate;
    println!("\n{LOG_LEAVES} leaves");
    println!(
        "inclusion proof       {:>6} bytes, {} with its checkpoint",
        proof.to_bytes().len(),
        proof.to_bytes().len() + note.len()
    );
    println!("  made from {} tiles   {:>8.1} us, the tiles checked", wanted.len(), us(made));
    println!("  verified            {:>8.1} us, {:.1} us with the checkpoint's signature", us(verified), us(with_head));
    let old = size - 1_001;
    let grown = consistency::prove(old, size, &Leaves(&leaves))?;
    let old_root = subtree_hash(&leaves[..usize::try_from(old)?]);
    let consistent = rate(seconds, || consistency::verify(&grown, old, old_root, size, root).unwrap());
    println!("consistency proof     {:>6} bytes, verified in {:.1} us", grown.to_bytes().len(), us(consistent));
    let page = range::prove(size - 100..size, size, &Leaves(&leaves))?;
    let last = &leaves[leaves.len() - 100..];
    let complete = rate(seconds, || range::verify(&page, size - 100, last, size, root).unwrap());
    println!(
        "range proof           {:>6} bytes for the last 100 leaves, verified in {:.1} us",
        page.to_bytes().len(),
        us(complete)
    );

    let seal = Seal::next(None, 0, &leaves[..1], MapState::NONE)?;
    let file = EventProof {
        body: body.to_vec(),
        index: place,
        inclusion: proof.clone(),
        seal,
        seal_inclusion: proof,
        checkpoint: note,
    };
    println!("proof file            {:>6} bytes, {} of them the event", file.to_file().to_string().len(), body.len());
    println!("right edge            {:>6} bytes", edge.to_bytes().len());
    Ok(())
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The log's signed head.
fn head(edge: &Edge) -> Result<(Policy, String), Failure> {
    let signing = SigningKey::from_bytes(&[7; 32]);
    let key = VerifierKey::new("vault.example", SignatureType::Ed25519, &signing.verifying_key().to_bytes())?;
    let mut note: Note = Checkpoint::new("vault.example", edge.size(), edge.root())?.to_note();
    note.sign(&key, &signing.sign(note.text().as_bytes()).to_bytes())?;
    Ok((Policy::new(key, None, vec![], 0)?, note.to_string()))
}
