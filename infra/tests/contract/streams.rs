//! Streams of events, and what stands beside them.

use chartseal_events::{Bytes, EventRef, StreamId};
use chartseal_infra::ports::{Append, EventStore as _, KeyItem, KeyTable as _, StoreError};
use futures_util::future::join_all;

use crate::subject::{AT_MS, Subject, comes_to, event, id, place, private, record, single};

const RIVALS: u8 = 16;
const HOUR_MS: u64 = 3_600_000;
/// At 30 kB each: two and a half of DynamoDB's pages of 1 MB.
const LONG_STREAM_EVENTS: u64 = 85;

fn conflict_at(result: &Result<(), StoreError>) -> Option<EventRef> {
    match result {
        Err(StoreError::Conflict(place)) => Some(*place),
        _ => None,
    }
}

fn wrapped(number: u8, bytes: &[u8]) -> KeyItem {
    KeyItem::Wrapped { record: id(number), version: 1, wrapped: bytes.to_vec() }
}

pub async fn a_race_has_one_winner(subject: &impl Subject) {
    let store = subject.store();
    for seq in 0..3 {
        let rivals: Vec<Append> =
            (0..RIVALS).map(|n| single(event(record(1), seq, format!("{seq}: rival {n}")), AT_MS)).collect();
        let results = join_all(rivals.iter().map(|append| store.append(append))).await;
        let winners: Vec<usize> = (0..results.len()).filter(|n| results[*n].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        let losers = results.iter().filter(|result| conflict_at(result) == Some(place(record(1), seq))).count();
        assert_eq!(losers, usize::from(RIVALS) - 1, "{results:?}");
        let stream = store.load(&record(1)).await.expect("loads");
        assert_eq!(stream.last(), rivals[winners[0]].events.first());
        assert_eq!(stream.len() as u64, seq + 1);
    }
}

pub async fn a_race_of_transactions_leaves_nothing_of_the_losers(subject: &impl Subject) {
    let store = subject.store();
    let rivals: Vec<Append> = (0..RIVALS)
        .map(|n| Append {
            events: vec![event(record(100 + n), 0, format!("own {n}")), event(record(1), 0, format!("shared {n}"))],
            at_ms: AT_MS,
            private: private("because"),
            keys: vec![wrapped(100 + n, &[n])],
        })
        .collect();
    let results = join_all(rivals.iter().map(|append| store.append(append))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    for (n, result) in (0..RIVALS).zip(&results) {
        let won = result.is_ok();
        assert!(won || conflict_at(result).is_some(), "{result:?}");
        let own = place(record(100 + n), 0);
        assert_eq!(store.load(&own.stream).await.expect("loads").len(), usize::from(won));
        assert_eq!(store.private(&own).await.expect("loads").is_empty(), !won);
        assert_eq!(store.wrapped(id(100 + n), 1).await.expect("loads"), won.then(|| vec![n]));
    }
}

pub async fn our_own_write_is_recognised(subject: &impl Subject) {
    let store = subject.store();
    let alone = single(event(record(1), 0, "first"), AT_MS);
    let together = Append {
        events: vec![event(record(2), 0, "a"), event(record(3), 0, "b")],
        at_ms: AT_MS,
        private: private("because"),
        keys: vec![wrapped(2, b"key")],
    };
    for append in [&alone, &together] {
        store.append(append).await.expect("a free place");
        store.append(append).await.expect("the same bytes again");
        for other in 0..append.events.len() {
            let mut rival = append.clone();
            rival.events[other] = event(rival.events[other].at.stream, 0, "other bytes");
            let result = store.append(&rival).await;
            assert!(conflict_at(&result).is_some(), "{result:?}");
        }
    }
    assert_eq!(store.load(&record(3)).await.expect("loads"), [event(record(3), 0, "b")]);
}

pub async fn all_or_nothing(subject: &impl Subject) {
    let store = subject.store();
    store.append(&single(event(record(3), 0, "theirs"), AT_MS)).await.expect("a free place");
    let append = Append {
        events: vec![event(record(2), 0, "ours"), event(record(3), 0, "ours too")],
        at_ms: AT_MS,
        private: private("because"),
        keys: vec![wrapped(2, b"key")],
    };
    assert_eq!(conflict_at(&store.append(&append).await), Some(place(record(3), 0)));
    assert!(store.load(&record(2)).await.expect("loads").is_empty());
    assert!(store.private(&place(record(2), 0)).await.expect("loads").is_empty());
    assert_eq!(store.wrapped(id(2), 1).await.expect("loads"), None);
    assert_eq!(store.load(&record(3)).await.expect("loads"), [event(record(3), 0, "theirs")]);
    store.append(&Append::default()).await.expect("nothing is nothing");
}

pub async fn keys_are_never_overwritten(subject: &impl Subject) {
    let store = subject.store();
    let with_key = |seq: u64, bytes: &[u8]| Append {
        keys: vec![wrapped(1, bytes)],
        ..single(event(record(1), seq, format!("event {seq}")), AT_MS)
    };
    store.append(&with_key(0, b"first")).await.expect("a free place");
    let again = store.append(&with_key(1, b"second")).await;
    assert!(matches!(again, Err(StoreError::Damaged { .. })), "{again:?}");
    assert_eq!(store.wrapped(id(1), 1).await.expect("loads"), Some(b"first".to_vec()));
    assert_eq!(store.load(&record(1)).await.expect("loads").len(), 1);
}

pub async fn a_long_stream_is_loaded_whole_and_in_order(subject: &impl Subject) {
    let store = subject.store();
    let body = |seq: u64| format!("{seq} {}", "x".repeat(30_000));
    let appends: Vec<Append> =
        (0..LONG_STREAM_EVENTS).map(|seq| single(event(record(1), seq, body(seq)), AT_MS + seq)).collect();
    for some in appends.chunks(16) {
        for result in join_all(some.iter().map(|append| store.append(append))).await {
            result.expect("a free place");
        }
    }
    let stream = store.load(&record(1)).await.expect("loads");
    let expected: Vec<_> = (0..LONG_STREAM_EVENTS).map(|seq| event(record(1), seq, body(seq))).collect();
    assert!(stream == expected, "{} events of {LONG_STREAM_EVENTS}, or in another order", stream.len());
    let tail = store.load_tail(&record(1), AT_MS + 5).await.expect("loads");
    assert!(tail == expected[5..], "{} events in the tail", tail.len());
    assert!(store.load(&record(2)).await.expect("loads").is_empty(), "another stream");
}

pub async fn the_tail_begins_where_it_was_asked_to(subject: &impl Subject) {
    let store = subject.store();
    let stream = StreamId::Search { provider: id(1), day: 20_261_123, shard: 3 };
    assert!(store.load_tail(&stream, 0).await.expect("loads").is_empty(), "a stream that has not begun");
    for seq in 0..5 {
        store
            .append(&single(event(stream, seq, format!("search {seq}")), AT_MS + 10 * seq))
            .await
            .expect("a free place");
    }
    for (since_ms, first) in
        [(0, 0), (AT_MS, 0), (AT_MS + 1, 1), (AT_MS + 30, 3), (AT_MS + 40, 4), (AT_MS + 41, 4), (u64::MAX, 4)]
    {
        let tail = store.load_tail(&stream, since_ms).await.expect("loads");
        let seqs: Vec<u64> = tail.iter().map(|event| event.at.seq).collect();
        assert_eq!(seqs, (first..5).collect::<Vec<_>>(), "since {since_ms}");
    }
}

pub async fn events_are_fetched_in_the_order_asked_for(subject: &impl Subject) {
    let store = subject.store();
    let appends: Vec<Append> = (0..130).map(|n| single(event(record(n), 0, format!("event {n}")), AT_MS)).collect();
    for some in appends.chunks(16) {
        for result in join_all(some.iter().map(|append| store.append(append))).await {
            result.expect("a free place");
        }
    }
    // More than a batch, backwards, one twice, some that are not there.
    let mut places: Vec<EventRef> = (0..140).rev().map(|n| place(record(n), 0)).collect();
    places.push(place(record(7), 0));
    places.push(place(record(7), 1));
    let found = store.fetch(&places).await.expect("fetches");
    let expected = |place: &EventRef| appends.iter().map(|append| &append.events[0]).find(|event| event.at == *place);
    assert_eq!(found.len(), places.len());
    for (place, found) in places.iter().zip(&found) {
        assert_eq!(found.as_ref(), expected(place), "{place}");
    }
    assert!(store.fetch(&[]).await.expect("fetches").is_empty());
}

pub async fn sweeps_find_events_by_time(subject: &impl Subject) {
    let store = subject.store();
    let hour = AT_MS / HOUR_MS * HOUR_MS;
    let times = [hour - 1, hour, hour + 1, hour + HOUR_MS - 1, hour + HOUR_MS, hour + 2 * HOUR_MS + 5];
    for (n, at_ms) in (0..).zip(times) {
        store.append(&single(event(record(n), 0, format!("event {n}")), at_ms)).await.expect("a free place");
    }
    for (from, to) in [(0, 6), (1, 3), (1, 4), (2, 2), (3, 5), (5, 6), (0, 1), (4, 3)] {
        let end = times.get(to).copied().unwrap_or(hour + 3 * HOUR_MS);
        let expected: Vec<EventRef> = (0..)
            .zip(times)
            .filter(|(_, at)| (times[from]..end).contains(at))
            .map(|(n, _)| place(record(n), 0))
            .collect();
        // The index over time is behind for a while.
        let found = async || store.by_time(times[from], end).await.expect("sweeps");
        comes_to(&format!("from {from} to {to}"), expected, found).await;
    }
}

pub async fn private_values_and_keys_stand_beside_their_event(subject: &impl Subject) {
    let store = subject.store();
    let header = KeyItem::Header { record: id(1), version: 2, message_id: Bytes([5; 32]), header: b"header".to_vec() };
    let append = Append {
        private: private("with \"quotes\", \u{e4} and \n"),
        keys: vec![wrapped(1, b"key"), header],
        ..single(event(record(1), 0, "event"), AT_MS)
    };
    store.append(&append).await.expect("a free place");
    assert_eq!(store.private(&place(record(1), 0)).await.expect("loads"), append.private);
    assert!(store.private(&place(record(1), 1)).await.expect("loads").is_empty());
    assert_eq!(store.wrapped(id(1), 1).await.expect("loads"), Some(b"key".to_vec()));
    assert_eq!(store.wrapped(id(1), 2).await.expect("loads"), None);
    assert_eq!(store.header(id(1), 2, &Bytes([5; 32])).await.expect("loads"), Some(b"header".to_vec()));
    assert_eq!(store.header(id(1), 2, &Bytes([6; 32])).await.expect("loads"), None);
}

pub async fn a_stream_goes_on_from_a_place(subject: &impl Subject) {
    let store = subject.store();
    let stream = record(31);
    for seq in 0..7 {
        store.append(&single(event(stream, seq, format!("event {seq}")), AT_MS)).await.expect("appends");
    }
    let from = |first, limit| async move {
        let events = store.load_from(&stream, first, limit).await.expect("loads");
        events.into_iter().map(|event| event.at.seq).collect::<Vec<_>>()
    };
    assert_eq!(from(0, 3).await, [0, 1, 2]);
    assert_eq!(from(3, 100).await, [3, 4, 5, 6]);
    assert_eq!(from(6, 1).await, [6]);
    assert_eq!(from(7, 9).await, [0; 0]);
    assert_eq!(store.load_from(&record(32), 0, 9).await.expect("loads"), []);
}
