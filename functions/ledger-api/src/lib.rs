//! The ledger, for anybody: the checkpoint, tiles, block headers, proofs. All of that is hashes. What a block's events say is for operators and auditors
//! (`bodies`).
//!
//! In scope: what has been published. A block that is committed but not yet under a published checkpoint is not shown. Nothing here needs to be trusted:
//! everything leads to a checkpoint that the log's key has signed, and whoever reads it checks that. Out of scope: sealing (`functions/seal`).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod bodies;
mod clock;
mod heads;

use std::str::FromStr;

use chartseal_events::encoding::base64url;
use chartseal_events::wire::{LedgerBlock, LedgerProof};
use chartseal_events::{Code, Hash};
use chartseal_http::{Access, Answer, Cache, Failure, Incoming, PathValues, Route, Service};
use chartseal_infra::head::{self, Head};
use chartseal_infra::ports::{BlockStore, Clock, Cosignatures, EventStore, LogFiles, SealedIndex, StoreError};
use chartseal_infra::witnesses::Witnesses;
use chartseal_ledger::block::Block;
use chartseal_ledger::tile::TileAddress;
use chartseal_ledger::tree::inclusion;

pub use bodies::events;
pub use clock::{LogClock, PAUSE_MS, REUSE_MS, Timekeeper};

/// A checkpoint is good until there is the next one; a cache may give it for so long.
const CHECKPOINT_CACHE: Cache = Cache::Seconds(1);

/// The function, on its ports.
#[derive(Debug, Clone)]
pub struct Ledger<B, I, F, E, C, T> {
    /// The vault's origin.
    pub origin: String,
    /// The blocks.
    pub blocks: B,
    /// Where leaves stand, and what witnesses have said.
    pub index: I,
    /// Tiles and the checkpoint.
    pub files: F,
    /// The events: who may read them, and what they say.
    pub events: E,
    /// The time.
    pub clock: C,
    /// The log's clock.
    pub timekeeper: T,
    /// Those whose cosignatures are shown.
    pub witnesses: Witnesses,
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// The checkpoint.
    Checkpoint,
    /// The newest checkpoint that enough witnesses have cosigned.
    Cosigned,
    /// A tile.
    Tile,
    /// A block's header and leaves.
    Block,
    /// What a block's events say.
    Events,
    /// The proof of a leaf.
    Proof,
}

const fn get(pattern: &'static str, call: Call, codes: &'static [Code]) -> Route<Call> {
    Route { method: "GET", pattern, access: Access::Anyone, call, codes }
}

/// The function's routes.
pub const ROUTES: &[Route<Call>] = &[
    get("/ledger/checkpoint", Call::Checkpoint, &[Code::NotFound]),
    get("/ledger/cosigned", Call::Cosigned, &[Code::NotFound]),
    get("/ledger/tile/{tile+}", Call::Tile, &[]),
    get("/ledger/blocks/{height}", Call::Block, &[]),
    Route {
        method: "GET",
        pattern: "/ledger/blocks/{height}/events/{first}",
        access: Access::Read,
        call: Call::Events,
        codes: &[Code::NotAuditor],
    },
    get("/ledger/proof/{leaf}", Call::Proof, &[]),
];

impl<B: BlockStore, I: SealedIndex + Cosignatures, F: LogFiles, E: EventStore, C: Clock, T: Timekeeper> Service
    for Ledger<B, I, F, E, C, T>
{
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = ROUTES;

    async fn handle(&self, call: Call, incoming: &Incoming, path: &PathValues) -> Result<Answer, Failure> {
        match call {
            Call::Checkpoint => checkpoint(self).await,
            Call::Cosigned => cosigned(self).await,
            Call::Tile => tile(self, path).await,
            Call::Block => block(self, path).await,
            Call::Events => events(self, incoming, path).await,
            Call::Proof => proof(self, path).await,
        }
    }
}

