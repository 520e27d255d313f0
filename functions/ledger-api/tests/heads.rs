//! The heads that are shown: when each was the newest, by the log's clock, and who has cosigned it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chartseal_events::wire::LedgerProof;
use chartseal_events::{Code, EventRef, Hash, StreamId};
use chartseal_http::testing::{ORIGIN, Stage, call, document, refused};
use chartseal_http::{Cache, File};
use chartseal_infra::faulty::{Call, Fault, Faulty};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{
    BlockStore as _, Clock, ClockKey as _, Cosignatures as _, Cosigned, Heard, LeafPlace, LogFiles as _, LogKey as _,
    LogSigner as _, Race, SealedIndex as _,
};
use chartseal_ledger::block::{Block, SealedEvent};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::{Note, SignatureType, VerifierKey};
use chartseal_ledger::policy::{Freshness, Policy, RefusedCheckpoint};
use chartseal_ledger::seal::MapState;
use chartseal_ledger_api::{Ledger, LogClock, PAUSE_MS, REUSE_MS};
use ed25519_dalek::{Signer as _, SigningKey};

/// A clock that may be off.
#[derive(Clone)]
struct Hand(MemoryVault, Arc<AtomicI64>);

impl Clock for Hand {
    fn now_ms(&self) -> u64 {
        self.0.now_ms().checked_add_signed(self.1.load(Ordering::Relaxed)).expect("a time")
    }
}

type Ports = Faulty<MemoryVault>;

/// A log with its clock and two witnesses.
struct Scene {
    stage: Stage,
    ports: Ports,
    off_ms: Arc<AtomicI64>,
    function: Ledger<Ports, Ports, Ports, Ports, Hand, LogClock<Ports, Hand>>,
    last: Option<Block>,
    log: VerifierKey,
    clock: VerifierKey,
}

fn secret(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn witness(number: u8) -> VerifierKey {
    let public = secret(number).verifying_key().to_bytes();
    VerifierKey::new(&format!("w{number}.example"), SignatureType::Cosignature, &public).expect("a key")
}

fn leaf(number: u64) -> Hash {
    Hash::of(&[&number.to_be_bytes()])
}

impl Scene {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let vault = stage.vault.clone();
        let ports = Faulty::new(vault.clone());
        let off_ms = Arc::new(AtomicI64::new(0));
        let hand = Hand(vault.clone(), Arc::clone(&off_ms));
        let witnesses = [1, 2].map(|number| format!("https://w{number}.example {}", witness(number))).join(",");
        let function = Ledger {
            blocks: ports.clone(),
            index: ports.clone(),
            files: ports.clone(),
            origin: ORIGIN.to_owned(),
            events: ports.clone(),
            clock: hand.clone(),
            timekeeper: LogClock::new(ORIGIN.to_owned(), ports.clone(), hand),
            witnesses: witnesses.parse().expect("witnesses"),
        };
        let log = vault.public_key().await.expect("a key");
        let log = VerifierKey::new(ORIGIN, SignatureType::Ed25519, &log.0).expect("a key");
        let clock = VerifierKey::of_clock(ORIGIN, &vault.clock_key().await.expect("a key").0).expect("a key");
        Self { stage, ports, off_ms, function, last: None, log, clock }
    }

    /// One more block of one event, published.
    async fn grow(&mut self) {
        let vault = &self.stage.vault;
        let seq = self.last.as_ref().map_or(0, |last| last.seal().height() + 1);
        let event = SealedEvent { place: EventRef { stream: StreamId::Vault, seq }, leaf: leaf(seq) };
        let block = Block::next(self.last.as_ref(), vault.now_ms(), vec![event], MapState::NONE, vec![]);
        let block = block.expect("a block");
        let place = LeafPlace { index: block.seal().first_index(), height: block.seal().height() };
        vault.put_leaf_places(&[(leaf(seq), place)]).await.expect("writes");
        assert_eq!(vault.put_block(&block).await.expect("writes"), Race::Won);
        for tile in block.follow(self.last.as_ref()).expect("follows") {
            vault.put_tile(&tile).await.expect("writes");
        }
        let mut note = Checkpoint::new(ORIGIN, block.edge().size(), block.edge().root()).expect("a head").to_note();
        let signature = vault.sign(note.text().as_bytes()).await.expect("signs");
        note.sign(&self.log, &signature.0).expect("signs");
        let before = vault.published().await.expect("reads");
        assert_eq!(vault.publish(&note.to_string(), before.as_ref()).await.expect("writes"), Race::Won);
        self.last = Some(block);
    }

    /// A witness cosigns what is published, and the vault hears of it.
    async fn cosigned_by(&self, number: u8) -> Note {
        let vault = &self.stage.vault;
        let mut note = Note::parse(vault.published().await.expect("reads").expect("a head").note.as_bytes()).unwrap();
        let at_s = vault.now_ms() / 1_000;
        let signature = secret(number).sign(note.cosignature_message(at_s).as_bytes()).to_bytes();
        note.cosign(&witness(number), at_s, &signature).expect("cosigns");
        let line = note.signatures().last().expect("a line").to_string();
        let size = Checkpoint::parse(note.text()).expect("a head").size();
        vault.put_heard(witness(number).id(), &Heard { size, line }).await.expect("writes");
        note
    }

    /// Enough have cosigned this note.
    async fn keep(&self, note: &Note) {
        let size = Checkpoint::parse(note.text()).expect("a head").size();
        let cosigned = Cosigned { size, witnesses: 1, note: note.to_string() };
        self.stage.vault.put_cosigned(&cosigned).await.expect("writes");
    }

    async fn note(&self, path: &str) -> String {
        let answer = call(&self.function, &self.stage.send("GET", path, "")).await;
        assert_eq!((answer.status, answer.cache), (200, Cache::Seconds(1)), "{path}");
        let Some(File::Text(note)) = answer.file else { panic!("not a note") };
        note
    }

    fn policy(&self, witnesses: &[u8], quorum: usize) -> Policy {
        let witnesses = witnesses.iter().map(|number| witness(*number)).collect();
        Policy::new(self.log.clone(), Some(self.clock.clone()), witnesses, quorum).expect("a policy")
    }

    /// When the newest checkpoint was so, as the clock says.
    async fn said(&self) -> Option<u64> {
        let note = self.note("/ledger/checkpoint").await;
        self.policy(&[], 0).accept(note.as_bytes()).expect("the log's").cosigned_s.first().copied()
    }

    fn signatures(&self) -> usize {
        self.ports.plan().take_calls().into_iter().filter(|call| *call == Call::Cosign).count()
    }
}

