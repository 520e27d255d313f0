//! What follows from a block: full tiles, where its leaves stand, and the map's pages. All of it is there before the block's checkpoint is published.

use chartseal_infra::ports::{LeafPlace, LogFiles, SealedIndex};
use chartseal_ledger::block::{Block, BlockError};
use chartseal_ledger::map::Operation;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::Sealer;
use crate::pages::Map;
use crate::refusal::{Refused, Stop};

/// How many tiles are written at the same time.
const MAX_CONCURRENT: usize = 8;

impl<E, B, I, F, S, C> Sealer<'_, E, B, I, F, S, C>
where
    I: SealedIndex,
    F: LogFiles,
{
    /// Writes it, from the block and the one before it alone. `map` is that of the block before, and becomes this one's.
    pub(crate) async fn derive(
        &self,
        previous: Option<&Block>,
        block: &Block,
        map: &mut Map<'_, I>,
    ) -> Result<(), Stop> {
        let seal = block.seal();
        let of_block = |error: BlockError| Refused::damaged(format!("block {}: {error}", seal.height()));
        let tiles = block.follow(previous).map_err(of_block)?;
        let operations: Result<Vec<_>, _> =
            block.operations().iter().map(|bytes| Operation::from_bytes(bytes)).collect();
        let operations = operations.map_err(|_| Refused::damaged(format!("block {}'s operations", seal.height())))?;
        let updated = map.update(&operations).await?;
        if updated.root != seal.map().root {
            return Err(Refused::damaged(format!("block {}'s operations do not lead to its map", seal.height())).into());
        }
        let places = block.events().iter().zip(seal.first_index()..);
        let places: Vec<_> =
            places.map(|(event, index)| (event.leaf, LeafPlace { index, height: seal.height() })).collect();

        let writes = tiles.into_iter().map(|tile| async move { self.files.put_tile(&tile).await });
        futures_util::stream::iter(writes).buffer_unordered(MAX_CONCURRENT).try_collect::<()>().await?;
        self.index.put_leaf_places(&places).await?;
        self.index.put_map_pages(seal.height(), &map.changes(&updated)).await?;
        map.go_on(seal.height(), updated);
        Ok(())
    }
}
