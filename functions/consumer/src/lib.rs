//! The consumer of the events table's stream: does what follows from each new event (`chartseal-reactions`).
//!
//! In scope: DynamoDB stream batches with keys alone, in the order of each stream, with partial failures reported. Stream records are hints: the
//! event is read consistently, and a lost record is healed by the sweeper. Out of scope: events from which nothing follows.
#![forbid(unsafe_code)]

use chartseal_events::{EventRef, StreamId};
use chartseal_infra::ports::{EventStore, Index, WorkList, Workflow};
use chartseal_infra::telemetry::{fields, note};
use chartseal_reactions::{Effect, React, concerns};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};

/// How many streams are looked after at the same time.
const MAX_CONCURRENT_STREAMS: usize = 8;

/// A batch of stream records, as far as it is used.
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
struct Record {
    dynamodb: Change,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    keys: Keys,
    sequence_number: String,
}

#[derive(Debug, Deserialize)]
struct Keys {
    stream: Text,
    seq: Number,
}

#[derive(Debug, Deserialize)]
struct Text {
    #[serde(rename = "S")]
    text: String,
}

#[derive(Debug, Deserialize)]
struct Number {
    #[serde(rename = "N")]
    digits: String,
}

/// Which records are to be delivered again.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    /// One for each record that failed.
    pub batch_item_failures: Vec<ItemFailure>,
}

/// A record that failed.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// Its sequence number.
    pub item_identifier: String,
}

/// A place to react to, with the sequence numbers of the records that named it.
struct Hint {
    place: EventRef,
    sequence_numbers: Vec<String>,
}

/// Reacts to every event that a batch names.
pub async fn handle<E: EventStore, I: Index, W: WorkList, F: Workflow>(
    react: &React<'_, E, I, W, F>,
    batch: &Batch,
) -> BatchAnswer {
    let streams = by_stream(&batch.records);
    let work = streams.into_iter().map(|hints| follow(react, hints));
    let failed: Vec<String> = futures_util::stream::iter(work)
        .buffer_unordered(MAX_CONCURRENT_STREAMS)
        .flat_map(futures_util::stream::iter)
        .collect()
        .await;
    note::set(&fields::OPERATION, "batch");
    note::add(&fields::BATCH_RECORDS, batch.records.len());
    note::add(&fields::BATCH_FAILED, failed.len());
    let batch_item_failures = failed.into_iter().map(|item_identifier| ItemFailure { item_identifier }).collect();
    BatchAnswer { batch_item_failures }
}

/// The distinct places from which something can follow: by stream, in order.
fn by_stream(records: &[Record]) -> Vec<Vec<Hint>> {
    let mut streams: Vec<Vec<Hint>> = Vec::new();
    for Record { dynamodb: change } in records {
        let stream = change.keys.stream.text.parse::<StreamId>();
        let (Ok(stream), Ok(seq)) = (stream, change.keys.seq.digits.parse::<u64>()) else {
            note::add(&fields::BATCH_NOWHERE, 1);
            continue;
        };
        if !concerns(&stream) {
            continue;
        }
        let place = EventRef { stream, seq };
        let sequence_number = change.sequence_number.clone();
        let Some(hints) = streams.iter_mut().find(|hints| hints[0].place.stream == stream) else {
            streams.push(vec![Hint { place, sequence_numbers: vec![sequence_number] }]);
            continue;
        };
        match hints.iter_mut().find(|hint| hint.place == place) {
            Some(hint) => hint.sequence_numbers.push(sequence_number),
            None => hints.push(Hint { place, sequence_numbers: vec![sequence_number] }),
        }
    }
    streams
}

/// Reacts to a stream's events in order. After a failure the rest of the stream waits for the next delivery. Gives what is to be delivered again.
async fn follow<E: EventStore, I: Index, W: WorkList, F: Workflow>(
    react: &React<'_, E, I, W, F>,
    hints: Vec<Hint>,
) -> Vec<String> {
    let mut hints = hints.into_iter();
    while let Some(hint) = hints.next() {
        match react.to(hint.place).await {
            Ok(Effect::NoEvent) => note::add(&fields::BATCH_NOWHERE, 1),
            Ok(Effect::Done | Effect::Nothing) => {}
            Err(error) => {
                note::item_failed(&hint.place, None, &error);
                return std::iter::once(hint).chain(hints).flat_map(|hint| hint.sequence_numbers).collect();
            }
        }
    }
    Vec::new()
}