#[tokio::test]
async fn an_idle_log_is_fresh_whenever_it_is_read_and_is_signed_once_a_minute() {
    let mut scene = Scene::new().await;
    scene.grow().await;
    let vault = scene.stage.vault.clone();
    let begun_ms = vault.now_ms();
    let fresh = scene.policy(&[], 0);
    // A week without an event.
    vault.advance(7 * 86_400_000);
    for second in 0..180 {
        let note = scene.note("/ledger/checkpoint").await;
        let now_s = vault.now_ms() / 1_000;
        let accepted = fresh.accept_fresh(note.as_bytes(), now_s, Freshness::DEFAULT).expect("fresh");
        let age_s = now_s - accepted.cosigned_s[0];
        assert!(age_s * 1_000 < REUSE_MS, "second {second}: {age_s}");
        vault.advance(1_000);
    }
    assert_eq!(scene.signatures(), 3, "once a minute, however often it is read");
    assert!(vault.now_ms() > begun_ms);
}

#[tokio::test]
async fn the_clock_says_nothing_of_one_head_for_another() {
    let mut scene = Scene::new().await;
    scene.grow().await;
    let first = scene.note("/ledger/checkpoint").await;
    scene.grow().await;
    scene.stage.vault.advance(1_000);
    let second = scene.note("/ledger/checkpoint").await;
    let policy = scene.policy(&[], 0);
    let of = |note: &str| policy.accept(note.as_bytes()).expect("both lines verify");
    assert_eq!((of(&first).checkpoint.size(), of(&second).checkpoint.size()), (2, 4));
    assert_eq!(of(&first).cosigned_s[0] + 1, of(&second).cosigned_s[0]);
    assert_eq!(scene.signatures(), 2);
}

#[tokio::test]
async fn a_clock_that_is_off_or_cannot_sign_says_nothing_and_the_head_is_shown() {
    let mut scene = Scene::new().await;
    scene.grow().await;
    let vault = scene.stage.vault.clone();
    vault.set_now(vault.now_ms() / 1_000 * 1_000);
    for off_ms in [-2_001, 3_001, -3_600_000, 3_600_000] {
        scene.off_ms.store(off_ms, Ordering::Relaxed);
        assert_eq!(scene.said().await, None, "{off_ms}");
        vault.advance(10_000_000);
    }
    for off_ms in [-2_000_i64, 3_000] {
        scene.off_ms.store(off_ms, Ordering::Relaxed);
        let now_s = vault.now_ms().checked_add_signed(off_ms).expect("a time") / 1_000;
        assert_eq!(scene.said().await, Some(now_s), "{off_ms}");
        vault.advance(10_000_000);
    }
    scene.off_ms.store(0, Ordering::Relaxed);
    scene.ports.plan().take_calls();
    scene.ports.plan().fail(Call::Cosign, scene.ports.plan().count(Call::Cosign), Fault::Before);
    assert_eq!(scene.said().await, None);
    vault.advance(PAUSE_MS - 1);
    assert_eq!(scene.said().await, None, "it is not tried at every call");
    assert_eq!(scene.signatures(), 1);
    vault.advance(1);
    assert!(scene.said().await.is_some());
}

