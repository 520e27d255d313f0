//! What anybody can verify about the vault without trusting it.
//!
//! In scope: the Merkle log ([`tree`], [`tile`]), its blocks ([`seal`], [`chain`], stored: [`block`]), the authenticated map ([`map`]), its signed heads
//! ([`note`], [`checkpoint`], [`policy`]), the file that proves an event for ever ([`tlog_proof`], [`event_proof`]); and [`terms`], the words records are
//! found by, and how they are blinded so that the vault never learns them. `docs/LEDGER.md` describes all of the log to the byte.
//!
//! Not in scope: what an event says and whether it was right (the events crate), where tiles and blocks are kept (infra), who holds the signing key: bytes
//! to sign are handed out, and signatures taken in.
//!
//! The crate is pure: no async, no clock, no network, no AWS types. Randomness and the time are passed in.
//!
//! ```
//! use chartseal_ledger::checkpoint::Checkpoint;
//! use chartseal_ledger::note::{SignatureType, VerifierKey};
//! use chartseal_ledger::policy::Policy;
//! use chartseal_ledger::seal::{MapState, Seal};
//! use chartseal_ledger::tile::Edge;
//! use ed25519_dalek::{Signer, SigningKey};
//!
//! // The sealer: a block of one event.
//! let events = [chartseal_events::event::leaf_hash(b"{}")];
//! let seal = Seal::next(None, 1_764_000_000_000, &events, MapState::NONE)?;
//! let mut edge = Edge::new();
//! for leaf in events.into_iter().chain([seal.leaf_hash()]) {
//!     edge.push(leaf, |_address, _hashes| { /* a full tile, to be stored */ })?;
//! }
//! let checkpoint = Checkpoint::new("vault.example", edge.size(), edge.root())?;
//! let signing = SigningKey::from_bytes(&[7; 32]); // in the vault: KMS
//! let log = VerifierKey::new("vault.example", SignatureType::Ed25519, &signing.verifying_key().to_bytes())?;
//! let mut note = checkpoint.to_note();
//! note.sign(&log, &signing.sign(note.text().as_bytes()).to_bytes())?;
//!
//! // Anybody.
//! let accepted = Policy::new(log, None, vec![], 0)?.accept(note.to_string().as_bytes())?;
//! assert_eq!(accepted.checkpoint, checkpoint);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![allow(clippy::missing_panics_doc, reason = "what is unwrapped cannot fail, and says why where it stands")]

pub mod block;
pub mod chain;
pub mod checkpoint;
pub mod event_proof;
pub mod map;
pub mod note;
pub mod policy;
pub mod seal;
pub mod terms;
pub mod tile;
pub mod tlog_proof;
pub mod tree;
