//! Where the sealer refuses to go on: nothing is signed, nothing is written.

use chartseal_http::testing::{ORIGIN, Stage};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{BlockStore as _, Clock, LogFiles as _, LogSigner as _, MapPage, SealedIndex as _};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::map::{Page, PageId};
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_seal::{Refused, Report, RunFailed, Sealer};

use crate::check::{clock_key, log_key};
use crate::{places_from, sealer, story};

/// Two blocks, and an event that is not sealed.
async fn two_blocks() -> Stage {
    let stage = Stage::new().await;
    story::morning(&stage).await;
    sealer(&stage.vault).run(places_from(&stage.vault, 0)).await.unwrap();
    story::afternoon(&stage).await;
    sealer(&stage.vault).run(places_from(&stage.vault, 0)).await.unwrap();
    stage.hospital("St. Anne").await;
    stage
}

/// What a run with every hint is refused for. It leaves blocks and checkpoints as they are.
async fn refused(vault: &MemoryVault) -> Refused {
    refused_with(vault, &sealer(vault)).await
}

async fn refused_with<C: Clock>(
    vault: &MemoryVault,
    sealer: &Sealer<'_, MemoryVault, MemoryVault, MemoryVault, MemoryVault, MemoryVault, C>,
) -> Refused {
    let before = (vault.newest_block().await.unwrap(), vault.checkpoints());
    let failed = sealer.run(places_from(vault, 0)).await.unwrap_err();
    assert_eq!((vault.newest_block().await.unwrap(), vault.checkpoints()), before);
    match failed {
        RunFailed::Stopped { why, report } => {
            assert_eq!(report, Report::default());
            why
        }
        RunFailed::Broken(report) => panic!("not refused: {report:?}"),
    }
}

/// Puts a note in the place of the published one, as nobody should be able to.
async fn replace(vault: &MemoryVault, note: &str) {
    let published = vault.published().await.unwrap();
    vault.publish(note, published.as_ref()).await.unwrap();
}

#[tokio::test]
async fn a_table_that_was_restored_from_an_older_backup() {
    let stage = two_blocks().await;
    stage.vault.restore_blocks(1);
    let why = refused(&stage.vault).await;
    assert!(matches!(why, Refused::Restored { published, found } if published > found && found > 0), "{why}");
    stage.vault.restore_blocks(0);
    let why = refused(&stage.vault).await;
    assert!(matches!(why, Refused::Restored { found: 0, .. }), "{why}");
    assert!(sealer(&stage.vault).sweep().await.is_err());
}

#[tokio::test]
async fn a_checkpoint_of_another_log() {
    let stage = Stage::new().await;
    story::morning(&stage).await;
    let other = stage.vault.fork();
    other.advance(1);
    sealer(&other).run(places_from(&other, 0)).await.unwrap();
    let foreign = other.checkpoints().remove(0);
    sealer(&stage.vault).run(places_from(&stage.vault, 0)).await.unwrap();
    assert_ne!(stage.vault.checkpoints(), std::slice::from_ref(&foreign));

    // Of the newest block's size, and of an older one's.
    let same = stage.vault.fork();
    replace(&same, &foreign).await;
    assert!(matches!(refused(&same).await, Refused::Forked { .. }));
    story::afternoon(&stage).await;
    sealer(&stage.vault).run(places_from(&stage.vault, 0)).await.unwrap();
    replace(&stage.vault, &foreign).await;
    assert!(matches!(refused(&stage.vault).await, Refused::Forked { .. }));
}

#[tokio::test]
async fn a_checkpoint_that_ends_within_a_block() {
    let stage = two_blocks().await;
    let head = stage.vault.newest_block().await.unwrap().block.unwrap();
    let checkpoint = Checkpoint::new(ORIGIN, head.seal().size() - 1, head.edge().root()).unwrap();
    let mut note = checkpoint.to_note();
    let signature = stage.vault.sign(note.text().as_bytes()).await.unwrap();
    note.sign(&log_key(ORIGIN), &signature.0).unwrap();
    replace(&stage.vault, &note.to_string()).await;
    assert!(matches!(refused(&stage.vault).await, Refused::Forked { .. }));
}

#[tokio::test]
async fn a_checkpoint_that_nobody_signed_or_of_another_origin() {
    let stage = two_blocks().await;
    let note = stage.vault.checkpoints().pop().unwrap();
    for spoilt in
        [note.replacen("vault.example", "vault.other", 1), note.replacen("\n3", "\n4", 1) + "x", String::new()]
    {
        let vault = stage.vault.fork();
        replace(&vault, &spoilt).await;
        assert!(matches!(refused(&vault).await, Refused::Checkpoint(_)));
    }
}

