//! The index and the work lists.

use chartseal_events::Id;

use super::MemoryVault;
use crate::layout::{cursor, due, index_entry, instant, list_name, moment, parse_cursor};
use crate::ports::{Due, Index, IndexEntry, IndexList, Page, StoreError, WorkList};

impl Index for MemoryVault {
    async fn add(&self, entries: &[(IndexList, IndexEntry)]) -> Result<(), StoreError> {
        let mut world = self.world();
        let (landing, outcome) = world.cut.meet(entries.len());
        for (list, entry) in &entries[landing] {
            world.index.insert((list_name(list), moment(entry.at_ms, entry.event)), entry.version);
        }
        outcome
    }

    async fn remove(&self, entries: &[(IndexList, IndexEntry)]) -> Result<(), StoreError> {
        let mut world = self.world();
        let (landing, outcome) = world.cut.meet(entries.len());
        for (list, entry) in &entries[landing] {
            world.index.remove(&(list_name(list), moment(entry.at_ms, entry.event)));
        }
        outcome
    }

    async fn page(&self, list: &IndexList, after: Option<&str>, limit: u32) -> Result<Page<IndexEntry>, StoreError> {
        let world = self.world();
        let list = list_name(list);
        // '~' sorts after every moment.
        let before = after.and_then(parse_cursor).unwrap_or_else(|| "~".to_owned());
        let newest_first = world.index.range((list.clone(), String::new())..(list, before)).rev();
        let limit = limit.max(1) as usize;
        let mut moments: Vec<(&String, u32)> =
            newest_first.map(|((_, moment), version)| (moment, *version)).take(limit + 1).collect();
        let more = moments.len() > limit;
        moments.truncate(limit);
        let next = moments.last().filter(|_| more).map(|(moment, _)| cursor(moment));
        let items = moments.into_iter().filter_map(|(moment, version)| index_entry(moment, version)).collect();
        Ok(Page { items, next })
    }
}

impl WorkList for MemoryVault {
    async fn put_task_token(&self, request: Id, token: &str, attempt: &str) -> Result<(), StoreError> {
        let mut world = self.world();
        let newest = world.task_tokens.entry(request).or_default();
        if newest.0.as_str() <= attempt {
            *newest = (attempt.to_owned(), token.to_owned());
        }
        world.waiting.insert(token.to_owned());
        Ok(())
    }

    async fn task_token(&self, request: Id) -> Result<Option<String>, StoreError> {
        Ok(self.world().task_tokens.get(&request).map(|(_, token)| token.clone()))
    }

    async fn add_due(&self, due: Due) -> Result<(), StoreError> {
        self.world().due.insert(moment(due.at_ms, due.event));
        Ok(())
    }

    async fn due(&self, until_ms: u64, limit: u32) -> Result<Vec<Due>, StoreError> {
        let end = instant(until_ms.saturating_add(1));
        Ok(self.world().due.range(..end).filter_map(|moment| due(moment)).take(limit as usize).collect())
    }

    async fn remove_due(&self, due: Due) -> Result<(), StoreError> {
        self.world().due.remove(&moment(due.at_ms, due.event));
        Ok(())
    }

    async fn sweep_cursor(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.world().sweep_cursor)
    }

    async fn set_sweep_cursor(&self, at_ms: u64) -> Result<(), StoreError> {
        let mut world = self.world();
        world.sweep_cursor = world.sweep_cursor.max(Some(at_ms));
        Ok(())
    }

    async fn count_tokens(&self, provider: Id, minute: u64, amount: u32, limit: u32) -> Result<bool, StoreError> {
        let mut world = self.world();
        let count = world.token_counts.entry((provider, minute)).or_default();
        let Some(sum) = count.checked_add(amount).filter(|sum| *sum <= limit) else { return Ok(false) };
        *count = sum;
        Ok(true)
    }
}
