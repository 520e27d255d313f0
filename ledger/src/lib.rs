//! What anybody can verify about the vault without trusting it.
//!
//! In scope: [`terms`], the words records are found by, and how they are blinded so that the vault never learns them. Blocks, the Merkle log, the search map
//! and their proofs get rooms of their own beside it.
//!
//! The crate is pure: no async, no clock, no network, no AWS types. Randomness is passed in.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod terms;
