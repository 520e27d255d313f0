//! What operators and auditors are shown of a block's events, and what nobody else is.

use std::collections::BTreeSet;

use chartseal_events::command::{AuditorRemove, OperatorRemove};
use chartseal_events::event::{Envelope, StoredEvent, UploadExpired, leaf_hash};
use chartseal_events::wire::LedgerEvents;
use chartseal_events::{Bytes, Code, EventRef, Hash, Id, StreamId};
use chartseal_http::testing::{ORIGIN, Stage, Wallet, call, document, refused};
use chartseal_http::{Answer, Cache};
use chartseal_infra::ports::{
    Append, BlockStore as _, EventStore as _, LogFiles as _, LogKey as _, LogSigner as _, Race,
};
use chartseal_infra::witnesses::Witnesses;
use chartseal_ledger::block::{Block, SealedEvent};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::seal::MapState;
use chartseal_ledger_api::{Ledger, LogClock};

/// A vault whose events are put into blocks by hand.
struct Log {
    stage: Stage,
    sealed: BTreeSet<EventRef>,
    blocks: Vec<Block>,
}

impl Log {
    async fn new() -> Self {
        Self { stage: Stage::new().await, sealed: BTreeSet::new(), blocks: Vec::new() }
    }

    async fn get(&self, wallet: &Wallet, path: &str) -> Answer {
        let vault = &self.stage.vault;
        let ledger = Ledger {
            origin: ORIGIN.to_owned(),
            blocks: vault.clone(),
            index: vault.clone(),
            files: vault.clone(),
            events: vault.clone(),
            clock: vault.clone(),
            timekeeper: LogClock::new(ORIGIN.to_owned(), vault.clone(), vault.clone()),
            witnesses: Witnesses::default(),
        };
        call(&ledger, &self.stage.get(wallet, path)).await
    }

    /// Puts every event that is in no block into the next one; gives its height.
    async fn commit(&mut self) -> usize {
        let vault = &self.stage.vault;
        let new: Vec<_> = vault.events().into_iter().filter(|event| self.sealed.insert(event.at)).collect();
        let sealed = new.iter().map(|event| SealedEvent { place: event.at, leaf: event.leaf }).collect();
        let block = Block::next(self.blocks.last(), self.stage.now_ms(), sealed, MapState::NONE, vec![]);
        let block = block.expect("a block");
        assert_eq!(vault.put_block(&block).await.expect("writes"), Race::Won);
        self.blocks.push(block);
        self.blocks.len() - 1
    }

    async fn publish(&self) {
        let edge = self.blocks.last().expect("a block").edge();
        let mut note = Checkpoint::new(ORIGIN, edge.size(), edge.root()).expect("a checkpoint").to_note();
        let vault = &self.stage.vault;
        let signature = vault.sign(note.text().as_bytes()).await.expect("signs");
        let key = vault.public_key().await.expect("a key");
        let key = VerifierKey::new(ORIGIN, SignatureType::Ed25519, &key.0).expect("a key");
        note.sign(&key, &signature.0).expect("signs");
        let before = vault.published().await.expect("reads");
        assert_eq!(vault.publish(&note.to_string(), before.as_ref()).await.expect("writes"), Race::Won);
    }

    async fn seal(&mut self) -> usize {
        let height = self.commit().await;
        self.publish().await;
        height
    }

    /// Appends events with bodies of about so many bytes to a stream of its own.
    async fn grow(&self, events: u64, body_bytes: usize) {
        let stream = StreamId::Record(Id::from_parts(7, [7; 10]));
        let mut prev = Hash::ZERO;
        for seq in 0..events {
            let seen = [];
            let envelope = Envelope {
                place: EventRef { stream, seq },
                prev,
                at_ms: self.stage.now_ms(),
                seen: &seen,
                nonce: Bytes([1; 16]),
                command: None,
            };
            let body =
                StoredEvent::write(envelope, &UploadExpired { version: 1, announced: 1 }.into()).expect("writes");
            // White space is JSON, and as good as anything else that makes a body long.
            let body = body.body + &" ".repeat(body_bytes);
            let event = StoredEvent::new(EventRef { stream, seq }, body);
            prev = event.leaf;
            let append = Append { events: vec![event], at_ms: self.stage.now_ms(), ..Append::default() };
            self.stage.vault.append(&append).await.expect("appends");
        }
    }

    /// The bodies of a block, call by call, and how many calls that took.
    async fn bodies(&self, wallet: &Wallet, height: usize) -> (Vec<String>, usize) {
        let (mut bodies, mut calls, mut next) = (Vec::new(), 0, Some(0));
        while let Some(first) = next {
            let answer = self.get(wallet, &format!("/ledger/blocks/{height}/events/{first}")).await;
            assert_eq!(answer.cache, Cache::Never);
            assert!(serde_json::to_string(&answer.json).expect("JSON").len() < 5_000_000, "{}", answer.json.len());
            let page: LedgerEvents = document(&answer, 200);
            assert_eq!((page.height, page.first), (height as u64, first));
            assert!(!page.bodies.is_empty());
            bodies.extend(page.bodies);
            calls += 1;
            next = page.next;
            assert!(next.is_none_or(|next| next as usize == bodies.len()));
        }
        (bodies, calls)
    }
}

