//! The harness of the end-to-end stories: a deployed stack, people with wallets, hands that can do what only somebody behind the vault's back
//! can, and a liar who stands between a person and the vault.
//!
//! Which stack: the one that `cargo xtask test` shares (`CHARTSEAL_STACK_FILE`), else what `CHARTSEAL_STACK` and `AWS_ENDPOINT_URL` say, else an embedded
//! emulator that is started here. One that was asked for and is not there fails; nothing is ever skipped.
#![forbid(unsafe_code)]
// A harness fails a test by panicking: that is what it is for.
#![allow(clippy::missing_panics_doc)]

pub mod audit;
pub mod hands;
pub mod killer;
pub mod liar;
pub mod lines;
pub mod log;
pub mod official;
pub mod people;
pub mod scanner;
pub mod stack;
pub mod stored_log;
pub mod witness;

pub use audit::{audit, audit_as, audited, impatient};
pub use hands::Hands;
pub use killer::Killer;
pub use liar::{Exchange, Liar};
pub use people::{Hospital, sample, unique};
pub use stack::Stack;
pub use stored_log::StoredLog;
pub use witness::Witness;
