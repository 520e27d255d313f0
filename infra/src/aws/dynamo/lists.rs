//! The index: one partition for each list, sorted by moment.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;

use super::{DynamoStore, Item, attribute_missing, failed, item, named, number, number_of, text, text_of};
use crate::layout::{cursor, index_entry, list_name, moment, parse_cursor};
use crate::ports::{Index, IndexEntry, IndexList, Page, StoreError};

/// How many entries are written at a time. (Single writes: the roles have no right to batches.)
const WRITES_AT_ONCE: usize = 16;

fn entry_key(list: &IndexList, entry: &IndexEntry) -> Item {
    item([("list", text(list_name(list))), ("moment", text(moment(entry.at_ms, entry.event)))])
}

impl DynamoStore {
    fn index(&self) -> Result<&str, StoreError> {
        named(self.tables.index.as_deref(), "index")
    }
}

impl Index for DynamoStore {
    async fn add(&self, entries: &[(IndexList, IndexEntry)]) -> Result<(), StoreError> {
        let table = self.index()?;
        for some in entries.chunks(WRITES_AT_ONCE) {
            let writes = some.iter().map(|(list, entry)| {
                let call = self.client.put_item().table_name(table).set_item(Some(entry_key(list, entry)));
                call.item("version", number(entry.version)).send()
            });
            try_join_all(writes).await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    async fn remove(&self, entries: &[(IndexList, IndexEntry)]) -> Result<(), StoreError> {
        let table = self.index()?;
        for some in entries.chunks(WRITES_AT_ONCE) {
            let writes = some.iter().map(|(list, entry)| {
                self.client.delete_item().table_name(table).set_key(Some(entry_key(list, entry))).send()
            });
            try_join_all(writes).await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    async fn page(&self, list: &IndexList, after: Option<&str>, limit: u32) -> Result<Page<IndexEntry>, StoreError> {
        let list = list_name(list);
        let limit = limit.max(1) as usize;
        let key = |moment: String| item([("list", text(list.clone())), ("moment", text(moment))]);
        let mut start = after.and_then(parse_cursor).map(key);
        let mut found: Vec<(String, u32)> = Vec::new();
        // One more than asked for tells whether there is a next page.
        while found.len() <= limit {
            let query = self.client.query().table_name(self.index()?).scan_index_forward(false);
            let query = query.key_condition_expression("#list = :list").expression_attribute_names("#list", "list");
            let query = query.expression_attribute_values(":list", AttributeValue::S(list.clone()));
            let query = query.limit(i32::try_from(limit + 1 - found.len()).unwrap_or(i32::MAX));
            let page = query.set_exclusive_start_key(start).send().await.map_err(|error| failed(&error))?;
            for item in page.items() {
                found.push((text_of(item, "moment")?.to_owned(), number_of(item, "version")?));
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(moment, _)| cursor(moment));
        let entry =
            |(moment, version): (String, u32)| index_entry(&moment, version).ok_or_else(|| attribute_missing("moment"));
        Ok(Page { items: found.into_iter().map(entry).collect::<Result<_, _>>()?, next })
    }
}
