//! How a client moves bodies: how many parts at once, and where it keeps what it would go on with.

use crate::state::State;

/// How bodies are moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfers {
    /// Where a transfer keeps what it needs to go on after a crash.
    pub state: State,
    /// How many parts of an upload go at the same time.
    pub parallel: usize,
    /// Whether what an earlier run left is put aside.
    pub fresh: bool,
    /// Whether a new version that was begun elsewhere, or put aside, and not sent yet is made of this file instead of another one.
    pub take_over: bool,
}

impl Transfers {
    /// Parts that go at the same time unless something else is said.
    pub const DEFAULT_PARALLEL: usize = 4;
    /// Most parts that go at the same time.
    pub const MAX_PARALLEL: usize = 16;
}

impl Default for Transfers {
    fn default() -> Self {
        Self { state: State::default(), parallel: Self::DEFAULT_PARALLEL, fresh: false, take_over: false }
    }
}
