//! A stack's log, read past every function with an administrator's eyes, and checked against nothing but the vault's first event and the Events table.
//!
//! In scope: what must hold of blocks, tiles, leaf places, pages and the checkpoint at any moment, and whether everything is sealed. Out of scope:
//! what readers of the log are served.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use chartseal_events::event::StoredEvent;
use chartseal_events::{EventRef, Hash};
use chartseal_infra::aws::{DynamoStore, S3LogFiles, Tables, config_for};
use chartseal_infra::ports::{BlockStore as _, LeafPlace, LogFiles as _, MapPage, SealedIndex as _};
use chartseal_ledger::block::Block;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::map::{Operation, Page, PageId, update};
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::policy::Policy;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{Hands, Stack};

/// How soon one looks again for what takes milliseconds.
const POLL: Duration = Duration::from_millis(5);

/// A stack's log.
pub struct StoredLog<'a> {
    stack: &'a Stack,
    store: DynamoStore,
    files: S3LogFiles,
    /// The key that the vault's first event names.
    policy: Policy,
    runtime: Runtime,
}

/// What stands in the log.
#[derive(Debug, Default)]
pub struct Standing {
    /// How many blocks there are.
    pub blocks: u64,
    /// Every sealed event.
    pub events: BTreeMap<EventRef, Hash>,
    /// The size after the newest block.
    pub size: u64,
    /// The published checkpoint's size.
    pub published: u64,
    /// Full tiles that were looked at.
    pub tiles: usize,
}

impl<'a> StoredLog<'a> {
    /// Of this stack, whose first event the client has proven.
    pub fn of(stack: &'a Stack) -> Self {
        let endpoint = &stack.endpoint;
        let (id, secret, token) =
            (&endpoint.access_key_id, &endpoint.secret_access_key, endpoint.session_token.clone());
        let config = config_for(
            Some(Region::new(endpoint.region.clone())),
            Some(endpoint.url.clone()),
            SharedCredentialsProvider::new(Credentials::new(id, secret, token, None, "story")),
        );
        let named = |name: &str| Some(stack.output(name).to_owned());
        let tables = Tables { blocks: named("BlocksTable"), sealed: named("SealedTable"), ..Tables::default() };
        let genesis = stack.vault().genesis().expect("the vault's first event");
        let key = VerifierKey::new(&genesis.origin, SignatureType::Ed25519, &genesis.log_key.0).expect("a log key");
        Self {
            stack,
            store: DynamoStore::new(&config, tables),
            files: S3LogFiles::new(&config, stack.output("LedgerBucket")),
            policy: Policy::new(key, None, Vec::new(), 0).expect("a policy"),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
        }
    }