/// Get the checkpoint
///
/// The newest signed head of the log: a C2SP checkpoint in a signed note, as its key has signed it, with a timestamped cosignature of the log's clock and
/// whatever witnesses have cosigned it. There is none before the first block.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/ledger/checkpoint", tag = "ledger",
    responses((status = 200, description = "The signed note.", body = String, content_type = "text/plain; charset=utf-8")),
))]
pub async fn checkpoint<B, I: Cosignatures, F: LogFiles, E, C, T: Timekeeper>(
    ledger: &Ledger<B, I, F, E, C, T>,
) -> Result<Answer, Failure> {
    let Ledger { index, files, timekeeper, witnesses, .. } = ledger;
    let shown = heads::newest(files, index, witnesses, timekeeper).await?.ok_or(Code::NotFound)?;
    Ok(Answer::text(shown.note.to_string()).cached(CHECKPOINT_CACHE))
}

/// Get the cosigned checkpoint
///
/// The newest head of the log that as many witnesses have cosigned as the vault asks for. It may be older than the newest one. There is none as long as too
/// few have.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/ledger/cosigned", tag = "ledger",
    responses((status = 200, description = "The signed note.", body = String, content_type = "text/plain; charset=utf-8")),
))]
pub async fn cosigned<B, I: Cosignatures, F: LogFiles, E, C, T: Timekeeper>(
    ledger: &Ledger<B, I, F, E, C, T>,
) -> Result<Answer, Failure> {
    let Ledger { index, files, timekeeper, witnesses, .. } = ledger;
    let shown = heads::newest_cosigned(files, index, witnesses, timekeeper).await?.ok_or(Code::NotFound)?;
    Ok(Answer::text(shown.note.to_string()).cached(CHECKPOINT_CACHE))
}

/// Get a tile
///
/// C2SP tlog-tiles: `<level>/<index>` with 256 hashes of 32 bytes, or `<level>/<index>.p/<width>` with fewer; groups of three digits, all but the
/// last behind an `x` and a slash of their own. Entry bundles are not served: what events say is not public.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/ledger/tile/{tile}", tag = "ledger",
    params(("tile" = String, Path, description = "The rest of the tile's path; it has slashes.", example = "0/000")),
    responses((status = 200, description = "The tile's hashes.", body = Vec<u8>, content_type = "application/octet-stream")),
))]
pub async fn tile<B: BlockStore, I, F: LogFiles, E, C, T: Sync>(
    ledger: &Ledger<B, I, F, E, C, T>,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let rest: String = path.parse("tile")?;
    let address: TileAddress = format!("tile/{rest}").parse().map_err(|_| Code::BadPlace)?;
    let hashes = if address.is_full() {
        // Tiles are written before the checkpoint that covers them; hashes that are early prove nothing.
        ledger.files.tile(&address).await?
    } else {
        let head = Head::read(&ledger.blocks, &ledger.files).await?.ok_or(Code::NotFound)?;
        head.tile(&ledger.files, address).await?
    };
    let hashes = hashes.ok_or(Code::NotFound)?;
    let bytes = hashes.iter().flat_map(|hash| hash.0).collect();
    Ok(Answer::bytes(bytes).cached(Cache::Forever))
}

/// Show a block
///
/// Its header, which is the log's leaf after the block's events, and their leaf hashes.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/ledger/blocks/{height}", tag = "ledger",
    params(("height" = u64, Path, description = "How many blocks are before it.")),
    responses((status = 200, description = "The block.", body = LedgerBlock)),
))]
pub async fn block<B: BlockStore, I, F: LogFiles, E, C, T: Sync>(
    ledger: &Ledger<B, I, F, E, C, T>,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let height = place(path, "height")?;
    let block = published_block(ledger, height).await?;
    let document = LedgerBlock {
        height,
        seal: base64url(&block.seal().to_bytes()),
        leaves: block.events().iter().map(|event| event.leaf).collect(),
    };
    Ok(Answer::ok(&document)?.cached(Cache::Forever))
}

