//! What must hold of a log, found out from the events and the blocks without the sealer's code.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use chartseal_events::event::{Seen, StoredEvent};
use chartseal_events::{Bytes, Event, EventRef, Hash, Kid, Outcome, StreamId, Thumbprint};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{BlockStore as _, LeafPlace, LogFiles as _, SealedIndex as _};
use chartseal_ledger::block::Block;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::map::{self, MAP_VERSION, MapKey, Operation, Page, PageId, Value};
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::tree::{leaf_hash, subtree_hash};

use crate::naive;

/// What must hold. The controls name the one that a defect breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Blocks follow one another from height 0 on.
    Chain,
    /// Each event is sealed once, in its stream's order, as it is stored.
    Once,
    /// An event is sealed after what it has seen.
    Seen,
    /// A block's map is what its events and those before make of it.
    Map,
    /// Each published checkpoint is signed, ends with a block, and extends the one before.
    Checkpoints,
    /// When a checkpoint was published, all that follows from its blocks was there.
    Complete,
    /// What follows from the blocks is what they alone make of it.
    Derived,
    /// Only heads of blocks that stand were signed.
    Signed,
    /// The watermark has nothing unsealed before it.
    Watermark,
    /// Nothing is refused or called broken where nothing is.
    Calm,
    /// In the end everything is sealed and published.
    All,
}

/// What was found wrong.
#[derive(Debug)]
pub struct Broken {
    pub invariant: Invariant,
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

pub fn broken<T>(invariant: Invariant, what: impl Into<String>) -> Result<T, Broken> {
    Err(Broken { invariant, what: what.into() })
}

fn holds(holds: bool, invariant: Invariant, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { broken(invariant, what()) }
}

/// What an event says. The same events are looked at again and again: each is opened once.
pub fn opened(event: &StoredEvent) -> Option<Rc<Event>> {
    thread_local! {
        static OPENED: RefCell<BTreeMap<Hash, Option<Rc<Event>>>> = const { RefCell::new(BTreeMap::new()) };
    }
    OPENED.with_borrow_mut(|known| known.entry(event.leaf).or_insert_with(|| event.open().ok().map(Rc::new)).clone())
}

/// The log's public key under its name.
pub fn log_key(origin: &str) -> VerifierKey {
    let public = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
    VerifierKey::new(origin, SignatureType::Ed25519, &public.try_into().unwrap()).unwrap()
}

/// The public key of the log's clock: RFC 8032, section 7.1, test 2.
pub fn clock_key() -> Bytes<32> {
    let public = hex::decode("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c").unwrap();
    Bytes(public.try_into().unwrap())
}

/// The blocks, and what they make.
pub struct Log {
    origin: String,
    pub blocks: Vec<Block>,
    /// Leaf hashes.
    leaves: Vec<Hash>,
}

impl Log {
    /// Reads all blocks; checks each by itself and against the events.
    pub async fn read(origin: &str, vault: &MemoryVault) -> Result<Self, Broken> {
        let mut log = Self { origin: origin.to_owned(), blocks: Vec::new(), leaves: Vec::new() };
        while let Some(block) = vault.block(log.blocks.len() as u64).await.unwrap() {
            if let Err(error) = block.follow(log.blocks.last()) {
                return broken(Invariant::Chain, format!("block {}: {error}", log.blocks.len()));
            }
            log.leaves.extend(block.events().iter().map(|event| event.leaf));
            log.leaves.push(leaf_hash(&block.seal().to_bytes()));
            log.blocks.push(block);
        }
        let newest = vault.newest_block().await.unwrap().block;
        holds(newest.as_ref() == log.blocks.last(), Invariant::Chain, || "a block is missing".to_owned())?;
        log.check_events(&vault.events())?;
        Ok(log)
    }

