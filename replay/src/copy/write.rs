//! The two kinds of commits: what blocks announce, and what was judged. Each leaves a copy that can be gone on with.

use std::collections::BTreeMap;
use std::sync::Arc;

use chartseal_events::{EventRef, Hash};
use chartseal_ledger::block::FullTile;
use chartseal_ledger::map::{Page, PageId};
use chartseal_ledger::note::VerifierKey;
use chartseal_ledger::seal::Seal;
use chartseal_ledger::tile::{Edge, TILE_HEIGHT, TILE_LEVELS, TILE_WIDTH};
use redb::{ReadableDatabase as _, WriteTransaction};

use super::tables::{BLOCKS, BODIES, FINDINGS, LEAVES, MAX_RUN_BYTES, META, PAGES, PLACES, TILES, place_key};
use super::{Copy, CopyError, FORMAT, Snapshot, State};
use crate::finding::Finding;

/// Blocks that were announced and follow what there was.
#[derive(Debug, Default)]
pub(crate) struct Announced {
    pub blocks: Vec<(Seal, Vec<Hash>)>,
    pub tiles: Vec<FullTile>,
}

/// What was judged since the last commit.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// By index.
    pub bodies: BTreeMap<u64, Arc<str>>,
    pub places: BTreeMap<EventRef, u64>,
    pub leaves: BTreeMap<Hash, u64>,
    pub pages: BTreeMap<PageId, Page>,
    pub findings: Vec<Finding>,
}

impl Copy {
    /// Makes this the copy of a log, or checks that it is.
    pub(crate) fn claim(&mut self, log: &VerifierKey) -> Result<(), CopyError> {
        if let Some(state) = &self.snapshot.state {
            return if state.log == log.to_string() { Ok(()) } else { Err(CopyError::OtherLog(state.log.clone())) };
        }
        let state = State {
            format: FORMAT,
            log: log.to_string(),
            judged: 0,
            map_root: Hash::ZERO,
            halves: BTreeMap::new(),
            types: BTreeMap::new(),
            streams: 0,
        };
        self.write(|transaction| put_state(transaction, &state))
    }

    /// The state to go on with.
    pub(crate) fn state(&self) -> Result<State, CopyError> {
        self.snapshot.state.clone().ok_or_else(|| CopyError::damaged("its state is missing"))
    }

    /// The edge and the last header of what blocks have announced.
    pub(crate) fn announced(&self) -> (&Edge, Option<&Seal>) {
        (&self.snapshot.edge, self.snapshot.last.as_ref())
    }

    /// Keeps announced blocks. With `note`, they lead to what it signs.
    pub(crate) fn announce(
        &mut self,
        announced: &Announced,
        edge: &Edge,
        note: Option<&[u8]>,
    ) -> Result<(), CopyError> {
        self.write(|transaction| {
            let mut blocks = transaction.open_table(BLOCKS)?;
            for (seal, leaves) in &announced.blocks {
                let mut bytes = seal.to_bytes().to_vec();
                bytes.extend(leaves.iter().flat_map(|leaf| leaf.0));
                blocks.insert(seal.height(), &bytes[..])?;
            }
            let mut tiles = transaction.open_table(TILES)?;
            for FullTile { address, hashes } in &announced.tiles {
                tiles.insert((address.level(), address.index()), &bytes_of(hashes)[..])?;
            }
            let mut meta = transaction.open_table(META)?;
            if let Some((seal, _)) = announced.blocks.last() {
                meta.insert("seal", &seal.to_bytes()[..])?;
                meta.insert("edge", &edge.to_bytes()[..])?;
            }
            if let Some(note) = note {
                meta.insert("checkpoint", note)?;
            }
            Ok(())
        })
    }

