//! The published head of the log, and its tree: full tiles from the files, partial ones from the edge of the head's block. Whoever makes proofs has it.
//!
//! In scope: reading it on ports, checked against the checkpoint. Not in scope: who signed the checkpoint; whoever reads a proof checks that.

use chartseal_events::Hash;
use chartseal_ledger::block::Block;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::Note;
use chartseal_ledger::tile::{TileAddress, VerifiedTiles, tiles_for};
use chartseal_ledger::tree::Span;
use futures_util::future::try_join_all;

use crate::ports::{BlockStore, LogFiles, StoreError};

/// How many blocks may be committed and not published. One is usual; a sealer publishes before it goes on.
const MAX_UNPUBLISHED: usize = 4;

/// The published head.
#[derive(Debug)]
pub struct Head {
    /// The signed note.
    pub note: String,
    /// What it signs.
    pub checkpoint: Checkpoint,
    /// The block that the checkpoint is of.
    pub block: Block,
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged { what: what.to_owned() }
}

/// The tiles do not make the published tree.
pub fn unproven() -> StoreError {
    damaged("the tiles of the published tree")
}

/// The published note, and what it signs. Who signed it is for whoever reads it to check.
pub async fn published(files: &impl LogFiles) -> Result<Option<(String, Checkpoint)>, StoreError> {
    let Some(published) = files.published().await? else { return Ok(None) };
    let note = Note::parse(published.note.as_bytes()).map_err(|_| damaged("the published checkpoint"))?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|_| damaged("the published checkpoint"))?;
    Ok(Some((published.note, checkpoint)))
}

impl Head {
    /// The published head; none before the first.
    pub async fn read(blocks: &impl BlockStore, files: &impl LogFiles) -> Result<Option<Self>, StoreError> {
        match published(files).await? {
            Some((note, checkpoint)) => Self::of(note, checkpoint, blocks).await.map(Some),
            None => Ok(None),
        }
    }

    /// The head of a published note, which was read before: a block is there before its checkpoint.
    pub async fn of(note: String, checkpoint: Checkpoint, blocks: &impl BlockStore) -> Result<Self, StoreError> {
        let mut block = blocks.newest_block().await?.block;
        for _ in 0..MAX_UNPUBLISHED {
            match block {
                Some(newer) if newer.seal().size() > checkpoint.size() => {
                    let below = newer.seal().height().checked_sub(1);
                    block = match below {
                        Some(height) => blocks.block(height).await?,
                        None => None,
                    };
                }
                other => {
                    block = other;
                    break;
                }
            }
        }
        let of_this_size = |block: &Block| block.seal().size() == checkpoint.size();
        let block = block.filter(of_this_size).ok_or_else(|| damaged("the block of the published checkpoint"))?;
        Ok(Self { note, checkpoint, block })
    }

    /// A tile of the head's tree, or the beginning of one; none where the tree has not so much.
    pub async fn tile(&self, files: &impl LogFiles, address: TileAddress) -> Result<Option<Vec<Hash>>, StoreError> {
        let same = |tile: &TileAddress| (tile.level(), tile.index()) == (address.level(), address.index());
        let width = usize::from(address.width());
        let partial = self.block.edge().tiles().find(|(tile, _)| same(tile));
        if let Some((_, hashes)) = partial {
            return Ok(hashes.get(..width).map(<[Hash]>::to_vec));
        }
        let full = TileAddress::new(address.level(), address.index(), chartseal_ledger::tile::TILE_WIDTH);
        let Some(full) = full else { return Ok(None) };
        let hashes = files.tile(&full).await?;
        Ok(hashes.and_then(|hashes| hashes.get(..width).map(<[Hash]>::to_vec)))
    }

    /// The tiles that these subtrees need, checked against a checkpoint: the head's, or an older one, whose tiles are the beginnings of today's.
    pub async fn tiles(
        &self,
        files: &impl LogFiles,
        checkpoint: &Checkpoint,
        spans: &[Span],
    ) -> Result<VerifiedTiles, StoreError> {
        let (size, root) = (checkpoint.size(), checkpoint.root());
        let wanted = tiles_for(spans, size).into_iter().map(|address| async move {
            let hashes = self.tile(files, address).await?.ok_or_else(unproven)?;
            let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
            Ok::<_, StoreError>((address, bytes))
        });
        VerifiedTiles::new(size, root, try_join_all(wanted).await?).map_err(|_| unproven())
    }
}
