//! Batches: reads of many items at once, which DynamoDB may leave half done.

use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;

use super::{DynamoStore, Item, SERVICE, back_off, failed};
use crate::aws::failure::unusable;
use crate::ports::StoreError;

/// DynamoDB's limit on one `BatchGetItem`.
pub(super) const MAX_BATCH: usize = 100;
/// How many batches are read side by side.
pub(super) const BATCHES_AT_ONCE: usize = 8;
/// How often a batch that DynamoDB did not finish is continued without any progress.
const MAX_IDLE_BATCHES: u32 = 6;

impl DynamoStore {
    /// The items of one table that are there, of at most [`MAX_BATCH`] different keys; in no order.
    pub(super) async fn get_batch(&self, table: &str, keys: KeysAndAttributesBuilder) -> Result<Vec<Item>, StoreError> {
        let mut open = Some(keys.build().map_err(|error| unusable(SERVICE, error.to_string()))?);
        let (mut items, mut idle) = (Vec::new(), 0);
        while let Some(keys) = open.take() {
            let call = self.client.batch_get_item().request_items(table, keys);
            let answer = call.send().await.map_err(|error| failed(&error))?;
            let before = items.len();
            items.extend(answer.responses.unwrap_or_default().into_values().flatten());
            open = answer
                .unprocessed_keys
                .and_then(|tables| tables.into_values().next())
                .filter(|keys| !keys.keys().is_empty());
            if open.is_some() {
                idle = if items.len() > before { 0 } else { idle + 1 };
                if idle > MAX_IDLE_BATCHES {
                    return Err(unusable(SERVICE, "a batch read makes no progress"));
                }
                back_off(idle).await;
            }
        }
        Ok(items)
    }
}
