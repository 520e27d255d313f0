//! Tests of the client against a vault in this process: it decides with the real decisions, keeps everything in memory, and can be made to lie.

mod day;
mod fake;
mod hostile;
mod transport;
mod usage;
