//! What can happen in the vault, and what follows from it.
//!
//! In scope: the bytes of commands (signed by a person's wallet), the bytes of events (hash-linked into streams), the folds that turn a
//! stream into a state, and the pure decisions that turn a state and a command into the next events. Out of scope: storage, clocks,
//! networks and randomness, which callers bring. The formats are specified in `docs/EVENT-LOG.md`.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod codes;
pub mod command;
pub mod decide;
pub mod encoding;
pub mod event;
pub mod evidence;
pub mod id;
pub mod jws;
pub mod limits;
pub mod private;
pub mod purpose;
pub mod state;
pub mod stream;
pub mod strict;
pub mod wire;

pub use codes::{Code, Refusal};
pub use command::{Action, Command};
pub use decide::{Cause, Decision, Draft, Facts, Observation, decide};
pub use encoding::{Bytes, Hash};
pub use event::{Event, EventRef, Outcome, StoredEvent};
pub use id::{Id, Kid, Thumbprint};
pub use state::View;
pub use stream::StreamId;
