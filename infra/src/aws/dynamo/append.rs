//! Appending: one conditional write. A place is written once for ever; whoever finds it taken looks whether it was by themselves.
//!
//! The SDK repeats a write whose answer was lost, with the same bytes. So "taken" may mean "by the attempt before this one", and "no answer"
//! may mean "done": both are settled by looking at the place, never by guessing.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use chartseal_events::event::StoredEvent;
use chartseal_events::{EventRef, Hash};

use super::streams::place_key;
use super::{DynamoStore, Item, SERVICE, back_off, bytes, failed, item, named, number, text};
use crate::aws::failure::unusable;
use crate::layout::{hour, key_name, moment};
use crate::ports::{Append, EventStore as _, KeyItem, StoreError};

/// How often another transaction in progress on our place is waited for.
const MAX_BUSY: u32 = 5;
/// DynamoDB's longest idempotency token.
const TOKEN_CHARS: usize = 36;

/// What DynamoDB said to a write.
enum Written {
    Done,
    /// A condition failed: a place is taken, by somebody else or by an attempt of ours whose answer was lost.
    Taken,
    /// Another transaction is at work on an item.
    Busy,
    /// No answer, or a failure: it may have taken effect.
    Unknown(StoreError),
}

fn event_item(event: &StoredEvent, at_ms: u64) -> Item {
    item([
        ("stream", text(event.at.stream.to_string())),
        ("seq", number(event.at.seq)),
        ("body", bytes(event.body.as_bytes())),
        ("at", number(at_ms)),
        ("hour", text(hour(at_ms, &event.leaf))),
        ("moment", text(moment(at_ms, event.at))),
    ])
}

fn key_item(key: &KeyItem) -> Item {
    let (attribute, value) = match key {
        KeyItem::Wrapped { wrapped, .. } => ("wrapped", wrapped),
        KeyItem::Header { header, .. } => ("header", header),
    };
    item([("record", text(key_name(key))), (attribute, bytes(value.as_slice()))])
}

/// A put of an item that is not there yet; `key` is the table's partition key.
fn put_new(table: &str, key: &str, item: Item) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder().table_name(table).set_item(Some(item));
    let put = put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", key);
    transact(put.build())
}

fn transact(put: Result<Put, aws_sdk_dynamodb::error::BuildError>) -> Result<TransactWriteItem, StoreError> {
    let put = put.map_err(|error| unusable(SERVICE, error.to_string()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

impl DynamoStore {
    pub(super) async fn append_all(&self, append: &Append) -> Result<(), StoreError> {
        let Some(first) = append.events.first() else { return Ok(()) };
        let alone = append.events.len() == 1 && append.private.is_empty() && append.keys.is_empty();
        for attempt in 0..MAX_BUSY {
            let written =
                if alone { self.put_one(first, append.at_ms).await? } else { self.put_together(first, append).await? };
            match written {
                Written::Done => return Ok(()),
                Written::Taken => return self.settle(append).await,
                Written::Unknown(unknown) => {
                    // Where even the look fails, the first failure is the one to tell of.
                    return match self.settle(append).await {
                        Ok(()) => Ok(()),
                        Err(conflict @ StoreError::Conflict(_)) => Err(conflict),
                        Err(_) => Err(unknown),
                    };
                }
                Written::Busy => back_off(attempt).await,
            }
        }
        Err(StoreError::Conflict(first.at))
    }

    async fn put_one(&self, event: &StoredEvent, at_ms: u64) -> Result<Written, StoreError> {
        let call = self.client.put_item().table_name(self.events()?).set_item(Some(event_item(event, at_ms)));
        let call = call.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", "stream");
        Ok(match call.send().await {
            Ok(_) => Written::Done,
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Written::Taken,
                Some(PutItemError::TransactionConflictException(_)) => Written::Busy,
                _ => Written::Unknown(failed(&error)),
            },
        })
    }

    async fn put_together(&self, first: &StoredEvent, append: &Append) -> Result<Written, StoreError> {
        let mut items = Vec::with_capacity(append.events.len() + append.keys.len() + 1);
        for event in &append.events {
            items.push(put_new(self.events()?, "stream", event_item(event, append.at_ms))?);
        }
        if !append.private.is_empty() {
            items.push(self.put_private(first.at, append)?);
        }
        for key in &append.keys {
            items.push(put_new(named(self.tables.keys.as_deref(), "keys")?, "record", key_item(key))?);
        }
        let token = self.request_token(append)?;
        let call = self.client.transact_write_items().set_transact_items(Some(items)).client_request_token(token);
        Ok(match call.send().await {
            Ok(_) => Written::Done,
            Err(error) => refused_together(&error),
        })
    }

    /// The idempotency token: for ten minutes, the same events at the same places in the same table are the same call to DynamoDB.
    fn request_token(&self, append: &Append) -> Result<String, StoreError> {
        let at = append.at_ms.to_be_bytes();
        let places: Vec<String> = append.events.iter().map(|event| event.at.to_string()).collect();
        let mut parts = vec![self.events()?.as_bytes(), b"\0", &at];
        for (event, place) in append.events.iter().zip(&places) {
            parts.extend([&event.leaf.0[..], place.as_bytes(), b"\0"]);
        }
        Ok(Hash::of(&parts).to_string().chars().take(TOKEN_CHARS).collect())
    }

    fn put_private(&self, place: EventRef, append: &Append) -> Result<TransactWriteItem, StoreError> {
        let fields = serde_json::to_string(&append.private).map_err(|error| unusable(SERVICE, error.to_string()))?;
        let mut item = place_key(&place);
        item.insert("fields".to_owned(), text(fields));
        // Unconditional: it stands and falls with its event, whose place is checked.
        let table = named(self.tables.private.as_deref(), "private")?;
        transact(Put::builder().table_name(table).set_item(Some(item)).build())
    }

    /// Looks who took the places.
    async fn settle(&self, append: &Append) -> Result<(), StoreError> {
        let places: Vec<EventRef> = append.events.iter().map(|event| event.at).collect();
        let found = self.fetch(&places).await?;
        let pairs = || append.events.iter().zip(&found);
        if pairs().all(|(ours, found)| found.as_ref().is_some_and(|found| found.body == ours.body)) {
            return Ok(());
        }
        match pairs().find(|(ours, found)| found.as_ref().is_some_and(|found| found.body != ours.body)) {
            Some((ours, _)) => Err(StoreError::Conflict(ours.at)),
            // Everything is written together or not at all, and keys only with events that tell of them.
            None => {
                Err(StoreError::Damaged { what: "a key item that no event tells of, or half a transaction".to_owned() })
            }
        }
    }
}

fn refused_together<R: std::fmt::Debug>(error: &SdkError<TransactWriteItemsError, R>) -> Written {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let said = |code: &str| cancelled.cancellation_reasons().iter().any(|reason| reason.code() == Some(code));
            if said("ConditionalCheckFailed") {
                Written::Taken
            } else if said("TransactionConflict") {
                Written::Busy
            } else {
                Written::Unknown(failed(error))
            }
        }
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => Written::Busy,
        _ => Written::Unknown(failed(error)),
    }
}