/// A number in a path, in its one spelling.
pub(crate) fn place<T: FromStr + ToString>(path: &PathValues, name: &'static str) -> Result<T, Failure> {
    let digits: String = path.parse(name)?;
    Ok(digits.parse::<T>().ok().filter(|number| number.to_string() == digits).ok_or(Code::BadPlace)?)
}

/// A block that is under the published checkpoint.
pub(crate) async fn published_block<B: BlockStore, I, F: LogFiles, E, C, T>(
    ledger: &Ledger<B, I, F, E, C, T>,
    height: u64,
) -> Result<Block, Failure> {
    let size = head::published(&ledger.files).await?.map_or(0, |(_, checkpoint)| checkpoint.size());
    Ok(ledger.blocks.block(height).await?.filter(|block| block.seal().size() <= size).ok_or(Code::NotFound)?)
}

/// Prove a leaf
///
/// That an event with this leaf hash is in the log, and in which block: inclusion proofs of the leaf and of the block's header against a checkpoint: the newest
/// cosigned one where it has the leaf, else the newest of all. With the event's own bytes this is all that a proof file has. 404 as long as the event is not
/// sealed.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/ledger/proof/{leaf}", tag = "ledger",
    params(("leaf" = String, Path, description = "The event's leaf hash, hex.")),
    responses((status = 200, description = "The proof.", body = LedgerProof)),
))]
pub async fn proof<B: BlockStore, I: SealedIndex + Cosignatures, F: LogFiles, E, C, T: Timekeeper>(
    ledger: &Ledger<B, I, F, E, C, T>,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let digits: String = path.parse("leaf")?;
    let leaf = digits.parse::<Hash>().ok().filter(|leaf| leaf.to_string() == digits).ok_or(Code::BadPlace)?;
    let place = ledger.index.leaf_places(&[leaf]).await?.pop().flatten().ok_or(Code::NotFound)?;
    let (cosigned, lines) = heads::heard(&ledger.index, &ledger.witnesses).await?;
    let head = Head::read(&ledger.blocks, &ledger.files).await?.ok_or(Code::NotFound)?;
    let block = if place.height == head.block.seal().height() {
        head.block.clone()
    } else {
        ledger.blocks.block(place.height).await?.ok_or(Code::NotFound)?
    };
    let seal = block.seal();
    if seal.size() > head.checkpoint.size() {
        return Err(Code::NotFound.into());
    }
    let position = usize::try_from(place.index.wrapping_sub(seal.first_index())).ok();
    if position.and_then(|position| block.events().get(position)).map(|event| event.leaf) != Some(leaf) {
        return Err(StoreError::Damaged { what: format!("the place of leaf {leaf}") }.into());
    }
    let newest = heads::read(&head.note, "the published checkpoint")?;
    let shown = heads::for_proof(newest, seal.size(), cosigned, lines, &ledger.witnesses, &ledger.timekeeper).await?;
    let size = shown.checkpoint.size();
    let spans = [inclusion::spans(place.index, size), inclusion::spans(seal.index(), size)];
    let tiles = head.tiles(&ledger.files, &shown.checkpoint, &spans.concat()).await?;
    let prove = |index| inclusion::prove(index, size, &tiles).map_err(|_| head::unproven());
    let document = LedgerProof {
        index: place.index,
        height: seal.height(),
        seal: base64url(&seal.to_bytes()),
        inclusion: prove(place.index)?.hashes().to_vec(),
        seal_inclusion: prove(seal.index())?.hashes().to_vec(),
        checkpoint: shown.note.to_string(),
    };
    Ok(Answer::ok(&document)?.cached(CHECKPOINT_CACHE))
}

/// The routes, as OpenAPI describes them.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(paths(checkpoint, cosigned, tile, block, bodies::events, proof))]
pub struct Api;
