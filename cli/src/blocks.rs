//! Blocks as a client sees them: the header with its leaf hashes, which is for anybody, and what the events say, which is for operators and auditors.
//!
//! In scope: that an answer holds together: leaf hashes with the header, bodies with the leaf hashes. Not in scope: that the block is in the log. Whoever follows
//! the log from its first block on ([`chartseal_ledger::chain`]) knows that, or who has a proof of the header against a checkpoint.

use chartseal_events::encoding::from_base64url;
use chartseal_events::event::leaf_hash;
use chartseal_events::wire::{LedgerBlock, LedgerEvents};
use chartseal_events::{Code, Hash};
use chartseal_ledger::seal::Seal;
use chartseal_ledger::tree::Frontier;

use crate::client::Client;
use crate::error::Error;
use crate::tampering::Tampering;
use crate::vault::Vault;

/// A block's header, with the leaf hashes that it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBlock {
    /// The header.
    pub seal: Seal,
    /// Its events' leaf hashes, in the log's order: as many as the header says, under its `events_root`.
    pub leaves: Vec<Hash>,
}

fn flaw(height: u64, what: &'static str) -> Tampering {
    Tampering::Block { height, what }
}

impl SealedBlock {
    /// The block of an answer, if it holds together.
    fn of(answer: LedgerBlock, height: u64) -> Result<Self, Tampering> {
        let bytes = from_base64url(&answer.seal).map_err(|_| flaw(height, "the header is not base64url"))?;
        let seal = Seal::from_bytes(&bytes).map_err(|_| flaw(height, "the header is none"))?;
        if answer.height != height || seal.height() != height {
            return Err(flaw(height, "it is another block"));
        }
        if answer.leaves.len() != seal.events() as usize {
            return Err(flaw(height, "the header has another number of events"));
        }
        let mut events = Frontier::new();
        let pushed = answer.leaves.iter().try_for_each(|leaf| events.push(*leaf));
        if pushed.is_err() || events.root() != seal.events_root() {
            return Err(flaw(height, "the header is over other events"));
        }
        Ok(Self { seal, leaves: answer.leaves })
    }
}

impl Vault {
    /// The block of this height; none where no such block is published.
    pub fn block(&self, height: u64) -> Result<Option<SealedBlock>, Error> {
        let (answer, _) = self.call("GET", &format!("/ledger/blocks/{height}"), None, None)?;
        if answer.code() == Some(Code::NotFound) {
            return Ok(None);
        }
        Ok(Some(SealedBlock::of(answer.read()?, height)?))
    }
}

impl Client {
    /// The block of this height and the exact bytes of its events, in the log's order; none where no such block is published. For operators and auditors.
    pub fn block_events(&self, height: u64) -> Result<Option<(SealedBlock, Vec<String>)>, Error> {
        let Some(block) = self.vault.block(height)? else { return Ok(None) };
        let bodies = self.bodies(&block)?;
        Ok(Some((block, bodies)))
    }

    /// The exact bytes of a block's events, in the log's order. Each has the block's leaf hash at its position; what it says has not been looked at.
    pub fn bodies(&self, block: &SealedBlock) -> Result<Vec<String>, Error> {
        let height = block.seal.height();
        let mut bodies: Vec<String> = Vec::with_capacity(block.leaves.len());
        while bodies.len() < block.leaves.len() {
            // A block has at most 2,000 events.
            let first = u32::try_from(bodies.len()).map_err(|_| flaw(height, "it has too many events"))?;
            let page: LedgerEvents = self.read(&format!("/ledger/blocks/{height}/events/{first}"))?;
            if (page.height, page.first) != (height, first) || page.bodies.is_empty() {
                return Err(flaw(height, "other events came than were asked for").into());
            }
            for body in page.bodies {
                let position = bodies.len();
                if block.leaves.get(position) != Some(&leaf_hash(body.as_bytes())) {
                    return Err(Tampering::BlockEvent { height, position }.into());
                }
                bodies.push(body);
            }
            let whole = bodies.len() == block.leaves.len();
            if page.next.map(|next| next as usize) != if whole { None } else { Some(bodies.len()) } {
                return Err(flaw(height, "the events do not go on where they ended").into());
            }
        }
        Ok(bodies)
    }
}