    /// The log's size with this block.
    fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Once, Seen, Map: block by block, from nothing.
    fn check_events(&self, events: &[StoredEvent]) -> Result<(), Broken> {
        let stored: BTreeMap<EventRef, &StoredEvent> = events.iter().map(|event| (event.at, event)).collect();
        let mut sealed: BTreeMap<StreamId, (u64, Hash)> = BTreeMap::new();
        let mut leaves: BTreeMap<EventRef, Hash> = BTreeMap::new();
        let mut values: BTreeMap<MapKey, Value> = BTreeMap::new();
        for block in &self.blocks {
            for (index, event) in (block.seal().first_index()..).zip(block.events()) {
                let place = event.place;
                let next = sealed.get(&place.stream).map_or(0, |(seq, _)| seq + 1);
                holds(place.seq == next, Invariant::Once, || format!("{place} sealed where {next} is next"))?;
                let body = stored.get(&place).filter(|stored| stored.leaf == event.leaf);
                let Some(body) = body else { return broken(Invariant::Once, format!("{place} is not what is stored")) };
                let Some(opened) = opened(body) else {
                    return broken(Invariant::Once, format!("{place} is unreadable"));
                };
                let before = sealed.insert(place.stream, (place.seq, event.leaf));
                let prev = before.map_or(Hash::ZERO, |(_, leaf)| leaf);
                holds(opened.prev == prev, Invariant::Once, || format!("{place} names another event before it"))?;
                for Seen(stream, seq, leaf) in &opened.seen {
                    let seen = EventRef { stream: *stream, seq: *seq };
                    holds(leaves.get(&seen) == Some(leaf), Invariant::Seen, || format!("{place} before {seen}"))?;
                }
                leaves.insert(place, event.leaf);
                apply(&self.origin, index, &opened, &mut values);
            }
            let map = block.seal().map();
            let root = naive::map_root(&values);
            holds(map.root == root && map.version == MAP_VERSION, Invariant::Map, || {
                format!("block {}", block.seal().height())
            })?;
        }
        Ok(())
    }

    /// Every checkpoint that was published, oldest first: each is a longer beginning of the one list of leaves than the one before.
    pub fn check_checkpoints(&self, notes: &[String]) -> Result<(), Broken> {
        let policy = Policy::new(log_key(&self.origin), None, Vec::new(), 0).unwrap();
        // The edges follow from one another; the last is that of all the leaves.
        let heads: BTreeMap<u64, Hash> =
            self.blocks.iter().map(|block| (block.seal().size(), block.edge().root())).collect();
        let root = subtree_hash(&self.leaves);
        holds(heads.values().next_back().is_none_or(|last| *last == root), Invariant::Chain, || "the edge".to_owned())?;
        let mut last = 0;
        for note in notes {
            let Ok(accepted) = policy.accept(note.as_bytes()) else {
                return broken(Invariant::Checkpoints, "one that nobody believes");
            };
            let (size, root) = (accepted.checkpoint.size(), accepted.checkpoint.root());
            holds(heads.get(&size) == Some(&root), Invariant::Checkpoints, || format!("{size} leaves are no head"))?;
            holds(size > last, Invariant::Checkpoints, || format!("{size} leaves after {last}"))?;
            last = size;
        }
        Ok(())
    }

    /// What follows from the blocks up to this size is there, and is what they alone make of it. `invariant`: the one that it breaks if not.
    pub async fn check_derived(&self, vault: &MemoryVault, size: u64, invariant: Invariant) -> Result<(), Broken> {
        let mut pages: BTreeMap<PageId, Page> = BTreeMap::new();
        let mut changed: BTreeMap<PageId, u64> = BTreeMap::new();
        let mut root = Hash::ZERO;
        let mut previous = None;
        let blocks: Vec<_> = self.blocks.iter().filter(|block| block.seal().size() <= size).collect();
        for block in &blocks {
            let height = block.seal().height();
            for tile in block.follow(previous).unwrap() {
                let kept = vault.tile(&tile.address).await.unwrap();
                holds(kept.as_ref() == Some(&tile.hashes), invariant, || format!("tile {}", tile.address))?;
            }
            let leaves: Vec<Hash> = block.events().iter().map(|event| event.leaf).collect();
            let places = vault.leaf_places(&leaves).await.unwrap();
            let wanted = (block.seal().first_index()..).map(|index| Some(LeafPlace { index, height }));
            let right = places.iter().copied().eq(wanted.take(leaves.len()));
            holds(right, invariant, || format!("leaf places of block {height}"))?;
            let operations: Vec<_> =
                block.operations().iter().map(|bytes| Operation::from_bytes(bytes).unwrap()).collect();
            let updated = map::update(root, &pages, &operations).unwrap();
            root = updated.root;
            changed.extend(updated.pages.keys().map(|id| (*id, height)));
            pages.extend(updated.pages);
            previous = Some(*block);
        }
        let Some(last) = blocks.last() else { return Ok(()) };
        let ids: Vec<PageId> = pages.keys().copied().collect();
        let kept = vault.map_pages(&ids, last.seal().height()).await.unwrap();
        for (id, page) in &pages {
            let right = kept.get(id).is_some_and(|kept| kept.page == *page && kept.height == changed[id]);
            holds(right, invariant, || format!("page {id} of block {}", last.seal().height()))?;
        }
        Ok(())
    }

