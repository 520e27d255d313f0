//! Witnesses on this machine, honest and not, and what is kept of what they say.

#[path = "../../../tests/src/witness.rs"]
#[allow(dead_code, reason = "the stories use other parts of it")]
mod witness;

use std::time::{Duration, Instant};

use chartseal_cosign::{Cosigning, Https, Report, TIMEOUT, Uncosigned, Woken};
use chartseal_events::{EventRef, Hash, StreamId};
use chartseal_http::testing::{ORIGIN, Stage};
use chartseal_infra::faulty::{Call, Fault, Faulty};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{
    BlockStore as _, Clock as _, Cosignatures as _, Cosigned, Heard, LogFiles as _, LogKey as _, LogSigner as _, Race,
};
use chartseal_infra::witnesses::Witnesses;
use chartseal_ledger::block::{Block, SealedEvent};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::seal::MapState;
use witness::{Manner, Witness};

/// A log, and its witnesses.
struct Scene {
    vault: MemoryVault,
    ports: Faulty<MemoryVault>,
    log: VerifierKey,
    last: Option<Block>,
    witnesses: Vec<Witness>,
    quorum: usize,
}

impl Scene {
    async fn new(manners: &[Manner], quorum: usize) -> Self {
        let vault = Stage::new().await.vault;
        let log = vault.public_key().await.expect("a key");
        let log = VerifierKey::new(ORIGIN, SignatureType::Ed25519, &log.0).expect("a key");
        let witnesses: Vec<_> = (1..).zip(manners).map(|(number, manner)| Witness::start(number, *manner)).collect();
        for witness in &witnesses {
            witness.know(&log);
        }
        let mut scene = Self { ports: Faulty::new(vault.clone()), vault, log, last: None, witnesses, quorum };
        scene.grow(3).await;
        scene
    }

    /// Blocks of one event, the last one published.
    async fn grow(&mut self, blocks: u64) {
        let vault = &self.vault;
        for _ in 0..blocks {
            let seq = self.last.as_ref().map_or(0, |last| last.seal().height() + 1);
            let leaf = Hash::of(&[&seq.to_be_bytes()]);
            let event = SealedEvent { place: EventRef { stream: StreamId::Vault, seq }, leaf };
            let block = Block::next(self.last.as_ref(), vault.now_ms(), vec![event], MapState::NONE, vec![]);
            let block = block.expect("a block");
            assert_eq!(vault.put_block(&block).await.expect("writes"), Race::Won);
            for tile in block.follow(self.last.as_ref()).expect("follows") {
                vault.put_tile(&tile).await.expect("writes");
            }
            self.last = Some(block);
        }
        let edge = self.last.as_ref().expect("a block").edge();
        let checkpoint = Checkpoint::new(ORIGIN, edge.size(), edge.root()).expect("a head");
        self.publish(&checkpoint).await;
    }

    async fn publish(&self, checkpoint: &Checkpoint) {
        let mut note = checkpoint.to_note();
        let signature = self.vault.sign(note.text().as_bytes()).await.expect("signs");
        note.sign(&self.log, &signature.0).expect("signs");
        let before = self.vault.published().await.expect("reads");
        assert_eq!(self.vault.publish(&note.to_string(), before.as_ref()).await.expect("writes"), Race::Won);
    }

    fn size(&self) -> u64 {
        self.last.as_ref().expect("a block").seal().size()
    }

    fn named(&self) -> Witnesses {
        let all: Vec<String> = self.witnesses.iter().map(Witness::parameter).collect();
        all.join(",").parse().expect("witnesses")
    }

    async fn try_run(&self) -> Result<Report, Uncosigned> {
        let ports = &self.ports;
        let (net, witnesses) = (&Https::default(), &self.named());
        let (index, files, quorum) = (ports, ports, self.quorum);
        Cosigning { blocks: ports, index, files, net, origin: ORIGIN, witnesses, quorum }.run().await
    }

