//! What a replay costs, in one run, so that its figures can be set against one another.
//!
//!     cargo run --release -p chartseal-replay --example bench_replay -- make FILE EVENTS
//!     cargo run --release -p chartseal-replay --example bench_replay -- replay FILE [FOLDER]
//!
//! `make` writes a log of a vault in use: every event decided and signed. `replay` takes it as an auditor does, into a copy in FOLDER or in memory, on one
//! core, and sets it against what its parts allow: Ed25519 verified strictly, SHA-256, and reading the JSON, each alone over the same events. Two
//! programs, so that the peak of memory is the replay's own.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chartseal_events::event::leaf_hash;
use chartseal_events::{Action, Bytes, Event, Hash, Kid, Outcome, StreamId, Thumbprint};
use chartseal_replay::testing::{Log, Mix, log_verifier};
use chartseal_replay::{Copy, PublicBlock, Replay, Source};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

type Failed = Box<dyn std::error::Error>;

/// Events of a block.
const BLOCK_EVENTS: usize = 1_000;
/// Providers of the vault.
const PROVIDERS: u32 = 64;
/// So many events are taken for the parts.
const SAMPLE: usize = 50_000;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", file, events] => make(Path::new(file), events.parse()?),
        ["replay", file] => replay(Path::new(file), None),
        ["replay", file, folder] => replay(Path::new(file), Some(Path::new(folder))),
        _ => Err("make FILE EVENTS, or replay FILE [FOLDER]".into()),
    }
}

