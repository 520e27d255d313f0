//! The authenticated map: what is the case after a block, under one root that stands in the block's seal.
//!
//! In scope: its keys and values ([`value`]), what events do to it ([`operation`]), its pages and how a batch changes them ([`page`], [`update()`]), and
//! proofs that a key has a value or none ([`proof`]). It is a binary Merkle trie over SHA-256; nodes, roots and paths are those of the crate `nomt-core`.
//! `docs/LEDGER.md` has the bytes.
//!
//! Not in scope: where pages are kept. Whoever keeps them brings those that are asked for, and stores those that come out.

pub mod operation;
pub mod page;
pub mod proof;
mod update;
pub mod value;

pub use operation::{Change, MAX_OPERATION_BYTES, Operation, operations, operations_of, operations_of_sealed};
pub use page::{Page, PageId};
pub use proof::{Finding, MapProof, prove, verify};
pub use update::{UpdateError, Updated, get, get_all, update};
pub use value::{MapKey, Value};

/// Which keys and values there are, and how they are encoded; stands in seals.
pub const MAP_VERSION: u32 = 1;
