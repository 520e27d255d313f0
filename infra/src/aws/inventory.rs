//! Everything that is stored, as it is stored: every item of every table, every version of every object, every unfinished upload. For an audit, which
//! believes nothing that the other adapters assume. Out of scope: what it means (the crate `chartseal-audit`). Nothing here writes.
//!
//! The tables are here, the buckets in `objects`.

mod objects;

use std::collections::{BTreeMap, HashMap};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use chartseal_events::StreamId;

use super::failure::{unavailable, unusable};
use super::s3;
use crate::ports::StoreError;

pub use objects::{Bucket, Object, ObjectVersion, UnfinishedUpload, VersionPosition};

const DYNAMODB: &str = "DynamoDB";
/// The partition of all blocks.
const LOG: &str = "log";

/// A place in which items are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Streams of events.
    Events,
    /// The index of Events over time.
    ByTime,
    /// Private values.
    Private,
    /// Wrapped data keys and headers.
    Keys,
    /// Wrapped search keys.
    SearchKeys,
    /// Lists.
    Index,
    /// Work.
    Work,
    /// The ledger's blocks.
    Blocks,
    /// What follows from them.
    Sealed,
}

/// What the tables and the buckets are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreNames {
    /// The Events table.
    pub events: String,
    /// The Private table.
    pub private: String,
    /// The Keys table.
    pub keys: String,
    /// The SearchKeys table.
    pub search_keys: String,
    /// The Index table.
    pub index: String,
    /// The Work table.
    pub work: String,
    /// The Blocks table.
    pub blocks: String,
    /// The Sealed table.
    pub sealed: String,
    /// The bucket of bodies.
    pub bucket: String,
    /// The ledger's bucket.
    pub ledger_bucket: String,
}

/// An attribute of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    /// A string.
    Text(String),
    /// A number's digits.
    Number(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Anything else: the vault writes no such attribute.
    Other,
}

/// An item as it is stored.
pub type RawItem = BTreeMap<String, Raw>;

/// Where a scan or a query goes on.
#[derive(Debug, Clone)]
pub struct Position(HashMap<String, AttributeValue>);

impl Position {
    /// After the block of this height.
    pub fn after_block(height: u64) -> Self {
        let log = ("log".to_owned(), AttributeValue::S(LOG.to_owned()));
        Self(HashMap::from([log, ("height".to_owned(), AttributeValue::N(height.to_string()))]))
    }
}

/// The tables and the buckets, to be read.
#[derive(Debug, Clone)]
pub struct Inventory {
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
    names: StoreNames,
}

impl Inventory {
    /// Of these tables and buckets.
    pub fn new(config: &SdkConfig, names: StoreNames) -> Self {
        Self { dynamodb: aws_sdk_dynamodb::Client::new(config), s3: s3::client(config), names }
    }

    /// What a place is called.
    pub fn name(&self, place: Place) -> &str {
        match place {
            Place::Events | Place::ByTime => &self.names.events,
            Place::Private => &self.names.private,
            Place::Keys => &self.names.keys,
            Place::SearchKeys => &self.names.search_keys,
            Place::Index => &self.names.index,
            Place::Work => &self.names.work,
            Place::Blocks => &self.names.blocks,
            Place::Sealed => &self.names.sealed,
        }
    }

    /// A page (1 MB at most) of one of so many segments of a place. Strongly consistent, but for the index over time. Of the blocks the keys alone.
    pub async fn scan(
        &self,
        place: Place,
        segment: u32,
        segments: u32,
        start: Option<Position>,
    ) -> Result<(Vec<RawItem>, Option<Position>), StoreError> {
        let number = |number| i32::try_from(number).map_err(|_| unusable(DYNAMODB, "a segment beyond 2^31"));
        let call = self.dynamodb.scan().table_name(self.name(place)).set_exclusive_start_key(start.map(|at| at.0));
        let call = call.segment(number(segment)?).total_segments(number(segments)?);
        let call = match place {
            Place::ByTime => call.index_name("by_time"),
            Place::Blocks => call
                .consistent_read(true)
                .projection_expression("#log, #height")
                .expression_attribute_names("#log", "log")
                .expression_attribute_names("#height", "height"),
            _ => call.consistent_read(true),
        };
        let page = call.send().await.map_err(|error| unavailable(DYNAMODB, &error))?;
        let items = page.items.unwrap_or_default().into_iter().map(raw_item).collect();
        Ok((items, page.last_evaluated_key.map(Position)))
    }

    /// All items of a stream in order, strongly consistent.
    pub async fn stream(&self, stream: &StreamId) -> Result<Vec<RawItem>, StoreError> {
        let (mut items, mut start) = (Vec::new(), None);
        loop {
            let call = self.of_one(Place::Events, "stream", &stream.to_string());
            let (page, next) = queried(call.set_exclusive_start_key(start)).await?;
            items.extend(page);
            start = next.map(|at| at.0);
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    /// A page of the ledger's blocks by height, strongly consistent.
    pub async fn blocks(&self, start: Option<Position>) -> Result<(Vec<RawItem>, Option<Position>), StoreError> {
        queried(self.of_one(Place::Blocks, "log", LOG).set_exclusive_start_key(start.map(|at| at.0))).await
    }

    /// The height of the newest block, as its key has it, strongly consistent.
    pub async fn newest_height(&self) -> Result<Option<u64>, StoreError> {
        let call = self.of_one(Place::Blocks, "log", LOG).scan_index_forward(false).limit(1);
        let (items, _) =
            queried(call.projection_expression("#height").expression_attribute_names("#height", "height")).await?;
        Ok(items.first().and_then(|item| match item.get("height") {
            Some(Raw::Number(digits)) => digits.parse().ok(),
            _ => None,
        }))
    }

    /// A query of the items that share the first part of their key, in the order of the second.
    fn of_one(&self, place: Place, attribute: &str, value: &str) -> QueryFluentBuilder {
        let call = self.dynamodb.query().table_name(self.name(place)).consistent_read(true);
        let call = call.key_condition_expression("#of = :of").expression_attribute_names("#of", attribute);
        call.expression_attribute_values(":of", AttributeValue::S(value.to_owned()))
    }
}

async fn queried(call: QueryFluentBuilder) -> Result<(Vec<RawItem>, Option<Position>), StoreError> {
    let page = call.send().await.map_err(|error| unavailable(DYNAMODB, &error))?;
    let items = page.items.unwrap_or_default().into_iter().map(raw_item).collect();
    Ok((items, page.last_evaluated_key.map(Position)))
}

fn raw_item(item: HashMap<String, AttributeValue>) -> RawItem {
    item.into_iter().map(|(name, value)| (name, raw(value))).collect()
}

fn raw(value: AttributeValue) -> Raw {
    match value {
        AttributeValue::S(text) => Raw::Text(text),
        AttributeValue::N(digits) => Raw::Number(digits),
        AttributeValue::B(bytes) => Raw::Bytes(bytes.into_inner()),
        _ => Raw::Other,
    }
}