    /// A run: asked, failed, cosigned.
    async fn run(&self) -> (usize, usize, usize) {
        let Report { asked, failed, cosigned } = self.try_run().await.expect("nothing of ours fails");
        (asked, failed, cosigned)
    }

    /// The cosigned checkpoint's size, and by whom; a reader believes it.
    async fn cosigned(&self) -> Option<(u64, Vec<String>)> {
        let Cosigned { size, note, .. } = self.vault.heard(&[]).await.expect("reads").0?;
        let keys = self.witnesses.iter().map(|witness| witness.key.clone()).collect();
        let policy = Policy::new(self.log.clone(), None, keys, self.quorum).expect("a policy");
        let accepted = policy.accept(note.as_bytes()).expect("enough have cosigned");
        assert_eq!(accepted.checkpoint.size(), size);
        Some((size, accepted.witnesses))
    }
}

const HONEST: [Manner; 3] = [Manner::Honest; 3];

#[tokio::test]
async fn three_witnesses_cosign_each_checkpoint_once() {
    let mut scene = Scene::new(&HONEST, 3).await;
    assert_eq!(scene.run().await, (3, 0, 3));
    let everybody: Vec<String> = ["w1.example", "w2.example", "w3.example"].map(str::to_owned).to_vec();
    assert_eq!(scene.cosigned().await, Some((scene.size(), everybody.clone())));
    assert_eq!(scene.run().await, (0, 0, 3), "nobody is asked twice");
    // They are asked from where they stand: no proof is refused, and no size has to be learnt.
    for blocks in [1, 7, 300] {
        scene.grow(blocks).await;
        assert_eq!(scene.run().await, (3, 0, 3));
        assert_eq!(scene.cosigned().await, Some((scene.size(), everybody.clone())));
    }
    for witness in &scene.witnesses {
        assert_eq!(witness.counts(), (4, 4));
    }
}

#[tokio::test]
async fn a_run_with_nothing_to_do_makes_two_calls() {
    let scene = Scene::new(&HONEST, 2).await;
    scene.run().await;
    scene.ports.plan().take_calls();
    scene.run().await;
    assert_eq!(scene.ports.plan().take_calls(), [Call::Published, Call::Heard]);
    let nobody = Cosigning {
        blocks: &scene.ports,
        index: &scene.ports,
        files: &scene.ports,
        net: &Https::default(),
        origin: ORIGIN,
        witnesses: &Witnesses::default(),
        quorum: 1,
    };
    assert_eq!(nobody.run().await.expect("nothing to do"), Report::default());
    assert_eq!(scene.ports.plan().take_calls(), []);
}

#[tokio::test]
async fn whatever_call_is_lost_late_or_doubled_the_next_run_makes_good() {
    type Make = fn() -> Fault;
    let kinds: [Make; 4] = [|| Fault::Before, || Fault::After, || Fault::Twice, || Fault::Late(2)];
    let calls = {
        let scene = Scene::new(&HONEST, 2).await;
        scene.run().await;
        scene.ports.plan().take_calls()
    };
    let mut struck = 0;
    for fault in kinds {
        for (at, call) in calls.iter().enumerate() {
            let mut scene = Scene::new(&HONEST, 2).await;
            let number = calls[..at].iter().filter(|before| *before == call).count();
            let (plan, told) = (scene.ports.plan().clone(), format!("{call:?} {number} {}", fault().name()));
            plan.fail(*call, number, fault());
            // The run may fail, or not notice. Witnesses are asked side by side, so a last call of a kind may not come.
            let _ = scene.try_run().await;
            struck += plan.take_struck().len();
            plan.relent();
            plan.land().await;
            assert!(scene.cosigned().await.is_none_or(|(size, _)| size == scene.size()), "{told}");
            scene.run().await;
            assert_eq!(scene.cosigned().await.map(|(size, _)| size), Some(scene.size()), "{told}");
            scene.grow(2).await;
            assert_eq!(scene.run().await, (3, 0, 3), "{told}: as if nothing had been");
            assert_eq!(scene.cosigned().await.map(|(size, _)| size), Some(scene.size()), "{told}");
        }
    }
    assert!(struck >= 3 * calls.len(), "{struck} of {}", 4 * calls.len());
}

