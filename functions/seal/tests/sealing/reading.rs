//! How far streams are read, and with how many calls.

use chartseal_events::event::{Seen, StoredEvent};
use chartseal_events::private::PrivatePart;
use chartseal_events::{EventRef, Hash, StreamId};
use chartseal_http::testing::{ORIGIN, Stage};
use chartseal_infra::faulty::{Call, Faulty};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{Append, EventStore, StoreError};
use chartseal_seal::{Report, RunFailed, Sealer};

use crate::check::{check, log_key};
use crate::written::{Pen, record};
use crate::{places_from, sealer};

/// A sealer that reads events here.
async fn run<E: EventStore>(events: &E, vault: &MemoryVault, hints: &[EventRef]) -> Result<Report, RunFailed> {
    let log = log_key(ORIGIN);
    let sealer = Sealer {
        events,
        blocks: vault,
        index: vault,
        files: vault,
        signer: vault,
        clock: vault,
        log,
        clock_key: crate::sealer(vault).clock_key,
    };
    sealer.run(hints.iter().copied()).await
}

async fn whole(vault: &MemoryVault) {
    check(ORIGIN, vault).await.unwrap_or_else(|broken| panic!("{broken}"));
}

#[tokio::test]
async fn streams_are_read_together() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let mut pen = Pen::new(vault);
    for number in 0..300 {
        pen.write(record(number % 90), &[]).await;
    }
    let twin = Faulty::new(vault.clone());
    run(&twin, vault, &places_from(vault, 0)).await.unwrap();
    assert_eq!(twin.plan().take_calls(), [Call::Fetch], "90 streams that are new");
    whole(vault).await;

    for number in 0..90 {
        let seen = [pen.seen(record((number + 1) % 90))];
        pen.write(record(number), &seen).await;
    }
    run(&twin, vault, &places_from(vault, 301)).await.unwrap();
    assert_eq!(twin.plan().take_calls(), [Call::Fetch], "and that go on");
    whole(vault).await;

    // Every event has seen another, and one hint names the last of them: a call for each step of the way, not for each stream.
    let fan: Vec<StreamId> = (200..260).map(record).collect();
    for stream in &fan {
        pen.write(*stream, &[]).await;
    }
    let seen: Vec<Seen> = fan.iter().map(|stream| pen.seen(*stream)).collect();
    let last = pen.write(record(0), &seen).await;
    run(&twin, vault, &[last]).await.unwrap();
    assert_eq!(twin.plan().take_calls(), [Call::Fetch, Call::Fetch]);
    whole(vault).await;
}

#[tokio::test]
async fn much_of_one_stream_is_queried() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let mut pen = Pen::new(vault);
    for _ in 0..250 {
        pen.write(record(1), &[]).await;
    }
    for _ in 0..3 {
        pen.write(record(2), &[]).await;
    }
    let twin = Faulty::new(vault.clone());
    run(&twin, vault, &places_from(vault, 0)).await.unwrap();
    assert_eq!(twin.plan().take_calls(), [Call::Fetch, Call::LoadFrom]);
    whole(vault).await;
    // A place that is far beyond what is there costs a query.
    pen.write(record(1), &[]).await;
    let beyond = EventRef { stream: record(1), seq: u64::MAX };
    assert_eq!(run(&twin, vault, &[beyond]).await.unwrap().events, 1);
    assert_eq!(twin.plan().take_calls(), [Call::LoadFrom]);
    assert_eq!(run(&twin, vault, &[beyond]).await.unwrap(), Report::default());
    whole(vault).await;
}

#[tokio::test]
async fn what_is_past_the_hint_has_a_hint_of_its_own() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let mut pen = Pen::new(vault);
    let mut places = Vec::new();
    for _ in 0..6 {
        places.push(pen.write(record(1), &[]).await);
    }
    // The first hints were lost: the third is for all before it.
    let report = sealer(vault).run([places[2]]).await.unwrap();
    assert_eq!((report.blocks, report.events), (1, 4));
    let report = sealer(vault).run([places[4], places[3]]).await.unwrap();
    assert_eq!((report.blocks, report.events), (1, 2));
    let report = sealer(vault).sweep().await.unwrap();
    assert_eq!((report.blocks, report.events), (1, 1));
    whole(vault).await;
}