/// How long this process has been on a core, by Linux; elsewhere the time since the epoch.
fn on_core() -> Duration {
    let linux = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanoseconds = linux.and_then(|text| text.split(' ').next()?.parse().ok().map(Duration::from_nanos));
    nanoseconds.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A line of the file: where a block's bodies are.
#[derive(Serialize, Deserialize)]
struct Entry {
    seal: Vec<u8>,
    leaves: Vec<Hash>,
    at: u64,
    lengths: Vec<u32>,
}

fn make(path: &Path, events: usize) -> Result<(), Failed> {
    let mut out = BufWriter::new(File::create(path)?);
    let (mut mix, mut log, mut entries, mut at) = (Mix::new(PROVIDERS), Log::default(), Vec::new(), 0_u64);
    let mut made = 0;
    while made < events {
        while mix.world.open.len() < BLOCK_EVENTS {
            mix.go_on();
        }
        let bodies: Vec<String> = mix.world.open.drain(..BLOCK_EVENTS).map(|event| event.body).collect();
        let PublicBlock { seal, leaves } = log.seal(&bodies, mix.world.now_ms);
        let lengths: Vec<u32> = bodies.iter().map(|body| u32::try_from(body.len())).collect::<Result<_, _>>()?;
        bodies.iter().try_for_each(|body| out.write_all(body.as_bytes()))?;
        let bytes: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
        entries.push(Entry { seal, leaves, at, lengths });
        (at, made) = (at + bytes, made + BLOCK_EVENTS);
    }
    out.flush()?;
    serde_json::to_writer(BufWriter::new(File::create(path.with_extension("index"))?), &entries)?;
    std::fs::write(path.with_extension("note"), log.note())?;
    println!("{made} events in {} blocks, {} bytes each", entries.len(), at / made as u64);
    Ok(())
}

/// A log in a file. What it takes to read it is counted apart: an auditor has a network there.
struct Stored {
    file: BufReader<File>,
    index: Vec<(u64, u64)>,
    blocks: File,
    note: Vec<u8>,
    taken: Duration,
}

impl Stored {
    fn open(path: &Path) -> Result<Self, Failed> {
        // The index is put into a file of its own, block by block: a replay's memory is to be measured, not that of its source.
        let entries: Vec<Entry> = serde_json::from_reader(BufReader::new(File::open(path.with_extension("index"))?))?;
        let mut index = Vec::new();
        let mut blocks = File::create(path.with_extension("blocks"))?;
        let mut at = 0;
        for entry in entries {
            let bytes = serde_json::to_vec(&entry)?;
            blocks.write_all(&bytes)?;
            index.push((at, bytes.len() as u64));
            at += bytes.len() as u64;
        }
        let note = std::fs::read(path.with_extension("note"))?;
        let blocks = File::open(path.with_extension("blocks"))?;
        Ok(Self { file: BufReader::new(File::open(path)?), index, blocks, note, taken: Duration::ZERO })
    }

    fn entry(&mut self, height: u64) -> Result<Option<Entry>, std::io::Error> {
        let Some(&(at, length)) = usize::try_from(height).ok().and_then(|height| self.index.get(height)) else {
            return Ok(None);
        };
        self.blocks.seek(SeekFrom::Start(at))?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.blocks.read_exact(&mut bytes)?;
        Ok(Some(serde_json::from_slice(&bytes)?))
    }

    fn read_bodies(&mut self, height: u64) -> Result<Option<Vec<String>>, std::io::Error> {
        let Some(entry) = self.entry(height)? else { return Ok(None) };
        self.file.seek(SeekFrom::Start(entry.at))?;
        let mut bodies = Vec::with_capacity(entry.lengths.len());
        for length in entry.lengths {
            let mut bytes = vec![0; length as usize];
            self.file.read_exact(&mut bytes)?;
            bodies.push(String::from_utf8(bytes).map_err(std::io::Error::other)?);
        }
        Ok(Some(bodies))
    }
}

impl Source for Stored {
    type Error = std::io::Error;

    fn checkpoint(&mut self) -> Result<Option<Vec<u8>>, std::io::Error> {
        Ok(Some(self.note.clone()))
    }

    fn block(&mut self, height: u64) -> Result<Option<PublicBlock>, std::io::Error> {
        let begin = on_core();
        let entry = self.entry(height)?;
        self.taken += on_core().saturating_sub(begin);
        Ok(entry.map(|entry| PublicBlock { seal: entry.seal, leaves: entry.leaves }))
    }

    fn bodies(&mut self, height: u64) -> Result<Option<Vec<String>>, std::io::Error> {
        let begin = on_core();
        let bodies = self.read_bodies(height);
        self.taken += on_core().saturating_sub(begin);
        bodies
    }
}

fn replay(path: &Path, folder: Option<&Path>) -> Result<(), Failed> {
    // In a process of its own, as the reading of the index is: the peak of memory is then the replay's.
    let mut source = Stored::open(path)?;
    let copy = folder.map_or_else(Copy::in_memory, Copy::open)?;
    let mut replay = Replay::new(copy, &log_verifier(), Log::policy())?;
    let before = peak_kib();
    let begin = on_core();
    let report = replay.run(&mut source, &())?;
    let taken = on_core().saturating_sub(begin).saturating_sub(source.taken);
    if !report.sound {
        return Err(format!("not sound: {:?}", report.findings).into());
    }
    let events = f64::from(u32::try_from(report.events)?);
    let us = taken.as_secs_f64() * 1e6 / events;
    println!("{} events in {} blocks, {} streams; {PROVIDERS} providers", report.events, report.blocks, report.streams);
    for (typ, count) in &report.types {
        println!("  {typ:<28} {count:>9}");
    }
    println!("replay                  {:>9.0} events/s  {us:>6.1} us each", 1e6 / us);
    let parts = parts(&mut source, report.blocks)?;
    let limit = parts.signatures + parts.hashes + parts.reading;
    println!(
        "  Ed25519, strict       {:>9.0} signatures/s, {:.2} of an event: {:>5.1} us each",
        1e6 / parts.signature,
        parts.signed,
        parts.signatures
    );
    println!("  SHA-256 of bodies     {:>25.1} us each", parts.hashes);
    println!("  reading JSON          {:>25.1} us each", parts.reading);
    println!("the parts allow         {:>9.0} events/s; the replay is at {:.2} of it", 1e6 / limit, limit / us);
    println!("peak of memory          {:>9} KiB ({before} before)", peak_kib());
    Ok(())
}

/// What the parts take of an event, in microseconds.
struct Parts {
    signature: f64,
    signed: f64,
    signatures: f64,
    hashes: f64,
    reading: f64,
}

/// The parts alone, over the log's last events.
fn parts(source: &mut Stored, blocks: u64) -> Result<Parts, Failed> {
    let mut bodies = Vec::new();
    let mut first = blocks;
    while first > 0 && bodies.len() < SAMPLE {
        first -= 1;
        bodies.extend(source.read_bodies(first)?.unwrap_or_default());
    }
    let each = f64::from(u32::try_from(bodies.len())?);
    let timed = |work: &mut dyn FnMut()| {
        let begin = on_core();
        work();
        on_core().saturating_sub(begin).as_secs_f64() * 1e6
    };
    let hashes = timed(&mut || {
        for body in &bodies {
            black_box(leaf_hash(body.as_bytes()));
        }
    });
    let reading = timed(&mut || {
        for body in &bodies {
            black_box(Event::read(body, Hash::ZERO).is_ok());
        }
    });
    let keys = keys(source)?;
    let mut signed = Vec::new();
    for body in &bodies {
        let event = Event::read(body, Hash::ZERO)?;
        let Some(command) = event.command else { continue };
        let key = match &command.action {
            Action::ProviderRegister(register) => register.sign_key,
            _ => *keys.get(&command.kid()).ok_or("a signer without a key")?,
        };
        let (text, signature) = command.jws().text().rsplit_once('.').ok_or("no JWS")?;
        let signature = Signature::from_slice(&chartseal_events::encoding::from_base64url(signature)?)?;
        signed.push((VerifyingKey::from_bytes(&key.0)?, text.to_owned(), signature));
    }
    let verifying = timed(&mut || {
        for (key, text, signature) in &signed {
            assert!(key.verify_strict(text.as_bytes(), signature).is_ok(), "signed");
        }
    });
    let count = f64::from(u32::try_from(signed.len())?);
    Ok(Parts {
        signature: verifying / count,
        signed: count / each,
        signatures: verifying / each,
        hashes: hashes / each,
        reading: reading / each,
    })
}

/// The signers' keys, from the log's first blocks.
fn keys(source: &mut Stored) -> Result<std::collections::BTreeMap<Kid, Bytes<32>>, Failed> {
    let mut keys = std::collections::BTreeMap::new();
    for body in source.read_bodies(0)?.unwrap_or_default() {
        let event = Event::read(&body, Hash::ZERO)?;
        match (event.outcome, event.place.stream) {
            (Outcome::Genesis(genesis), _) => {
                keys.extend(genesis.operators.iter().map(|key| (Kid::Key(Thumbprint::of(key)), *key)));
            }
            (Outcome::StaffAdded(staff), StreamId::Staff(id)) => drop(keys.insert(Kid::Person(id), staff.sign_key)),
            _ => {}
        }
    }
    Ok(keys)
}

/// The most memory that this process has had, by Linux.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}
