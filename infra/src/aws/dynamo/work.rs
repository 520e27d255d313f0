//! The work lists: task tokens, what is due, the sweep's cursor, counts of tokens.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use chartseal_events::Id;
use futures_util::future::try_join_all;

use super::{DynamoStore, Item, attribute_missing, failed, item, named, number, number_of, text, text_of};
use crate::layout::{SHARDS, due, due_shard, instant, moment};
use crate::ports::{Due, StoreError, WorkList};

/// How long after its minute a count is kept, in minutes, before DynamoDB may drop it.
const COUNT_LIFE_MINUTES: u64 = 10;

fn key(work: impl Into<String>, part: impl Into<String>) -> Item {
    item([("item", text(work)), ("part", text(part))])
}

fn due_key(due: Due) -> Item {
    key(format!("due/{}", due_shard(due.event)), moment(due.at_ms, due.event))
}

impl DynamoStore {
    fn work(&self) -> Result<&str, StoreError> {
        named(self.tables.work.as_deref(), "work")
    }

    async fn due_in(&self, shard: u8, end: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let query = self.client.query().table_name(self.work()?).consistent_read(true);
        let query = query.key_condition_expression("#item = :item AND #part < :end");
        let query = query.expression_attribute_names("#item", "item").expression_attribute_names("#part", "part");
        let query = query.expression_attribute_values(":item", text(format!("due/{shard}")));
        // One page: what does not fit is still due next time.
        let query =
            query.expression_attribute_values(":end", text(end)).limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let page = query.send().await.map_err(|error| failed(&error))?;
        page.items().iter().map(|item| text_of(item, "part").map(str::to_owned)).collect()
    }
}

impl WorkList for DynamoStore {
    async fn put_task_token(&self, request: Id, token: &str, attempt: &str) -> Result<(), StoreError> {
        let call =
            self.client.put_item().table_name(self.work()?).set_item(Some(key(format!("task/{request}"), "token")));
        let call = call.item("value", text(token)).item("attempt", text(attempt));
        let call = call.condition_expression("attribute_not_exists(#attempt) OR #attempt <= :attempt");
        let call = call.expression_attribute_names("#attempt", "attempt");
        match call.expression_attribute_values(":attempt", text(attempt)).send().await {
            Ok(_) => Ok(()),
            // A newer one is kept.
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(failed(&error)),
        }
    }

    async fn task_token(&self, request: Id) -> Result<Option<String>, StoreError> {
        let found = self.get(self.work()?, key(format!("task/{request}"), "token")).await?;
        found.map(|item| text_of(&item, "value").map(str::to_owned)).transpose()
    }

    async fn add_due(&self, due: Due) -> Result<(), StoreError> {
        let call = self.client.put_item().table_name(self.work()?).set_item(Some(due_key(due)));
        call.send().await.map_err(|error| failed(&error))?;
        Ok(())
    }

    async fn due(&self, until_ms: u64, limit: u32) -> Result<Vec<Due>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let end = instant(until_ms.saturating_add(1));
        let shards = (0..SHARDS).map(|shard| self.due_in(shard, &end, limit));
        let mut moments: Vec<String> = try_join_all(shards).await?.into_iter().flatten().collect();
        moments.sort_unstable();
        moments.truncate(limit as usize);
        moments.iter().map(|moment| due(moment).ok_or_else(|| attribute_missing("part"))).collect()
    }

    async fn remove_due(&self, due: Due) -> Result<(), StoreError> {
        let call = self.client.delete_item().table_name(self.work()?).set_key(Some(due_key(due)));
        call.send().await.map_err(|error| failed(&error))?;
        Ok(())
    }

    async fn sweep_cursor(&self) -> Result<Option<u64>, StoreError> {
        let found = self.get(self.work()?, key("cursor", "sweep")).await?;
        found.map(|item| number_of(&item, "value")).transpose()
    }

    async fn set_sweep_cursor(&self, at_ms: u64) -> Result<(), StoreError> {
        let call = self.client.put_item().table_name(self.work()?).set_item(Some(key("cursor", "sweep")));
        let call =
            call.item("value", number(at_ms)).condition_expression("attribute_not_exists(#value) OR #value < :value");
        let call =
            call.expression_attribute_names("#value", "value").expression_attribute_values(":value", number(at_ms));
        match call.send().await {
            Ok(_) => Ok(()),
            // Another sweep is further on.
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(failed(&error)),
        }
    }

    async fn count_tokens(&self, provider: Id, minute: u64, amount: u32, limit: u32) -> Result<bool, StoreError> {
        let Some(most_before) = limit.checked_sub(amount) else { return Ok(false) };
        let key = key(format!("rate/{provider}/{minute}"), "tokens");
        let call = self.client.update_item().table_name(self.work()?).set_key(Some(key));
        let call = call.update_expression("ADD #count :amount SET expires = :expires");
        let call = call.condition_expression("attribute_not_exists(#count) OR #count <= :most");
        let call =
            call.expression_attribute_names("#count", "count").expression_attribute_values(":amount", number(amount));
        let call = call.expression_attribute_values(":most", number(most_before));
        let call = call.expression_attribute_values(":expires", number((minute + COUNT_LIFE_MINUTES) * 60));
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(false)
            }
            Err(error) => Err(failed(&error)),
        }
    }
}