fn leaves(bodies: &[String]) -> Vec<Hash> {
    bodies.iter().map(|body| leaf_hash(body.as_bytes())).collect()
}

fn leaves_of(block: &Block) -> Vec<Hash> {
    block.events().iter().map(|event| event.leaf).collect()
}

#[tokio::test]
async fn operators_and_auditors_read_what_was_sealed() {
    let mut log = Log::new().await;
    log.seal().await;
    let auditor = log.stage.auditor().await;
    log.stage.hospital("St. Mary").await;
    log.seal().await;
    for wallet in [&log.stage.operator.clone(), &auditor] {
        for height in 0..2 {
            let (bodies, calls) = log.bodies(wallet, height).await;
            assert_eq!((leaves(&bodies), calls), (leaves_of(&log.blocks[height]), 1));
        }
    }
    let page: LedgerEvents = document(&log.get(&auditor, "/ledger/blocks/1/events/3").await, 200);
    assert_eq!((leaves(&page.bodies), page.next), (leaves_of(&log.blocks[1])[3..].to_vec(), None));
}

#[tokio::test]
async fn nobody_else_reads_it() {
    let mut log = Log::new().await;
    let (auditor, second) = (log.stage.auditor().await, Wallet::operator(0xA2));
    let add = chartseal_events::command::OperatorAdd { sign_key: second.sign_key() };
    log.stage.taken(&log.stage.operator, add, &[]).await;
    let member = log.stage.hospital("St. Mary").await;
    let pending = log.stage.registered("St. Paul").await;
    let suspended = log.stage.hospital("St. Peter").await;
    log.stage.suspended(suspended.provider()).await;
    log.seal().await;
    let path = "/ledger/blocks/0/events/0";
    let stranger = log.stage.new_wallet();
    for (wallet, code) in [
        (&member, Code::NotAuditor),
        (&pending, Code::ProviderPending),
        (&suspended, Code::ProviderSuspended),
        (&stranger, Code::UnknownSigner),
    ] {
        assert_eq!(refused(&log.get(wallet, path).await), code);
    }
    // Who may not read learns nothing of what there is.
    for path in ["/ledger/blocks/7/events/0", "/ledger/blocks/x/events/0"] {
        assert_eq!(refused(&log.get(&member, path).await), Code::NotAuditor);
    }

    assert_eq!(log.get(&auditor, path).await.status, 200);
    assert_eq!(log.get(&second, path).await.status, 200);
    let remove = AuditorRemove { auditor: auditor.thumbprint() };
    log.stage.taken(&second, remove, &[("reason", "the audit is over")]).await;
    let remove = OperatorRemove { operator: second.thumbprint() };
    log.stage.taken(&second, remove, &[("reason", "left")]).await;
    assert_eq!(refused(&log.get(&auditor, path).await), Code::UnknownSigner);
    assert_eq!(refused(&log.get(&second, path).await), Code::UnknownSigner);
}

#[tokio::test]
async fn what_is_not_published_or_not_there_is_not_shown() {
    let mut log = Log::new().await;
    let operator = log.stage.operator.clone();
    assert_eq!(refused(&log.get(&operator, "/ledger/blocks/0/events/0").await), Code::NotFound);
    log.seal().await;
    log.stage.auditor().await;
    log.commit().await;
    assert_eq!(refused(&log.get(&operator, "/ledger/blocks/1/events/0").await), Code::NotFound);
    log.publish().await;
    assert_eq!(log.get(&operator, "/ledger/blocks/1/events/0").await.status, 200);
    for place in ["1/events/1", "2/events/0", "1/events/4294967295"] {
        assert_eq!(refused(&log.get(&operator, &format!("/ledger/blocks/{place}")).await), Code::NotFound, "{place}");
    }
    for place in
        ["01/events/0", "1/events/00", "1/events/+0", "1/events/", "/events/0", "1/events/4294967296", "-1/events/0"]
    {
        assert_eq!(refused(&log.get(&operator, &format!("/ledger/blocks/{place}")).await), Code::BadPlace, "{place}");
    }
}

#[tokio::test]
async fn an_answer_is_bounded_and_the_next_one_goes_on() {
    let mut log = Log::new().await;
    log.seal().await;
    log.grow(650, 16_000).await;
    let operator = log.stage.operator.clone();
    let height = log.seal().await;
    let (bodies, calls) = log.bodies(&operator, height).await;
    assert_eq!(leaves(&bodies), leaves_of(&log.blocks[height]));
    assert_eq!(calls, 4, "some 10.6 MB in answers of 3 MiB");
}

#[tokio::test]
async fn what_is_not_as_it_was_sealed_is_damage() {
    let mut log = Log::new().await;
    log.stage.hospital("St. Mary").await;
    log.seal().await;
    let operator = log.stage.operator.clone();
    let place = log.blocks[0].events()[2].place;
    log.stage.vault.tamper(place, "another");
    // Those before it are not shown either: one answer is good or it is none.
    assert_eq!(refused(&log.get(&operator, "/ledger/blocks/0/events/0").await), Code::Internal);
    assert_eq!(log.get(&operator, "/ledger/blocks/0/events/3").await.status, 200);
    log.stage.vault.delete_event(place);
    assert_eq!(refused(&log.get(&operator, "/ledger/blocks/0/events/0").await), Code::Internal);
}