#[tokio::test]
async fn whoever_is_down_hangs_or_lies_holds_up_nobody() {
    let liars = [
        Manner::Hangs,
        Manner::WrongKey,
        Manner::WrongText,
        Manner::Garbage,
        Manner::Endless,
        Manner::Redirects,
        Manner::Twice,
        Manner::Refuses(403),
        Manner::Refuses(500),
        Manner::Conflict(""),
        Manner::Conflict("many\n"),
        Manner::Conflict("0\n"),
        Manner::Conflict("-1\n"),
        Manner::Conflict("007\n"),
        Manner::Conflict("18446744073709551615\n"),
        Manner::Conflict("99999999999999999999999999\n"),
        Manner::Conflict("3\n"),
    ];
    let mut scene = Scene::new(&[&[Manner::Honest, Manner::Honest][..], &liars].concat(), 2).await;
    // And one that is not there at all.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    scene.witnesses.last_mut().expect("a witness").url = format!("http://{gone}");
    let begun = Instant::now();
    let run = async {
        let run = scene.run().await;
        (run, begun.elapsed())
    };
    let soon = async {
        // Long before the one that hangs is given up, the two honest ones are enough.
        while begun.elapsed() < 4 * TIMEOUT {
            if let Some(cosigned) = scene.cosigned().await {
                return (cosigned, begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nothing is kept as cosigned");
    };
    let ((run, took), (cosigned, soon)) = futures_util::future::join(run, soon).await;
    assert_eq!(run, (2 + liars.len(), liars.len(), 2), "each is asked, each liar is found out");
    assert_eq!(cosigned, (scene.size(), vec!["w1.example".to_owned(), "w2.example".to_owned()]));
    assert!(soon < TIMEOUT / 2, "{soon:?}");
    assert!(took < 2 * TIMEOUT + Duration::from_secs(2), "{took:?}");
    // Redirects are not followed, and nobody is asked more than twice.
    assert!(scene.witnesses.iter().all(|witness| witness.counts().0 <= 2));
    // Nothing of what the liars said is kept.
    let ids: Vec<_> = scene.witnesses.iter().map(|witness| witness.key.id()).collect();
    let heard = scene.vault.heard(&ids).await.expect("reads").1;
    assert_eq!(heard.iter().filter(|heard| heard.is_some()).count(), 2);
    // One comes to its senses.
    scene.witnesses[3].behave(Manner::Honest);
    scene.witnesses[2].behave(Manner::Refuses(500));
    assert_eq!(scene.run().await.2, 3);
    assert_eq!(scene.cosigned().await.expect("kept").1, ["w1.example", "w2.example", "w4.example"]);
}

#[tokio::test]
async fn without_enough_of_them_nothing_counts_as_cosigned() {
    let mut scene = Scene::new(&[Manner::Honest, Manner::Refuses(500), Manner::Refuses(500)], 2).await;
    assert_eq!(scene.run().await, (3, 2, 1));
    assert_eq!(scene.cosigned().await, None);
    scene.witnesses[1].behave(Manner::Honest);
    assert_eq!(scene.run().await, (2, 1, 2), "whoever has cosigned is not asked again");
    let cosigned = scene.cosigned().await.expect("two are enough");
    scene.witnesses[1].behave(Manner::Refuses(500));
    scene.grow(5).await;
    assert_eq!(scene.run().await, (3, 2, 1));
    assert_eq!(scene.cosigned().await, Some(cosigned), "the older one stays");
}

#[tokio::test]
async fn what_is_known_of_a_witness_is_a_hint() {
    let mut scene = Scene::new(&HONEST, 3).await;
    scene.run().await;
    scene.grow(4).await;
    // One lost its disk; of another the vault has forgotten all.
    scene.witnesses[0].forget();
    let fresh = MemoryVault::new();
    let others: Vec<_> = scene.witnesses.iter().map(|witness| witness.key.id()).collect();
    let heard = scene.vault.heard(&others).await.expect("reads").1;
    for (id, heard) in others.iter().zip(heard).filter(|(id, _)| **id != others[1]) {
        fresh.put_heard(*id, &heard.expect("heard")).await.expect("writes");
    }
    let (net, witnesses) = (&Https::default(), &scene.named());
    let ports = &scene.ports;
    let run = Cosigning { blocks: ports, index: &fresh, files: ports, net, origin: ORIGIN, witnesses, quorum: 3 };
    assert_eq!(run.run().await.expect("runs"), Report { asked: 3, failed: 0, cosigned: 3 });
    let counts: Vec<_> = scene.witnesses.iter().map(Witness::counts).collect();
    assert_eq!(counts, [(3, 2), (3, 2), (2, 2)], "409 teaches the size");
    // A line that is kept and is not the witness's own counts for nothing.
    let forged = Heard { size: scene.size() + 2, line: "— w3.example AAAAAAAAAAAA".to_owned() };
    scene.vault.put_heard(others[2], &forged).await.expect("writes");
    scene.grow(1).await;
    assert_eq!(scene.run().await, (3, 0, 3));
}

#[tokio::test]
async fn a_log_that_was_rolled_back_or_forked_is_cosigned_by_nobody() {
    let mut scene = Scene::new(&HONEST, 1).await;
    let small = scene.last.clone();
    scene.grow(5).await;
    scene.run().await;
    let before = scene.cosigned().await;
    // Rolled back: the table was restored, and somebody put the old checkpoint back.
    scene.vault.restore_blocks(3);
    scene.last = small;
    let edge = scene.last.as_ref().expect("a block").edge();
    scene.publish(&Checkpoint::new(ORIGIN, edge.size(), edge.root()).expect("a head")).await;
    assert_eq!(scene.run().await, (3, 3, 0));
    // Forked: another history, longer than the first.
    scene.vault.advance(60_000);
    scene.grow(9).await;
    assert_eq!(scene.run().await, (3, 3, 0));
    assert_eq!(scene.cosigned().await, before, "what was cosigned stays what it was");
}

#[tokio::test]
async fn another_log_is_shown_to_nobody() {
    let scene = Scene::new(&HONEST, 1).await;
    let other = Checkpoint::new("vault.other", 6, Hash([1; 32])).expect("a head");
    let mut note = other.to_note();
    let key = VerifierKey::new("vault.other", SignatureType::Ed25519, scene.log.public_key()).expect("a key");
    note.sign(&key, &scene.vault.sign(note.text().as_bytes()).await.expect("signs").0).expect("signs");
    let before = scene.vault.published().await.expect("reads");
    scene.vault.publish(&note.to_string(), before.as_ref()).await.expect("writes");
    assert!(matches!(scene.try_run().await, Err(Uncosigned::OtherLog)));
    assert!(scene.witnesses.iter().all(|witness| witness.counts() == (0, 0)));
}

#[tokio::test]
async fn runs_at_the_same_time_do_not_harm_each_other() {
    let mut scene = Scene::new(&HONEST, 3).await;
    for round in 0..5 {
        scene.grow(1 + round).await;
        let runs = futures_util::future::join_all((0..4).map(|_| scene.run())).await;
        assert!(runs.iter().any(|(_, _, cosigned)| *cosigned == 3) || scene.run().await.2 == 3, "{runs:?}");
        assert_eq!(scene.cosigned().await.expect("kept").0, scene.size());
    }
}

#[test]
fn it_is_woken_by_the_bucket_and_by_the_schedule() {
    let operation = |payload: &str| serde_json::from_str::<Woken>(payload).expect("a payload").operation();
    assert_eq!(operation(include_str!("../../../events/samples/cosign-published.json")), "published");
    assert_eq!(operation(include_str!("../../../events/samples/cosign-sweep.json")), "sweep");
    assert_eq!(operation("{}"), "sweep");
}
