//! What follows from the blocks: where leaves stand, the map's pages, up to when everything is sealed.
//!
//! Leaves and pages are written by transactions of puts: a hundred a call, and the right to put alone, where batches would bring the right to delete. That
//! the puts of a call are done together is not needed. A put that would go back has a condition against it: when that fails, the put had been done or was
//! overtaken, and the others are written without it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{KeysAndAttributes, Put, TransactWriteItem};
use chartseal_events::Hash;
use chartseal_ledger::map::{Page, PageId};
use futures_util::future::try_join_all;

use super::batches::MAX_BATCH;
use super::{
    DynamoStore, Item, SERVICE, back_off, bytes, failed, item, named, number, number_of, take_bytes, text, text_of,
};
use crate::aws::failure::unusable;
use crate::ports::{LeafPlace, MapPage, PageChange, SealedIndex, StoreError};

/// Calls at a time.
const CALLS_AT_ONCE: usize = 4;
/// How often another transaction on the same items is waited for: another sealer's, which writes the same.
const MAX_BUSY: u32 = 8;
/// The item that says up to when everything is sealed.
const SEALED_UNTIL: &str = "sealed-until";

fn key(name: impl Into<String>) -> Item {
    item([("item", text(name))])
}

fn leaf_name(leaf: &Hash) -> String {
    format!("leaf/{leaf}")
}

fn page_name(id: &PageId) -> String {
    format!("page/{id}")
}

fn leaf_put(table: &str, leaf: &Hash, place: LeafPlace) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder().table_name(table).set_item(Some(key(leaf_name(leaf))));
    transact(put.item("index", number(place.index)).item("height", number(place.height)).build())
}

fn page_put(table: &str, height: u64, change: &PageChange) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder().table_name(table).set_item(Some(key(page_name(&change.id))));
    let mut put = put.item("height", number(height)).item("page", bytes(change.page.to_bytes()));
    if let Some(before) = &change.before {
        put = put.item("before_height", number(before.height)).item("before", bytes(before.page.to_bytes()));
    }
    let put = put.condition_expression("attribute_not_exists(#height) OR #height < :height");
    let put = put.expression_attribute_names("#height", "height");
    transact(put.expression_attribute_values(":height", number(height)).build())
}

fn transact(put: Result<Put, aws_sdk_dynamodb::error::BuildError>) -> Result<TransactWriteItem, StoreError> {
    let put = put.map_err(|error| unusable(SERVICE, error.to_string()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// One of the two states that a page's item has.
fn state(found: &mut Item, id: PageId, height: &str, page: &str) -> Result<MapPage, StoreError> {
    let damaged = || StoreError::Damaged { what: format!("the attribute `{page}` of the map's page {id}") };
    let height = number_of(found, height).map_err(|_| damaged())?;
    let bytes = take_bytes(found, page).map_err(|_| damaged())?;
    Ok(MapPage { height, page: Page::from_bytes(id, &bytes).map_err(|_| damaged())? })
}

/// The page as it was after the block of this height, if its item goes back so far.
fn page_as_of(mut found: Item, id: PageId, height: u64) -> Result<Option<MapPage>, StoreError> {
    let newest = state(&mut found, id, "height", "page")?;
    if newest.height <= height {
        return Ok(Some(newest));
    }
    if !found.contains_key("before") && !found.contains_key("before_height") {
        return Ok(None);
    }
    let before = state(&mut found, id, "before_height", "before")?;
    Ok(Some(before).filter(|before| before.height <= height))
}

fn leaf_place(name: &str, found: &Item) -> Result<LeafPlace, StoreError> {
    let read = |attribute: &str| {
        let damaged = |_| StoreError::Damaged { what: format!("the attribute `{attribute}` of {name}") };
        number_of(found, attribute).map_err(damaged)
    };
    Ok(LeafPlace { index: read("index")?, height: read("height")? })
}

impl DynamoStore {
    pub(super) fn sealed(&self) -> Result<&str, StoreError> {
        named(self.tables.sealed.as_deref(), "sealed")
    }

    /// The items of these names that are there, by name.
    async fn sealed_items(&self, names: BTreeSet<String>) -> Result<BTreeMap<String, Item>, StoreError> {
        let table = self.sealed()?;
        let names: Vec<String> = names.into_iter().collect();
        let mut found = BTreeMap::new();
        for some in names.chunks(MAX_BATCH * CALLS_AT_ONCE) {
            let calls = some.chunks(MAX_BATCH).map(|batch| {
                let keys = batch.iter().map(key).collect();
                self.get_batch(table, KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true))
            });
            for item in try_join_all(calls).await?.into_iter().flatten() {
                found.insert(text_of(&item, "item")?.to_owned(), item);
            }
        }
        Ok(found)
    }

    async fn put_sealed(&self, puts: &[TransactWriteItem]) -> Result<(), StoreError> {
        let of_call = self.puts_per_call;
        for some in puts.chunks(of_call * CALLS_AT_ONCE) {
            try_join_all(some.chunks(of_call).map(|batch| self.put_batch(batch.to_vec()))).await?;
        }
        Ok(())
    }

    /// Writes all of these whose condition holds.
    async fn put_batch(&self, mut puts: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        let mut busy = 0;
        while !puts.is_empty() {
            let call = self.client.transact_write_items().set_transact_items(Some(puts.clone()));
            let Err(error) = call.send().await else { return Ok(()) };
            // What the service said of each put, in their order. Nothing of the call was written.
            let reasons: Vec<&str> = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect()
                }
                Some(TransactWriteItemsError::TransactionInProgressException(_)) => vec!["TransactionConflict"],
                _ => return Err(failed(&error)),
            };
            let of_all = reasons.len() == puts.len();
            if of_all && reasons.contains(&"ConditionalCheckFailed") {
                let open = puts.into_iter().zip(reasons).filter(|(_, reason)| *reason != "ConditionalCheckFailed");
                puts = open.map(|(put, _)| put).collect();
            } else if reasons.contains(&"TransactionConflict") && busy < MAX_BUSY {
                busy += 1;
                back_off(busy).await;
            } else {
                return Err(failed(&error));
            }
        }
        Ok(())
    }
}