#[tokio::test]
async fn a_checkpoint_that_is_gone() {
    let stage = two_blocks().await;
    let empty = MemoryVault::new();
    let vault = &stage.vault;
    let sealer = Sealer {
        events: vault,
        blocks: vault,
        index: vault,
        files: &empty,
        signer: vault,
        clock: vault,
        log: log_key(ORIGIN),
        clock_key: clock_key(),
    };
    let failed = sealer.sweep().await.unwrap_err();
    let unpublished =
        |failed: &RunFailed| matches!(failed, RunFailed::Stopped { why: Refused::Unpublished { blocks: 2 }, .. });
    assert!(unpublished(&failed), "{failed}");
    assert!(empty.checkpoints().is_empty());
}

/// A clock that is off.
struct Off(MemoryVault, i64);

impl Clock for Off {
    fn now_ms(&self) -> u64 {
        self.0.now_ms().checked_add_signed(self.1).unwrap()
    }
}

#[tokio::test]
async fn a_clock_that_is_off() {
    let stage = two_blocks().await;
    let vault = &stage.vault;
    // To the second, which is how the service says it.
    vault.set_now(vault.now_ms() / 1_000 * 1_000);
    let with = |off_ms| (vault.fork(), off_ms);
    for (fork, off_ms) in [with(-2_001), with(3_001), with(-3_600_000), with(3_600_000)] {
        let clock = Off(fork.clone(), off_ms);
        let (log, clock_key) = (log_key(ORIGIN), clock_key());
        let (events, files) = (&fork, &fork);
        let sealer =
            Sealer { events, blocks: &fork, index: &fork, files, signer: &fork, clock: &clock, log, clock_key };
        let why = refused_with(&fork, &sealer).await;
        assert!(matches!(why, Refused::Clock(_)), "{off_ms}: {why}");
    }
    for (fork, off_ms) in [with(-2_000), with(3_000)] {
        let clock = Off(fork.clone(), off_ms);
        let (log, clock_key) = (log_key(ORIGIN), clock_key());
        let (events, files) = (&fork, &fork);
        let sealer =
            Sealer { events, blocks: &fork, index: &fork, files, signer: &fork, clock: &clock, log, clock_key };
        assert_eq!(sealer.run(places_from(&fork, 0)).await.unwrap().blocks, 1, "{off_ms}");
    }
}

#[tokio::test]
async fn another_log_than_the_vault_began_with() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let other = VerifierKey::new("vault.other", SignatureType::Ed25519, log_key(ORIGIN).public_key()).unwrap();
    let with_other = Sealer { log: other, ..sealer(vault) };
    assert!(matches!(refused_with(vault, &with_other).await, Refused::OtherLog));
    let with_other = Sealer { clock_key: stage.operator.sign_key(), ..sealer(vault) };
    assert!(matches!(refused_with(vault, &with_other).await, Refused::OtherLog));
}

#[tokio::test]
async fn a_signature_of_another_key() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let public = stage.operator.sign_key().0;
    let other = VerifierKey::new(ORIGIN, SignatureType::Ed25519, &public).unwrap();
    // The vault's first event names the log's key: it would not have come so far. With a block it does.
    sealer(vault).run(places_from(vault, 0)).await.unwrap();
    let empty = MemoryVault::new();
    let sealer = Sealer { log: other, files: &empty, ..sealer(vault) };
    let failed = sealer.sweep().await.unwrap_err();
    assert!(matches!(failed, RunFailed::Stopped { why: Refused::Signature(_), .. }), "{failed}");
    assert!(empty.checkpoints().is_empty());
}

#[tokio::test]
async fn a_page_that_is_not_of_the_map() {
    let stage = two_blocks().await;
    let vault = &stage.vault;
    let height = vault.newest_block().await.unwrap().block.unwrap().seal().height();
    let root = vault.map_pages(&[PageId::ROOT], height).await.unwrap().remove(&PageId::ROOT).unwrap();
    let Page::Nodes(mut nodes) = root.page else { panic!("more than a page's keys") };
    nodes.iter_mut().filter(|node| **node != [0; 32]).for_each(|node| node[9] ^= 1);
    vault.overwrite_page(PageId::ROOT, MapPage { height, page: Page::Nodes(nodes) }, None);
    let why = refused(vault).await;
    assert!(matches!(why, Refused::Damaged { .. }), "{why}");
    // One that is gone as of this block.
    vault.overwrite_page(PageId::ROOT, MapPage { height: height + 1, page: Page::Entries([].into()) }, None);
    assert!(matches!(refused(vault).await, Refused::Damaged { .. }));
}