#[tokio::test]
async fn what_was_wanted_of_a_long_stream_is_not_forgotten() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let mut pen = Pen::new(vault);
    for _ in 0..2_500 {
        pen.write(record(9), &[]).await;
    }
    let early = Seen(record(9), 5, vault.events()[6].leaf);
    for number in 1..4 {
        for _ in 0..700 {
            pen.write(record(number), &[]).await;
        }
    }
    // The long stream is left for later, because it comes after 2,000 places of others; but somebody has seen its beginning, for which the block has no room.
    pen.write(record(3), &[early]).await;
    let report = sealer(vault).run(places_from(vault, 0)).await.unwrap();
    assert_eq!(report.events, 1 + 2_500 + 2_101);
    whole(vault).await;
}

#[tokio::test]
async fn who_has_seen_what_is_not_there_of_each_other() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let mut pen = Pen::new(vault);
    let nothing = |number| Seen(record(number), 7, Hash([1; 32]));
    for number in 0..4 {
        pen.write(record(number), &[nothing((number + 1) % 4)]).await;
    }
    let good = pen.write(record(9), &[]).await;
    let failed = run(vault, vault, &places_from(vault, 0)).await.unwrap_err();
    let RunFailed::Broken(report) = failed else { panic!("{failed}") };
    assert_eq!((report.broken, report.waiting, report.events), (4, 0, 2), "all but {good}");
}

/// A batch that is no view of one moment: before it comes to the last place, somebody appends two events.
struct Torn {
    vault: MemoryVault,
    stream: StreamId,
}

impl EventStore for Torn {
    async fn load(&self, _: &StreamId) -> Result<Vec<StoredEvent>, StoreError> {
        unreachable!("no whole stream is read")
    }

    async fn load_tail(&self, _: &StreamId, _: u64) -> Result<Vec<StoredEvent>, StoreError> {
        unreachable!("no stream is read from its end")
    }

    async fn load_from(&self, stream: &StreamId, first_seq: u64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        self.vault.load_from(stream, first_seq, limit).await
    }

    async fn fetch(&self, places: &[EventRef]) -> Result<Vec<Option<StoredEvent>>, StoreError> {
        let Some((last, early)) = places.split_last() else { return Ok(Vec::new()) };
        let mut found = self.vault.fetch(early).await?;
        let mut pen = Pen::new(&self.vault);
        pen.write(self.stream, &[]).await;
        pen.write(self.stream, &[]).await;
        found.extend(self.vault.fetch(&[*last]).await?);
        Ok(found)
    }

    async fn append(&self, _: &Append) -> Result<(), StoreError> {
        unreachable!("a sealer appends nothing")
    }

    async fn private(&self, _: &EventRef) -> Result<PrivatePart, StoreError> {
        unreachable!("a sealer needs no private values")
    }

    async fn by_time(&self, _: u64, _: u64) -> Result<Vec<EventRef>, StoreError> {
        unreachable!("no sweep here")
    }
}

#[tokio::test]
async fn a_gap_that_is_none_breaks_nothing() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    let mut pen = Pen::new(vault);
    for _ in 0..2 {
        pen.write(record(1), &[]).await;
    }
    sealer(vault).run(places_from(vault, 0)).await.unwrap();
    // A hint of what is about to be: the place before it was empty when it was read.
    let torn = Torn { vault: vault.clone(), stream: record(1) };
    let report = run(&torn, vault, &[EventRef { stream: record(1), seq: 3 }]).await.unwrap();
    assert_eq!((report.blocks, report.events, report.broken), (1, 2, 0));
    whole(vault).await;
}
