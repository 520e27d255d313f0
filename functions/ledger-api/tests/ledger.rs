//! What anybody is shown of the ledger, checked as anybody would.

use chartseal_events::encoding::from_base64url;
use chartseal_events::wire::{LedgerBlock, LedgerProof};
use chartseal_events::{Code, EventRef, Hash, StreamId};
use chartseal_http::testing::{ORIGIN, Stage, call, document, refused};
use chartseal_http::{Answer, Cache, File};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{
    BlockStore as _, LeafPlace, LogFiles as _, LogKey as _, LogSigner as _, Race, SealedIndex as _,
};
use chartseal_infra::witnesses::Witnesses;
use chartseal_ledger::block::{Block, SealedEvent};
use chartseal_ledger::chain::Chain;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::seal::{MapState, Seal};
use chartseal_ledger::tile::{TileAddress, VerifiedTiles, partial_tiles, tiles_for};
use chartseal_ledger::tree::{Proof, Span, consistency, inclusion};
use chartseal_ledger_api::{Ledger, LogClock};

type Function =
    Ledger<MemoryVault, MemoryVault, MemoryVault, MemoryVault, MemoryVault, LogClock<MemoryVault, MemoryVault>>;

fn leaf(number: u64) -> Hash {
    Hash::of(&[&number.to_be_bytes()])
}

/// A log, block by block.
struct Log {
    stage: Stage,
    events: u64,
    last: Option<Block>,
    policy: Policy,
}

