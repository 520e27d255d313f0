//! What a function says of itself: one line for each invocation, with CloudWatch's metrics in the same line.
//!
//! A line is a JSON object of the fields in [`fields`], and of no others; the metrics are there too. While an invocation is under way, whoever finds
//! something out notes it ([`note`]); what becomes of it is written once, at the end ([`invocation()`]). What the runtime and the SDK have to say comes
//! in as a place in their source, never with their words, because those can hold what was sent (`others.rs`).
//!
//! Never in a line: bodies, tokens, signatures, terms, names, paths, queries, or anything else that somebody sent. Ids of streams and commands are
//! in their one spelling, which has no room for anything else. docs/LOGGING.md has the whole list.
//!
//! Out of scope: who reads the lines, and alarms (template.yaml).

pub mod fields;
mod invocation;
mod line;
mod metrics;
pub mod note;
mod others;

pub use invocation::{Arrival, Outcome, TimeIsUp, Work, invocation, recorded, start};
pub use line::{Line, MAX_LISTED, in_words};