    /// Everything is sealed but what cannot be, and the newest head published.
    pub fn check_all(&self, vault: &MemoryVault, never: &BTreeSet<EventRef>) -> Result<(), Broken> {
        let sealed: BTreeSet<EventRef> =
            self.blocks.iter().flat_map(|block| block.events().iter().map(|event| event.place)).collect();
        let open =
            vault.events().iter().map(|event| event.at).find(|place| sealed.contains(place) == never.contains(place));
        if let Some(place) = open {
            return broken(
                Invariant::All,
                format!("{place} is {} sealed", if never.contains(&place) { "nevertheless" } else { "not" }),
            );
        }
        let size = vault.checkpoints().last().map_or(0, |note| {
            Checkpoint::parse(note.rsplit_once("\n\n").map(|(text, _)| format!("{text}\n")).unwrap().as_str())
                .unwrap()
                .size()
        });
        holds(size == self.size(), Invariant::All, || format!("{size} of {} leaves are published", self.size()))
    }
}

/// All of it, at a moment when nobody works.
pub async fn check(origin: &str, vault: &MemoryVault) -> Result<Log, Broken> {
    let log = Log::read(origin, vault).await?;
    log.check_checkpoints(&vault.checkpoints())?;
    log.check_derived(vault, log.size(), Invariant::Derived).await?;
    log.check_all(vault, &BTreeSet::new())?;
    Ok(log)
}

/// What an event does to the map, as `docs/LEDGER.md` says it.
fn apply(origin: &str, index: u64, event: &Event, values: &mut BTreeMap<MapKey, Value>) {
    let stream = event.place.stream;
    let operator = |thumbprint| MapKey::signer(origin, &Kid::Key(thumbprint));
    match &event.outcome {
        Outcome::Genesis(genesis) => {
            for key in &genesis.operators {
                let value = Value::Operator { sign_key: *key, valid_from: index, revoked_at: None };
                values.insert(operator(Thumbprint::of(key)), value);
            }
        }
        Outcome::OperatorAdded(added) => {
            let value = Value::Operator { sign_key: added.sign_key, valid_from: index, revoked_at: None };
            values.insert(operator(Thumbprint::of(&added.sign_key)), value);
        }
        Outcome::OperatorRemoved(removed) => {
            if let Some(Value::Operator { revoked_at: revoked @ None, .. }) =
                values.get_mut(&operator(removed.operator))
            {
                *revoked = Some(index);
            }
        }
        Outcome::ProviderVerified(_) | Outcome::ProviderSuspended(_) => {
            let StreamId::Provider(id) = stream else { panic!("a provider's event in {stream}") };
            let verified = matches!(event.outcome, Outcome::ProviderVerified(_));
            values.insert(MapKey::provider(origin, id), Value::Provider { verified, since: index });
        }
        Outcome::StaffAdded(staff) => {
            let StreamId::Staff(id) = stream else { panic!("a person's event in {stream}") };
            let (sign_key, seal_key) = (staff.sign_key, staff.seal_key);
            let person =
                Value::Person { role: staff.role, provider: staff.provider, sign_key, seal_key, valid_from: index };
            values.insert(MapKey::signer(origin, &Kid::Person(id)), person);
        }
        _ => {}
    }
    values.insert(MapKey::stream(origin, stream), Value::Stream { seq: event.place.seq, head: event.leaf });
}