impl Log {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let key = stage.vault.public_key().await.expect("a key");
        let key = VerifierKey::new(ORIGIN, SignatureType::Ed25519, &key.0).expect("a key");
        let policy = Policy::new(key, None, vec![], 0).expect("a policy");
        Self { stage, events: 0, last: None, policy }
    }

    fn function(&self) -> Function {
        let vault = &self.stage.vault;
        Ledger {
            origin: ORIGIN.to_owned(),
            blocks: vault.clone(),
            index: vault.clone(),
            files: vault.clone(),
            events: vault.clone(),
            clock: vault.clone(),
            timekeeper: LogClock::new(ORIGIN.to_owned(), vault.clone(), vault.clone()),
            witnesses: Witnesses::default(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        call(&self.function(), &self.stage.send("GET", path, "")).await
    }

    /// Commits a block, and writes what follows from it.
    async fn seal(&mut self, events: u64) {
        let seqs = self.events..self.events + events;
        let sealed = seqs.map(|seq| SealedEvent { place: EventRef { stream: StreamId::Vault, seq }, leaf: leaf(seq) });
        let block = Block::next(self.last.as_ref(), self.stage.now_ms(), sealed.collect(), MapState::NONE, vec![]);
        let block = block.expect("a block");
        let (vault, seal) = (&self.stage.vault, block.seal());
        assert_eq!(vault.put_block(&block).await.expect("writes"), Race::Won);
        let place = |index| LeafPlace { index, height: seal.height() };
        let places: Vec<_> =
            (seal.first_index()..).zip(block.events()).map(|(index, event)| (event.leaf, place(index))).collect();
        vault.put_leaf_places(&places).await.expect("writes");
        for tile in block.follow(self.last.as_ref()).expect("follows") {
            vault.put_tile(&tile).await.expect("writes");
        }
        self.events += events;
        self.last = Some(block);
    }

    async fn publish(&self) {
        let edge = self.last.as_ref().expect("a block").edge();
        let mut note = Checkpoint::new(ORIGIN, edge.size(), edge.root()).expect("a checkpoint").to_note();
        let vault = &self.stage.vault;
        let signature = vault.sign(note.text().as_bytes()).await.expect("signs");
        let key = vault.public_key().await.expect("a key");
        let key = VerifierKey::new(ORIGIN, SignatureType::Ed25519, &key.0).expect("a key");
        note.sign(&key, &signature.0).expect("signs");
        let before = vault.published().await.expect("reads");
        assert_eq!(vault.publish(&note.to_string(), before.as_ref()).await.expect("writes"), Race::Won);
    }

    async fn checkpoint(&self) -> Checkpoint {
        let answer = self.get("/ledger/checkpoint").await;
        assert_eq!((answer.status, answer.cache), (200, Cache::Seconds(1)));
        let Some(File::Text(note)) = answer.file else { panic!("not a note") };
        self.policy.accept(note.as_bytes()).expect("signed").checkpoint
    }

    async fn tile(&self, address: TileAddress) -> Vec<u8> {
        let answer = self.get(&format!("/ledger/{address}")).await;
        assert_eq!((answer.status, answer.cache), (200, Cache::Forever), "{address}");
        let Some(File::Bytes(bytes)) = answer.file else { panic!("not a tile") };
        bytes
    }

    /// What every reader does with a proof.
    async fn prove(&self, number: u64) -> u64 {
        let proof: LedgerProof = document(&self.get(&format!("/ledger/proof/{}", leaf(number))).await, 200);
        let head = self.policy.accept(proof.checkpoint.as_bytes()).expect("signed").checkpoint;
        let seal = Seal::from_bytes(&from_base64url(&proof.seal).expect("base64url")).expect("a seal");
        let verify = |hashes: &[Hash], index, leaf| {
            let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
            let path = Proof::from_bytes(&bytes).expect("hashes");
            inclusion::verify(&path, index, leaf, head.size(), head.root()).expect("included");
        };
        verify(&proof.inclusion, proof.index, leaf(number));
        verify(&proof.seal_inclusion, seal.index(), seal.leaf_hash());
        assert!((seal.first_index()..seal.index()).contains(&proof.index));
        assert_eq!(seal.height(), proof.height);
        proof.height
    }
}

#[tokio::test]
async fn before_the_first_block_there_is_nothing() {
    let log = Log::new().await;
    let leaf = leaf(0);
    for path in ["checkpoint", "tile/0/000", "tile/0/000.p/1", "blocks/0", &format!("proof/{leaf}")] {
        assert_eq!(refused(&log.get(&format!("/ledger/{path}")).await), Code::NotFound, "{path}");
    }
}

#[tokio::test]
async fn every_leaf_is_proven_against_the_signed_head() {
    let mut log = Log::new().await;
    for events in [1, 2, 700, 9] {
        log.seal(events).await;
        log.publish().await;
    }
    for (number, height) in [(0, 0), (1, 1), (2, 1), (3, 2), (500, 2), (702, 2), (703, 3), (711, 3)] {
        assert_eq!(log.prove(number).await, height, "{number}");
    }
    assert_eq!(refused(&log.get(&format!("/ledger/proof/{}", leaf(712))).await), Code::NotFound);
}

#[tokio::test]
async fn a_mirror_follows_the_log_from_blocks_and_tiles_alone() {
    let mut log = Log::new().await;
    let (mut chain, mut old) = (Chain::new(), None::<Checkpoint>);
    for (height, events) in [1, 300, 700].into_iter().enumerate() {
        log.seal(events).await;
        log.publish().await;
        let block: LedgerBlock = document(&log.get(&format!("/ledger/blocks/{height}")).await, 200);
        let seal = Seal::from_bytes(&from_base64url(&block.seal).expect("base64url")).expect("a seal");
        let root = chain.follow(&seal, &block.leaves).expect("follows");
        let head = log.checkpoint().await;
        assert_eq!((head.size(), head.root()), (seal.size(), root));

        let old_size = old.as_ref().map_or(0, Checkpoint::size);
        let mut tiles = Vec::new();
        for address in tiles_for(&consistency::spans(old_size, head.size()), head.size()) {
            tiles.push((address, log.tile(address).await));
        }
        let tiles = VerifiedTiles::new(head.size(), head.root(), tiles).expect("the log's");
        if let Some(old) = old.replace(head.clone()) {
            let proof = consistency::prove(old_size, head.size(), &tiles).expect("tiles are there");
            head.extends(&old, &proof).expect("only grew");
        }
        assert!(tiles_for(&[Span { start: 0, end: 1 }], head.size()).len() <= 3);
    }
}

#[tokio::test]
async fn an_older_partial_tile_is_the_beginning_of_what_is_there_now() {
    let mut log = Log::new().await;
    log.seal(100).await;
    log.publish().await;
    let early = log.tile("tile/0/000.p/101".parse().expect("a tile")).await;
    log.seal(10).await;
    log.publish().await;
    assert_eq!(log.tile("tile/0/000.p/101".parse().expect("a tile")).await, early);
    log.seal(400).await;
    log.publish().await;
    assert_eq!(log.tile("tile/0/000.p/101".parse().expect("a tile")).await, early);
    assert_eq!(log.tile("tile/0/000".parse().expect("a tile")).await[..early.len()], early);
    for address in partial_tiles(log.checkpoint().await.size()) {
        log.tile(address).await;
    }
    for beyond in ["tile/0/002.p/9", "tile/0/003.p/1", "tile/0/003", "tile/1/000", "tile/2/000.p/1"] {
        assert_eq!(refused(&log.get(&format!("/ledger/{beyond}")).await), Code::NotFound, "{beyond}");
    }
}

#[tokio::test]
async fn what_is_not_published_is_not_shown() {
    let mut log = Log::new().await;
    log.seal(5).await;
    log.publish().await;
    log.seal(3).await;
    assert_eq!(refused(&log.get("/ledger/blocks/1").await), Code::NotFound);
    assert_eq!(refused(&log.get("/ledger/tile/0/000.p/7").await), Code::NotFound);
    assert_eq!(refused(&log.get(&format!("/ledger/proof/{}", leaf(6))).await), Code::NotFound);
    assert_eq!(log.prove(3).await, 0);
    log.publish().await;
    assert_eq!(log.prove(6).await, 1);
}

#[tokio::test]
async fn a_place_has_one_spelling() {
    let mut log = Log::new().await;
    log.seal(5).await;
    log.publish().await;
    let too_long = "0".repeat(65);
    let upper = leaf(0).to_string().to_uppercase();
    for path in [
        "tile/0/0",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/06",
        "tile/8/000",
        "tile/",
        "tile/../checkpoint",
        "tile/entries/000",
        "blocks/00",
        "blocks/+1",
        "blocks/-1",
        "blocks/",
        "blocks/18446744073709551616",
        "proof/",
        "proof/0",
        &format!("proof/{too_long}"),
        &format!("proof/{upper}"),
    ] {
        assert_eq!(refused(&log.get(&format!("/ledger/{path}")).await), Code::BadPlace, "{path}");
    }
}

#[tokio::test]
async fn damage_is_no_answer() {
    let mut log = Log::new().await;
    log.seal(5).await;
    log.publish().await;
    let place = LeafPlace { index: 3, height: 0 };
    log.stage.vault.put_leaf_places(&[(leaf(1), place)]).await.expect("writes");
    assert_eq!(refused(&log.get(&format!("/ledger/proof/{}", leaf(1))).await), Code::Internal);
    log.stage.vault.restore_blocks(0);
    assert_eq!(refused(&log.get(&format!("/ledger/proof/{}", leaf(2))).await), Code::Internal);
}
