//! The authenticated map, made again block by block from what the events do, and the states that its pages' items may have.

use std::collections::{BTreeMap, HashMap};

use chartseal_events::Hash;
use chartseal_ledger::block::Block;
use chartseal_ledger::map::{MAP_VERSION, Operation, Page, PageId, update};

/// A page after the block of this height, and the hash of its bytes.
pub(super) type State = (u64, Hash);

/// The map after the last block.
pub(super) struct Map {
    root: Hash,
    pages: BTreeMap<PageId, Page>,
    states: HashMap<String, States>,
    /// What is made of the events is not the map of the seals: from there on no page is judged.
    pub broken: bool,
}

/// The states of a page, from the one before the newest that must be there.
#[derive(Default)]
struct States {
    kept: Vec<State>,
    /// How many of them must have been written.
    settled: usize,
    /// Whether there were older ones.
    cut: bool,
}

impl Default for Map {
    fn default() -> Self {
        Self { root: Hash::ZERO, pages: BTreeMap::new(), states: HashMap::new(), broken: false }
    }
}

/// How a page's item is.
pub(super) enum PageIs {
    Right,
    /// Not what the blocks make of it.
    Other,
    /// No block makes such a page.
    Unknown,
}

impl Map {
    /// The map after a block: by the first of these operations that lead to the root that its seal has. Whether any do.
    pub fn follow(&mut self, block: &Block, operations: [Option<Vec<Operation>>; 2], settled: bool) -> bool {
        if self.broken {
            return true;
        }
        let seal = block.seal();
        let lead_there = |operations: Vec<Operation>| {
            let updated = update(self.root, &self.pages, &operations).ok()?;
            (updated.root == seal.map().root && seal.map().version == MAP_VERSION).then_some(updated)
        };
        let Some(updated) = operations.into_iter().flatten().find_map(lead_there) else {
            self.broken = true;
            return false;
        };
        for (id, page) in &updated.pages {
            let state = (seal.height(), Hash::of(&[&page.to_bytes()]));
            self.states.entry(format!("page/{id}")).or_default().push(state, settled);
        }
        self.root = updated.root;
        self.pages.extend(updated.pages);
        true
    }

    /// Whether a page's item is in one of the states that it may be in.
    pub fn is(&self, name: &str, now: State, before: Option<State>) -> PageIs {
        match self.states.get(name) {
            None => PageIs::Unknown,
            Some(states) if states.may_be(now, before) => PageIs::Right,
            Some(_) => PageIs::Other,
        }
    }

    /// The pages, each with the block that must have written it, or might have been the first to.
    pub fn pages(&self) -> impl Iterator<Item = (&str, u64)> {
        self.states.iter().filter_map(|(name, states)| {
            let written = states.kept.get(states.settled.saturating_sub(1))?;
            Some((name.as_str(), written.0))
        })
    }
}

impl States {
    fn push(&mut self, state: State, settled: bool) {
        self.kept.push(state);
        if settled {
            self.settled = self.kept.len();
            // The item has the newest and the one before it.
            let old = self.kept.len().saturating_sub(2);
            self.cut |= old > 0;
            self.kept.drain(..old);
            self.settled -= old;
        }
    }

    fn may_be(&self, now: State, before: Option<State>) -> bool {
        let Some(at) = self.kept.iter().position(|state| *state == now) else { return false };
        let is_before = match at.checked_sub(1) {
            Some(at) => before == self.kept.get(at).copied(),
            None => !self.cut && before.is_none(),
        };
        is_before && at + 1 >= self.settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn state(height: u64) -> State {
        (height, Hash([7; 32]))
    }

    #[test]
    fn a_page_is_as_the_newest_settled_block_left_it_or_later() {
        let mut states = States::default();
        for height in 1..=3 {
            states.push(state(height), true);
        }
        states.push(state(9), false);
        assert!(states.may_be(state(3), Some(state(2))), "as it must be");
        assert!(states.may_be(state(9), Some(state(3))), "and as the next block makes it");
        assert!(!states.may_be(state(2), Some(state(1))), "not as it was before");
        assert!(!states.may_be(state(2), None), "whatever it says of what was before");
        assert!(!states.may_be(state(3), None), "nor without what was before");
        assert!(!states.may_be(state(9), Some(state(2))), "nor with another one before it");
        let mut first = States::default();
        first.push(state(4), true);
        assert!(first.may_be(state(4), None) && !first.may_be(state(4), Some(state(3))));
    }
}