#[tokio::test]
async fn the_newest_head_has_whatever_witnesses_say_of_it() {
    let mut scene = Scene::new().await;
    scene.grow().await;
    scene.cosigned_by(1).await;
    let both = scene.policy(&[1, 2], 2);
    let names = |note: &str| scene.policy(&[1, 2], 0).accept(note.as_bytes()).expect("the log's").witnesses;
    assert_eq!(names(&scene.note("/ledger/checkpoint").await), ["w1.example"]);
    scene.cosigned_by(2).await;
    let note = scene.note("/ledger/checkpoint").await;
    assert_eq!(both.accept(note.as_bytes()).expect("both").cosigned_s.len(), 3, "and the clock");
    // Of the next one nobody has said anything: lines over another text are not shown.
    scene.grow().await;
    let note = scene.note("/ledger/checkpoint").await;
    assert_eq!(scene.policy(&[1, 2], 0).accept(note.as_bytes()).expect("the log's").witnesses, [""; 0]);
    // Nor is what a damaged table says of it.
    let forged = Heard { size: 4, line: "— w1.example AAAAAAAAAAAAAAAA".to_owned() };
    scene.stage.vault.put_heard(witness(1).id(), &forged).await.expect("writes");
    let note = scene.note("/ledger/checkpoint").await;
    scene.policy(&[1, 2], 0).accept(note.as_bytes()).expect("still the log's");
}

#[tokio::test]
async fn the_cosigned_head_stays_until_there_is_another_and_is_dated_only_while_it_is_the_newest() {
    let mut scene = Scene::new().await;
    assert_eq!(refused(&call(&scene.function, &scene.stage.send("GET", "/ledger/cosigned", "")).await), Code::NotFound);
    scene.grow().await;
    assert_eq!(refused(&call(&scene.function, &scene.stage.send("GET", "/ledger/cosigned", "")).await), Code::NotFound);
    scene.keep(&scene.cosigned_by(1).await).await;
    let policy = scene.policy(&[1, 2], 1);
    let read = |note: String| policy.accept(note.as_bytes()).expect("cosigned");
    assert_eq!(read(scene.note("/ledger/cosigned").await).cosigned_s.len(), 2);
    // The second one comes later.
    scene.cosigned_by(2).await;
    assert_eq!(read(scene.note("/ledger/cosigned").await).witnesses, ["w1.example", "w2.example"]);
    scene.grow().await;
    let older = read(scene.note("/ledger/cosigned").await);
    assert_eq!((older.checkpoint.size(), older.cosigned_s.len()), (2, 1), "it is not the newest any more");
    let newest = scene.note("/ledger/checkpoint").await;
    assert_eq!(policy.accept(newest.as_bytes()), Err(RefusedCheckpoint::Quorum { required: 1, found: 0 }));
}

#[tokio::test]
async fn a_leaf_is_proven_against_the_cosigned_head_if_that_has_it() {
    let mut scene = Scene::new().await;
    for _ in 0..130 {
        scene.grow().await;
    }
    scene.keep(&scene.cosigned_by(1).await).await;
    let cosigned = scene.last.as_ref().expect("a block").seal().size();
    for _ in 0..3 {
        scene.grow().await;
    }
    let proof = async |number| {
        let path = format!("/ledger/proof/{}", leaf(number));
        document::<LedgerProof>(&call(&scene.function, &scene.stage.send("GET", &path, "")).await, 200)
    };
    for number in [0, 1, 64, 128, 129, 130, 132] {
        let proof = proof(number).await;
        let hashes: Vec<u8> = proof.inclusion.iter().flat_map(|hash| hash.0).collect();
        let path = chartseal_ledger::tree::Proof::from_bytes(&hashes).expect("hashes");
        let accepted =
            scene.policy(&[1], usize::from(number < 130)).accept(proof.checkpoint.as_bytes()).expect("signed");
        let head = &accepted.checkpoint;
        assert_eq!(head.size(), if number < 130 { cosigned } else { cosigned + 6 }, "{number}");
        chartseal_ledger::tree::inclusion::verify(&path, proof.index, leaf(number), head.size(), head.root())
            .unwrap_or_else(|error| panic!("{number}: {error}"));
    }
}
