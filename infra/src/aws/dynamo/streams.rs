//! Reading streams, private values and wrapped keys. Every read that a decision relies on is strongly consistent.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use chartseal_events::event::StoredEvent;
use chartseal_events::private::PrivatePart;
use chartseal_events::{Bytes, EventRef, Id, StreamId};
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::batches::{BATCHES_AT_ONCE, MAX_BATCH};
use super::{DynamoStore, Item, attribute_missing, failed, item, named, number, number_of, take_bytes, text, text_of};
use crate::layout::{HOUR_MS, SHARDS, hour_shard, instant, parse_moment};
use crate::ports::{Append, EventStore, KeyTable, StoreError};

/// The index over time.
const BY_TIME: &str = "by_time";
/// How many events of a stream's end are read at once.
const TAIL_PAGE: i32 = 32;

pub(super) fn place_key(place: &EventRef) -> Item {
    item([("stream", text(place.stream.to_string())), ("seq", number(place.seq))])
}

fn stored(stream: StreamId, item: &mut Item) -> Result<StoredEvent, StoreError> {
    let seq = number_of(item, "seq")?;
    let body = String::from_utf8(take_bytes(item, "body")?).map_err(|_| attribute_missing("body"))?;
    Ok(StoredEvent::new(EventRef { stream, seq }, body))
}

impl DynamoStore {
    fn query_stream(&self, stream: &StreamId) -> Result<QueryFluentBuilder, StoreError> {
        let query = self.client.query().table_name(self.events()?).consistent_read(true);
        let query = query.key_condition_expression("#stream = :stream").expression_attribute_names("#stream", "stream");
        Ok(query.expression_attribute_values(":stream", text(stream.to_string())))
    }

    async fn shard_by_time(&self, hour: u64, shard: u8, from_ms: u64, to_ms: u64) -> Result<Vec<String>, StoreError> {
        let mut moments = Vec::new();
        let mut start = None;
        loop {
            // A bare instant sorts before all moments of its millisecond: `from` is within, `to` is not.
            let query = self.client.query().table_name(self.events()?).index_name(BY_TIME);
            let query = query.key_condition_expression("#hour = :hour AND #moment BETWEEN :from AND :to");
            let query =
                query.expression_attribute_names("#hour", "hour").expression_attribute_names("#moment", "moment");
            let query = query.expression_attribute_values(":hour", text(hour_shard(hour, shard)));
            let query = query.expression_attribute_values(":from", text(instant(from_ms)));
            let query = query.expression_attribute_values(":to", text(instant(to_ms)));
            let page = query.set_exclusive_start_key(start).send().await.map_err(|error| failed(&error))?;
            for item in page.items() {
                moments.push(text_of(item, "moment")?.to_owned());
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(moments);
            }
        }
    }

    async fn fetch_batch(&self, keys: Vec<Item>) -> Result<Vec<StoredEvent>, StoreError> {
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
        let keys = keys.projection_expression("#stream, seq, body").expression_attribute_names("#stream", "stream");
        let items = self.get_batch(self.events()?, keys).await?.into_iter().map(|mut item| {
            let stream = text_of(&item, "stream")?.parse().map_err(|_| attribute_missing("stream"))?;
            stored(stream, &mut item)
        });
        items.collect()
    }
}

