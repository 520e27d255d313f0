//! A log as a source that has it in memory.

use std::convert::Infallible;

use super::log::Log;
use super::{World, every_type};
use crate::source::{PublicBlock, Source};

/// Blocks with their bodies, and the checkpoint that is shown.
#[derive(Debug, Clone, Default)]
pub struct Served {
    /// By height: the public part, and the events' bodies.
    pub blocks: Vec<(PublicBlock, Vec<String>)>,
    /// The signed checkpoint.
    pub note: Option<Vec<u8>>,
    /// The checkpoints after each block.
    pub notes: Vec<Vec<u8>>,
}

impl Served {
    /// Seals these blocks of bodies, one every second.
    pub fn sealed(blocks: &[Vec<String>]) -> Self {
        let mut served = Self::default();
        let mut log = Log::default();
        for (height, bodies) in (0_u64..).zip(blocks) {
            let block = log.seal(bodies, super::T0 + 1_000 * height);
            served.push(&log, block, bodies.clone());
        }
        served
    }

    /// A history with events of every type, in blocks of at most so many.
    pub fn of_every_type(block_events: usize) -> Self {
        Self::sealed(&in_blocks(&every_type(), block_events))
    }

    /// Takes the next block of a log up, and shows its checkpoint.
    pub fn push(&mut self, log: &Log, block: PublicBlock, bodies: Vec<String>) {
        self.blocks.push((block, bodies));
        self.notes.push(log.note());
        self.note = self.notes.last().cloned();
    }

    /// The bodies, block by block.
    pub fn bodies(&self) -> Vec<Vec<String>> {
        self.blocks.iter().map(|(_, bodies)| bodies.clone()).collect()
    }
}

/// What a vault has written, in blocks.
fn in_blocks(world: &World, block_events: usize) -> Vec<Vec<String>> {
    let bodies: Vec<String> = world.open.iter().map(|event| event.body.clone()).collect();
    bodies.chunks(block_events).map(<[String]>::to_vec).collect()
}

impl Source for Served {
    type Error = Infallible;

    fn checkpoint(&mut self) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.note.clone())
    }

    fn block(&mut self, height: u64) -> Result<Option<PublicBlock>, Infallible> {
        Ok(self.blocks.get(usize::try_from(height).expect("small")).map(|(block, _)| block.clone()))
    }

    fn bodies(&mut self, height: u64) -> Result<Option<Vec<String>>, Infallible> {
        Ok(self.blocks.get(usize::try_from(height).expect("small")).map(|(_, bodies)| bodies.clone()))
    }
}
