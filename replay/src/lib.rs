//! An outsider's replay of the vault's log: every block, hash, signature and decision, and the copy that is left of it.
//!
//! In scope: [`Replay`] takes a log from a [`Source`] and checks everything that can be checked about it, down to the event that is wrong; [`Copy`](struct@Copy) keeps
//! what was checked, in one folder, so that a replay goes on where it was stopped, and so that an auditor, a mirror and a witness have tiles, proofs,
//! blocks and bodies at hand. Not in scope: the network, the clock, cosigning, and what the vault stores beside its log (the audit of the store).
//!
//! The crate has no async, no network and no AWS types. `docs/AUDIT.md` says what is checked, and what cannot be.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod copy;
pub mod finding;
mod histories;
mod judge;
mod pages;
mod replay;
mod report;
pub mod source;
#[cfg(feature = "testing")]
pub mod testing;

pub use copy::{CopiedBlock, Copy, CopyError, Snapshot};
pub use finding::{Finding, Rule};
pub use replay::{Failure, Replay, Stage, Watch};
pub use report::Report;
pub use source::{PublicBlock, Source};