impl EventStore for DynamoStore {
    async fn load(&self, stream: &StreamId) -> Result<Vec<StoredEvent>, StoreError> {
        let mut events = Vec::new();
        let mut start = None;
        loop {
            let query = self.query_stream(stream)?.projection_expression("seq, body");
            let page = query.set_exclusive_start_key(start).send().await.map_err(|error| failed(&error))?;
            for mut item in page.items.unwrap_or_default() {
                events.push(stored(*stream, &mut item)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(events);
            }
        }
    }

    async fn load_tail(&self, stream: &StreamId, since_ms: u64) -> Result<Vec<StoredEvent>, StoreError> {
        let mut newest_first = Vec::new();
        let mut start = None;
        'pages: loop {
            let query = self.query_stream(stream)?.scan_index_forward(false).limit(TAIL_PAGE);
            let query = query.projection_expression("seq, body, #at").expression_attribute_names("#at", "at");
            let page = query.set_exclusive_start_key(start).send().await.map_err(|error| failed(&error))?;
            for mut item in page.items.unwrap_or_default() {
                if !newest_first.is_empty() && number_of::<u64>(&item, "at")? < since_ms {
                    break 'pages;
                }
                newest_first.push(stored(*stream, &mut item)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        newest_first.reverse();
        Ok(newest_first)
    }

    async fn load_from(&self, stream: &StreamId, first_seq: u64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        let (mut events, mut start) = (Vec::new(), None);
        let wanted = limit as usize;
        while events.len() < wanted {
            let call = self.client.query().table_name(self.events()?).consistent_read(true);
            let call = call.key_condition_expression("#stream = :stream AND seq >= :first");
            let call = call.expression_attribute_names("#stream", "stream").projection_expression("seq, body");
            let call = call.expression_attribute_values(":stream", text(stream.to_string()));
            let call = call.expression_attribute_values(":first", number(first_seq));
            let call = call.limit(i32::try_from(wanted - events.len()).unwrap_or(i32::MAX));
            let page = call.set_exclusive_start_key(start).send().await.map_err(|error| failed(&error))?;
            for mut item in page.items.unwrap_or_default() {
                events.push(stored(*stream, &mut item)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(events)
    }

    async fn fetch(&self, places: &[EventRef]) -> Result<Vec<Option<StoredEvent>>, StoreError> {
        // DynamoDB refuses a batch that names an item twice.
        let distinct: Vec<EventRef> = places.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let batches = distinct.chunks(MAX_BATCH).map(|batch| self.fetch_batch(batch.iter().map(place_key).collect()));
        let batches: Vec<_> = batches.collect();
        let found =
            stream::iter(batches).buffered(BATCHES_AT_ONCE).try_collect::<Vec<_>>().await?.into_iter().flatten();
        let found: BTreeMap<EventRef, StoredEvent> = found.map(|event| (event.at, event)).collect();
        Ok(places.iter().map(|place| found.get(place).cloned()).collect())
    }

    async fn append(&self, append: &Append) -> Result<(), StoreError> {
        self.append_all(append).await
    }

    async fn private(&self, place: &EventRef) -> Result<PrivatePart, StoreError> {
        let table = named(self.tables.private.as_deref(), "private")?;
        let Some(item) = self.get(table, place_key(place)).await? else { return Ok(PrivatePart::new()) };
        let damaged = |_| StoreError::Damaged { what: format!("the private values of {place}") };
        serde_json::from_str(text_of(&item, "fields")?).map_err(damaged)
    }

    async fn by_time(&self, from_ms: u64, to_ms: u64) -> Result<Vec<EventRef>, StoreError> {
        let mut places = Vec::new();
        if from_ms >= to_ms {
            return Ok(places);
        }
        for hour in from_ms / HOUR_MS..=(to_ms - 1) / HOUR_MS {
            let shards = (0..SHARDS).map(|shard| self.shard_by_time(hour, shard, from_ms, to_ms));
            let mut moments: Vec<String> = try_join_all(shards).await?.into_iter().flatten().collect();
            moments.sort_unstable();
            for moment in moments {
                places.push(parse_moment(&moment).ok_or_else(|| attribute_missing("moment"))?.1);
            }
        }
        Ok(places)
    }
}

impl KeyTable for DynamoStore {
    async fn wrapped(&self, record: Id, version: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.key(format!("{record}/{version}"), "wrapped").await
    }

    async fn header(&self, record: Id, version: u32, message_id: &Bytes<32>) -> Result<Option<Vec<u8>>, StoreError> {
        self.key(format!("{record}/{version}/{message_id}"), "header").await
    }
}

impl DynamoStore {
    async fn key(&self, name: String, attribute: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let table = named(self.tables.keys.as_deref(), "keys")?;
        let found = self.get(table, item([("record", text(name))])).await?;
        found.map(|mut item| take_bytes(&mut item, attribute)).transpose()
    }
}