impl SealedIndex for DynamoStore {
    async fn leaf_places(&self, leaves: &[Hash]) -> Result<Vec<Option<LeafPlace>>, StoreError> {
        let names: Vec<String> = leaves.iter().map(leaf_name).collect();
        let found = self.sealed_items(names.iter().cloned().collect()).await?;
        names.iter().map(|name| found.get(name).map(|item| leaf_place(name, item)).transpose()).collect()
    }

    async fn put_leaf_places(&self, leaves: &[(Hash, LeafPlace)]) -> Result<(), StoreError> {
        let table = self.sealed()?;
        // A transaction names an item once.
        let leaves: BTreeMap<Hash, LeafPlace> = leaves.iter().copied().collect();
        let puts: Result<Vec<_>, _> = leaves.iter().map(|(leaf, place)| leaf_put(table, leaf, *place)).collect();
        self.put_sealed(&puts?).await
    }

    async fn map_pages(&self, ids: &[PageId], height: u64) -> Result<BTreeMap<PageId, MapPage>, StoreError> {
        let mut found = self.sealed_items(ids.iter().map(page_name).collect()).await?;
        let mut pages = BTreeMap::new();
        for id in ids {
            let Some(item) = found.remove(&page_name(id)) else { continue };
            if let Some(page) = page_as_of(item, *id, height)? {
                pages.insert(*id, page);
            }
        }
        Ok(pages)
    }

    async fn put_map_pages(&self, height: u64, changes: &[PageChange]) -> Result<(), StoreError> {
        let table = self.sealed()?;
        let changes: BTreeMap<PageId, &PageChange> = changes.iter().map(|change| (change.id, change)).collect();
        let puts: Result<Vec<_>, _> = changes.values().map(|change| page_put(table, height, change)).collect();
        self.put_sealed(&puts?).await
    }

    async fn sealed_until(&self) -> Result<Option<u64>, StoreError> {
        let found = self.get(self.sealed()?, key(SEALED_UNTIL)).await?;
        found.map(|item| number_of(&item, "at")).transpose()
    }

    async fn set_sealed_until(&self, at_ms: u64) -> Result<(), StoreError> {
        let call = self.client.put_item().table_name(self.sealed()?).set_item(Some(key(SEALED_UNTIL)));
        let call = call.item("at", number(at_ms)).condition_expression("attribute_not_exists(#at) OR #at < :at");
        let call = call.expression_attribute_names("#at", "at").expression_attribute_values(":at", number(at_ms));
        match call.send().await {
            Ok(_) => Ok(()),
            // Another sealer is further on.
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(failed(&error)),
        }
    }
}
