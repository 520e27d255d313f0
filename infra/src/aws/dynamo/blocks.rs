//! The ledger's blocks: one partition, sorted by height, written once for ever.
//!
//! The newest one is read with the time by which the service read it: what it puts in the header `Date`.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use chartseal_ledger::block::{Block, MAX_BLOCK_BYTES};

use super::{
    DynamoStore, Item, SERVICE, attribute_missing, back_off, bytes, failed, item, named, number, number_of, take_bytes,
    text,
};
use crate::aws::failure::unusable;
use crate::aws::service_time::ServiceTime;
use crate::ports::{BlockStore, Newest, Race, StoreError};

/// The one partition. A table holds one vault's log.
const LOG: &str = "log";
/// How often another transaction in progress on our place is waited for. None of ours is; somebody else's might be.
const MAX_BUSY: u32 = 5;

fn key(height: u64) -> Item {
    item([("log", text(LOG)), ("height", number(height))])
}

/// The block of an item, which stands where it says.
fn block_of(mut item: Item) -> Result<Block, StoreError> {
    let height: u64 = number_of(&item, "height")?;
    let damaged = |why: String| StoreError::Damaged { what: format!("block {height}: {why}") };
    let block = Block::from_bytes(&take_bytes(&mut item, "block")?).map_err(|error| damaged(error.to_string()))?;
    match block.seal().height() {
        of_seal if of_seal == height => Ok(block),
        of_seal => Err(damaged(format!("its seal says height {of_seal}"))),
    }
}

impl DynamoStore {
    fn blocks(&self) -> Result<&str, StoreError> {
        named(self.tables.blocks.as_deref(), "blocks")
    }

    /// Who stands at the place of these bytes. None: nobody yet.
    async fn winner(&self, height: u64, ours: &[u8]) -> Result<Option<Race>, StoreError> {
        let Some(mut item) = self.get(self.blocks()?, key(height)).await? else { return Ok(None) };
        Ok(Some(if take_bytes(&mut item, "block")? == ours { Race::Won } else { Race::Lost }))
    }
}

impl BlockStore for DynamoStore {
    async fn newest_block(&self) -> Result<Newest, StoreError> {
        let time = ServiceTime::default();
        let query = self.client.query().table_name(self.blocks()?).consistent_read(true);
        let query = query.key_condition_expression("#log = :log").expression_attribute_names("#log", "log");
        let query = query.expression_attribute_values(":log", text(LOG)).scan_index_forward(false).limit(1);
        let answer = query.customize().interceptor(time.clone()).send().await.map_err(|error| failed(&error))?;
        let service_ms = time.ms(SERVICE)?;
        let block = answer.items.unwrap_or_default().into_iter().next().map(block_of).transpose()?;
        Ok(Newest { block, service_ms })
    }

    async fn block(&self, height: u64) -> Result<Option<Block>, StoreError> {
        self.get(self.blocks()?, key(height)).await?.map(block_of).transpose()
    }

    async fn put_block(&self, block: &Block) -> Result<Race, StoreError> {
        let (height, ours) = (block.seal().height(), block.to_bytes());
        for attempt in 0..MAX_BUSY {
            let call = self.client.put_item().table_name(self.blocks()?).set_item(Some(key(height)));
            let call = call.item("block", bytes(ours.as_slice()));
            let call = call.condition_expression("attribute_not_exists(#height)");
            let call = call.expression_attribute_names("#height", "height");
            let Err(refused) = call.send().await else { return Ok(Race::Won) };
            match refused.as_service_error() {
                Some(PutItemError::TransactionConflictException(_)) => back_off(attempt).await,
                Some(PutItemError::ConditionalCheckFailedException(_)) => {
                    return self.winner(height, &ours).await?.ok_or_else(|| attribute_missing("block"));
                }
                // It may have been done: what stands there says.
                _ => match self.winner(height, &ours).await {
                    Ok(Some(race)) => return Ok(race),
                    Ok(None) | Err(_) => return Err(failed(&refused)),
                },
            }
        }
        Err(unusable(SERVICE, format!("the place of block {height} stays busy")))
    }
}

/// An item has at most 400 KB, its keys and names included.
const _: () = assert!(MAX_BLOCK_BYTES < 399 * 1024);
