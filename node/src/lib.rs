//! A witness or mirror of a vault's log: a program that anybody can run, follows the log, keeps a copy of it, and serves that copy. A witness also cosigns
//! what it has verified, and nothing that contradicts what it cosigned before.
//!
//! In scope: C2SP's tlog-witness and the reading half of tlog-tiles over HTTP, the copy on disk, what to make of a vault that shows something wrong. Not in
//! scope: cryptography and formats (the ledger crate), how a vault is called (the client's crate). `docs/WITNESS.md` is for whoever runs one.
//!
//! Sources: c2sp.org/tlog-witness, c2sp.org/tlog-cosignature, c2sp.org/tlog-tiles.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![allow(clippy::missing_panics_doc, reason = "what is unwrapped cannot fail, and says why where it stands")]

pub mod begin;
mod clock;
pub mod config;
pub mod content;
pub mod copy;
pub mod durable;
pub mod finding;
pub mod follower;
pub mod journal;
pub mod key;
pub mod node;
pub mod request;
pub mod routes;
pub mod server;
pub mod source;
pub mod submission;
pub mod witness;
