//! The tables: streams of events, private values, wrapped keys, the index, the work lists, the ledger's blocks and what follows from them.
//! `template.yaml` makes them; [`Tables`] names them.

mod append;
mod batches;
mod blocks;
mod cosigned;
mod lists;
mod sealed;
mod streams;
mod work;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::counted::Counted;
use super::failure::{unavailable, unusable};
use crate::ports::StoreError;

const SERVICE: &str = "DynamoDB";
/// The first wait of our own repetitions; it doubles.
const BACKOFF_MS: u64 = 10;

/// DynamoDB's limit on the items of one transaction. (The one on its bytes, 4 MB, is far: of what is put by the hundred, an item has at most 5 KB.)
const MAX_PUTS: usize = 100;

type Item = HashMap<String, AttributeValue>;

/// The names of the tables. A function knows those that its role may use.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Streams of events.
    pub events: Option<String>,
    /// Private values.
    pub private: Option<String>,
    /// Wrapped data keys and headers.
    pub keys: Option<String>,
    /// Lists.
    pub index: Option<String>,
    /// Work.
    pub work: Option<String>,
    /// The ledger's blocks.
    pub blocks: Option<String>,
    /// What follows from them.
    pub sealed: Option<String>,
}

/// A client whose calls are counted.
pub(super) fn client(config: &SdkConfig) -> Client {
    Client::from_conf(aws_sdk_dynamodb::config::Builder::from(config).interceptor(Counted).build())
}

/// Event store, key table, index, work lists, blocks and what follows from them on DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    client: Client,
    tables: Arc<Tables>,
    puts_per_call: usize,
}

impl DynamoStore {
    /// On these tables.
    pub fn new(config: &SdkConfig, tables: Tables) -> Self {
        Self::with_client(client(config), tables)
    }

    /// With a client that was made already.
    pub fn with_client(client: Client, tables: Tables) -> Self {
        Self { client, tables: Arc::new(tables), puts_per_call: MAX_PUTS }
    }

    /// With fewer puts in a call than DynamoDB takes, for an implementation that takes fewer.
    #[must_use]
    pub fn with_puts_per_call(self, puts_per_call: usize) -> Self {
        Self { puts_per_call: puts_per_call.clamp(1, MAX_PUTS), ..self }
    }

    /// Its client, for another store on the same connections.
    pub fn client(&self) -> &Client {
        &self.client
    }

    fn events(&self) -> Result<&str, StoreError> {
        named(self.tables.events.as_deref(), "events")
    }

    /// One item, with a consistent read.
    async fn get(&self, table: &str, key: Item) -> Result<Option<Item>, StoreError> {
        let call = self.client.get_item().table_name(table).set_key(Some(key)).consistent_read(true);
        Ok(call.send().await.map_err(|error| failed(&error))?.item)
    }
}

fn named<'a>(table: Option<&'a str>, which: &str) -> Result<&'a str, StoreError> {
    table.ok_or_else(|| unusable(SERVICE, format!("this function has no {which} table")))
}

fn failed(error: &(impl ProvideErrorMetadata + std::error::Error)) -> StoreError {
    unavailable(SERVICE, error)
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

fn bytes(value: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn text_of<'a>(item: &'a Item, name: &str) -> Result<&'a str, StoreError> {
    match item.get(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(attribute_missing(name)),
    }
}

fn number_of<N: std::str::FromStr>(item: &Item, name: &str) -> Result<N, StoreError> {
    match item.get(name) {
        Some(AttributeValue::N(digits)) => digits.parse().map_err(|_| attribute_missing(name)),
        _ => Err(attribute_missing(name)),
    }
}

fn take_bytes(item: &mut Item, name: &str) -> Result<Vec<u8>, StoreError> {
    match item.remove(name) {
        Some(AttributeValue::B(blob)) => Ok(blob.into_inner()),
        _ => Err(attribute_missing(name)),
    }
}

fn attribute_missing(name: &str) -> StoreError {
    StoreError::Damaged { what: format!("an item without a sound attribute `{name}`") }
}

/// Waits before the next of our own repetitions: up to 10, 20, 40 ms ..., at random so that rivals part.
async fn back_off(attempt: u32) {
    let mut random = [0; 8];
    // Without randomness rivals wait alike, and are told of the conflict in the end.
    let _ = getrandom::fill(&mut random);
    let longest_ms = BACKOFF_MS << attempt.min(6);
    tokio::time::sleep(Duration::from_millis(1 + u64::from_le_bytes(random) % longest_ms)).await;
}