    /// Goes back to what the last accepted checkpoint signs: what was announced beyond it led somewhere else.
    pub(crate) fn forget_unsigned(&mut self) -> Result<(), CopyError> {
        let size = self.size();
        let mut edge = size.to_be_bytes().to_vec();
        for level in 0..TILE_LEVELS {
            let hashes = size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
            // Unwrap safety: a remainder by a tile's width.
            let width = usize::try_from(hashes % u64::from(TILE_WIDTH)).unwrap();
            let tile = if width > 0 { self.kept_tile(level, hashes >> TILE_HEIGHT)? } else { Some(Vec::new()) };
            let tile = tile.filter(|tile| tile.len() >= width).ok_or_else(|| CopyError::damaged("its tiles"))?;
            edge.extend(bytes_of(&tile[..width]));
        }
        let mut last = self.snapshot.last;
        let mut height = last.map_or(0, |seal| seal.height() + 1);
        while last.is_some_and(|seal| seal.size() > size) {
            height -= 1;
            last = height.checked_sub(1).map(|below| self.block(below)).transpose()?.flatten().map(|block| block.seal);
        }
        let full = |level: u8| size.checked_shr(u32::from(level + 1) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        self.write(|transaction| {
            transaction.open_table(BLOCKS)?.retain_in(height.., |_, _| false)?;
            let mut tiles = transaction.open_table(TILES)?;
            for level in 0..TILE_LEVELS {
                tiles.retain_in((level, full(level))..=(level, u64::MAX), |_, _| false)?;
            }
            let mut meta = transaction.open_table(META)?;
            match last {
                Some(seal) => drop(meta.insert("seal", &seal.to_bytes()[..])?),
                None => drop(meta.remove("seal")?),
            }
            meta.insert("edge", &edge[..])?;
            Ok(())
        })
    }

    /// Keeps what was judged.
    pub(crate) fn judge(&mut self, judged: &Judged, state: &State) -> Result<(), CopyError> {
        self.write(|transaction| {
            let mut bodies = transaction.open_table(BODIES)?;
            for (first, run) in runs(&judged.bodies) {
                bodies.insert(first, &run[..])?;
            }
            let mut places = transaction.open_table(PLACES)?;
            for (place, index) in &judged.places {
                places.insert(&place_key(*place)[..], index)?;
            }
            let mut leaves = transaction.open_table(LEAVES)?;
            for (leaf, index) in &judged.leaves {
                leaves.insert(&leaf.0, index)?;
            }
            let mut pages = transaction.open_table(PAGES)?;
            for (id, page) in &judged.pages {
                pages.insert(id.to_string().as_str(), &page.to_bytes()[..])?;
            }
            let mut findings = transaction.open_table(FINDINGS)?;
            let next = findings_next(&findings)?;
            for (number, finding) in (next..).zip(&judged.findings) {
                // Findings are structs of strings and numbers: they always serialise.
                findings.insert(number, &serde_json::to_vec(finding).unwrap_or_default()[..])?;
            }
            put_state(transaction, state)
        })
    }

    fn write(&mut self, change: impl FnOnce(&WriteTransaction) -> Result<(), CopyError>) -> Result<(), CopyError> {
        let transaction = self.db.begin_write()?;
        change(&transaction)?;
        transaction.commit()?;
        self.snapshot = Arc::new(Snapshot::read(&self.db.begin_read()?)?);
        Ok(())
    }
}

/// Bodies that stand together, by the first one's index.
fn runs(bodies: &BTreeMap<u64, Arc<str>>) -> Vec<(u64, Vec<u8>)> {
    let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut next = None;
    for (&index, body) in bodies {
        let fits = |run: &(u64, Vec<u8>)| run.1.len() + 4 + body.len() <= MAX_RUN_BYTES;
        if next != Some(index) || !runs.last().is_some_and(fits) {
            runs.push((index, Vec::with_capacity(MAX_RUN_BYTES)));
        }
        // Unwrap safety: there is one now, and an event's body has at most 32 KiB.
        let run = &mut runs.last_mut().unwrap().1;
        run.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        run.extend(body.as_bytes());
        next = Some(index + 1);
    }
    runs
}

fn findings_next(findings: &redb::Table<'_, u64, &[u8]>) -> Result<u64, CopyError> {
    use redb::ReadableTable as _;
    Ok(findings.last()?.map_or(0, |(number, _)| number.value() + 1))
}

fn put_state(transaction: &WriteTransaction, state: &State) -> Result<(), CopyError> {
    let bytes = serde_json::to_vec(state).map_err(CopyError::damaged)?;
    transaction.open_table(META)?.insert("state", &bytes[..])?;
    Ok(())
}

fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}