    /// The published checkpoint, whose signature is the log key's.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let published = self.runtime.block_on(self.files.published()).expect("reads")?;
        Some(self.policy.accept(published.note.as_bytes()).expect("the log's own checkpoint").checkpoint)
    }

    /// How long it takes from now until an event stands under a published checkpoint.
    pub fn until_published(&self, leaf: Hash, patience: Duration) -> Duration {
        let begun = Instant::now();
        let mut index = None;
        while begun.elapsed() < patience {
            index = index.or_else(|| self.places(&[leaf])[0].map(|place| place.index));
            if index.is_some_and(|index| self.checkpoint().is_some_and(|signed| signed.size() > index)) {
                return begun.elapsed();
            }
            std::thread::sleep(POLL);
        }
        panic!("not under a published checkpoint within {patience:?}; its index is {index:?}");
    }

    /// Waits until every event of the Events table is sealed and published; `meanwhile` runs between two looks. What must hold always, is checked each time.
    pub fn until_all_is_sealed(&self, patience: Duration, mut meanwhile: impl FnMut()) -> Standing {
        let begun = Instant::now();
        loop {
            let events = self.events();
            let standing = self.standing();
            if standing.published == standing.size && events.keys().all(|place| standing.events.contains_key(place)) {
                assert_eq!(standing.events, self.events(), "what is sealed is what stands in the table");
                return standing;
            }
            let open: Vec<_> = events.keys().filter(|place| !standing.events.contains_key(place)).take(5).collect();
            let (size, published) = (standing.size, standing.published);
            assert!(
                begun.elapsed() < patience,
                "after {patience:?}: {open:?} not sealed, {published} of {size} signed"
            );
            meanwhile();
        }
    }

    /// Every event of the table, by place.
    fn events(&self) -> BTreeMap<EventRef, Hash> {
        let place_and_leaf = |item: &Value| {
            let text = |name: &str, kind: &str| item[name][kind].as_str().expect("an attribute");
            let place = EventRef {
                stream: text("stream", "S").parse().expect("a stream"),
                seq: text("seq", "N").parse().expect("a number"),
            };
            let body = String::from_utf8(hex::decode(text("body", "B")).expect("hex")).expect("UTF-8");
            (place, StoredEvent::new(place, body).leaf)
        };
        Hands(self.stack).items("EventsTable").iter().map(place_and_leaf).collect()
    }

    fn places(&self, leaves: &[Hash]) -> Vec<Option<LeafPlace>> {
        self.runtime.block_on(self.store.leaf_places(leaves)).expect("reads")
    }

    fn block(&self, height: u64) -> Option<Block> {
        self.runtime.block_on(self.store.block(height)).expect("reads")
    }

    /// Reads all of it, and checks what must hold at any moment.
    pub fn standing(&self) -> Standing {
        // In this order: whatever is signed was a block before, with all that follows from it.
        let signed = self.checkpoint();
        let mut standing = Standing { published: signed.as_ref().map_or(0, Checkpoint::size), ..Standing::default() };
        let (mut last, mut map) = (None, Map::default());
        while let Some(block) = self.block(standing.blocks) {
            for tile in block.follow(last.as_ref()).expect("blocks follow one another") {
                standing.tiles += 1;
                if block.seal().size() <= standing.published {
                    let kept = self.runtime.block_on(self.files.tile(&tile.address)).expect("reads");
                    assert_eq!(kept, Some(tile.hashes), "{}", tile.address);
                }
            }
            for event in block.events() {
                let before = standing.events.insert(event.place, event.leaf);
                assert_eq!(before, None, "{} is in two blocks", event.place);
            }
            if block.seal().size() <= standing.published {
                self.places_are(&block);
            }
            map.follow(&block);
            if let Some(signed) = signed.as_ref().filter(|signed| signed.size() == block.seal().size()) {
                assert_eq!(signed.root(), block.edge().root(), "what is signed is the log of the blocks");
                self.pages_are(&map, block.seal().height());
            }
            standing.blocks += 1;
            standing.size = block.seal().size();
            last = Some(block);
        }
        assert!(standing.published <= standing.size, "more is signed than there is");
        standing
    }

    /// The index says of a block's leaves where they are.
    fn places_are(&self, block: &Block) {
        let (leaves, height): (Vec<Hash>, _) =
            (block.events().iter().map(|event| event.leaf).collect(), block.seal().height());
        let expected = (block.seal().first_index()..).take(leaves.len()).map(|index| Some(LeafPlace { index, height }));
        assert_eq!(self.places(&leaves), expected.collect::<Vec<_>>(), "leaves of block {height}");
    }

    /// The map's pages are there as they were after this block, unless they have changed twice since.
    fn pages_are(&self, map: &Map, height: u64) {
        let ids: Vec<PageId> = map.0.keys().copied().collect();
        let found = self.runtime.block_on(self.store.map_pages(&ids, height)).expect("reads");
        for (id, MapPage { height: of_page, page }) in found {
            assert!(of_page <= height && page == map.0[&id], "page {id} after block {height}");
        }
    }
}

/// The map, made from the blocks' operations alone.
#[derive(Default)]
struct Map(BTreeMap<PageId, Page>, Option<Hash>);

impl Map {
    fn follow(&mut self, block: &Block) {
        let operations = block.operations().iter().map(|bytes| Operation::from_bytes(bytes).expect("an operation"));
        let operations: Vec<Operation> = operations.collect();
        let updated = update(self.1.unwrap_or(Hash::ZERO), &self.0, &operations).expect("all pages are at hand");
        assert_eq!(updated.root, block.seal().map().root, "the map's root of block {}", block.seal().height());
        self.0.extend(updated.pages);
        self.1 = Some(updated.root);
    }
}
