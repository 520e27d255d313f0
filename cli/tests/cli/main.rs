//! Tests of the client against a vault in this process: it decides with the real decisions, keeps everything in memory, and can be made to lie.

mod audits;
mod blocks;
mod day;
mod downloads;
mod exports;
mod fake;
mod heads;
mod history;
mod hostile;
mod large;
mod nodes;
mod proofs;
mod resume;
mod slots;
mod transport;
mod usage;
mod watch;
