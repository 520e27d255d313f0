//! Streams that cannot be sealed on, that wait for others, that are long; and sealers on threads of their own.

use chartseal_events::event::Seen;
use chartseal_events::{EventRef, Hash, StreamId};
use chartseal_http::testing::{ORIGIN, Stage};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::SealedIndex as _;
use chartseal_ledger::block::MAX_BLOCK_BYTES;
use chartseal_ledger::seal::MAX_BLOCK_EVENTS;
use chartseal_seal::{Report, RunFailed};

use crate::check::{Invariant, Log, check};
use crate::written::{Pen, record};
use crate::{places_from, sealer};

/// Everything is sealed but these; and what is sealed is right.
async fn sealed_but(vault: &MemoryVault, never: &[EventRef]) {
    let right = async {
        let log = Log::read(ORIGIN, vault).await?;
        log.check_checkpoints(&vault.checkpoints())?;
        let size = log.blocks.last().unwrap().seal().size();
        log.check_derived(vault, size, Invariant::Derived).await?;
        log.check_all(vault, &never.iter().copied().collect())
    };
    right.await.unwrap_or_else(|broken| panic!("{broken}"));
}

/// The report of a run with every hint, which leaves so many streams broken and waiting.
async fn broken(vault: &MemoryVault, broken: usize, waiting: usize) {
    let failed = sealer(vault).run(places_from(vault, 0)).await.unwrap_err();
    let RunFailed::Broken(report) = failed else { panic!("{failed}") };
    assert_eq!((report.broken, report.waiting), (broken, waiting));
}

#[tokio::test]
async fn a_broken_stream_holds_up_only_those_that_have_seen_it() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let mut pen = Pen::new(vault);
    let (bad, waits, waits_too, good) = (record(1), record(2), record(3), record(4));
    pen.write(bad, &[]).await;
    let early = pen.seen(bad);
    let mut never = vec![pen.write_after(Hash([9; 32]), bad, &[]).await];
    never.push(pen.write(bad, &[]).await);
    // What came before the break can be seen, what is behind it cannot.
    pen.write(waits, &[early]).await;
    never.push(pen.write(waits, &[pen.seen(bad)]).await);
    never.push(pen.write(waits_too, &[pen.seen(waits)]).await);
    pen.write(good, &[early]).await;
    broken(vault, 1, 2).await;
    sealed_but(vault, &never).await;

    // It is told of in each sweep, the watermark stays before it, and new events are sealed nevertheless.
    for _ in 0..3 {
        vault.advance(3 * 3_600_000);
        let mut pen = Pen::new(vault);
        pen.write(good, &[]).await;
        assert!(matches!(
            sealer(vault).sweep().await,
            Err(RunFailed::Broken(Report { broken: 1, waiting: 2, blocks: 1, .. }))
        ));
        let until_ms = vault.sealed_until().await.unwrap();
        assert!(until_ms.is_none_or(|until_ms| until_ms <= chartseal_infra::memory::START_MS), "{until_ms:?}");
        sealed_but(vault, &never).await;
    }
}

#[tokio::test]
async fn whatever_breaks_a_stream() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let mut pen = Pen::new(vault);
    let mut never = Vec::new();
    for number in 0..5 {
        pen.write(record(number), &[]).await;
    }
    never.push(pen.scribble(record(0)).await);
    pen.skip(record(1));
    never.push(pen.write(record(1), &[]).await);
    never.push(pen.write(record(2), &[Seen(record(4), 7, Hash([1; 32]))]).await);
    never.push(pen.write(record(3), &[Seen(record(4), 0, Hash([1; 32]))]).await);
    broken(vault, 4, 0).await;
    sealed_but(vault, &never).await;
    // What was sealed is another event now: its stream is not sealed on, and who has seen what would come next waits.
    vault.tamper(EventRef { stream: record(4), seq: 0 }, "another");
    pen.write(record(4), &[]).await;
    broken(vault, 4, 1).await;
}

#[tokio::test]
async fn one_hint_pulls_in_what_its_event_has_seen() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let mut pen = Pen::new(vault);
    // All at one time, and what has seen others sorts before them.
    let mut last = pen.write(record(100), &[]).await;
    for number in 1..40 {
        let before = pen.seen(record(101 - number));
        last = pen.write(record(100 - number), &[before]).await;
    }
    pen.write(record(7_000), &[]).await;
    let report = sealer(vault).run([last]).await.unwrap();
    assert_eq!((report.blocks, report.events), (1, 41));
    sealed_but(vault, &[EventRef { stream: record(7_000), seq: 0 }]).await;
    assert_eq!(sealer(vault).sweep().await.unwrap().events, 1);
    check(ORIGIN, vault).await.unwrap_or_else(|broken| panic!("{broken}"));
}

#[tokio::test]
async fn five_thousand_events_in_one_go() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let mut pen = Pen::new(vault);
    for number in 0..2_500 {
        pen.write(record(number), &[]).await;
        let seen = pen.seen(record(number));
        pen.write(record(9_999), &[seen]).await;
    }
    let last = pen.write(record(9_999), &[]).await;
    // One hint: the hot stream has seen all the others.
    let report = sealer(vault).run([last]).await.unwrap();
    assert_eq!(report.events, 5_002);
    let log = check(ORIGIN, vault).await.unwrap_or_else(|broken| panic!("{broken}"));
    let events: Vec<_> = log.blocks.iter().map(|block| block.seal().events()).collect();
    let bytes: Vec<_> = log.blocks.iter().map(|block| block.to_bytes().len()).collect();
    println!("blocks of {events:?} events, {bytes:?} bytes");
    assert!(
        events.iter().all(|events| *events <= MAX_BLOCK_EVENTS) && bytes.iter().all(|bytes| *bytes <= MAX_BLOCK_BYTES)
    );
    assert_eq!(events.len(), 3, "{events:?}");
    assert_eq!(sealer(vault).sweep().await.unwrap(), Report::default());
}

#[tokio::test]
async fn nothing_before_the_vault_begins() {
    let vault = MemoryVault::new();
    let mut pen = Pen::new(&vault);
    let early = pen.write(record(1), &[]).await;
    assert!(sealer(&vault).run([early]).await.is_err());
    assert_eq!(sealer(&vault).sweep().await.unwrap(), Report::default());
    assert!(vault.checkpoints().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sealers_on_threads_of_their_own() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let mut work = Vec::new();
    for writer in 0..3 {
        let vault = vault.clone();
        work.push(tokio::spawn(async move {
            for number in 0..60_u64 {
                let stream = record(1_000 * (writer + 1) + number % 7);
                let place = Pen::new(&vault).write(stream, &[]).await;
                // A race that is lost ten times in a row is left to the sweep.
                drop(sealer(&vault).run([place]).await);
                tokio::task::yield_now().await;
            }
        }));
    }
    for work in work {
        work.await.unwrap();
    }
    sealer(vault).sweep().await.unwrap();
    let log = check(ORIGIN, vault).await.unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(vault.events().len(), 181);
    assert!(log.blocks[0].events()[0].place == EventRef { stream: StreamId::Vault, seq: 0 });
}
