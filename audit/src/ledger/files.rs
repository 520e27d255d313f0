//! The ledger's bucket: every version of every tile and checkpoint. A tile is written once; checkpoints only grow; there is nothing else.

use std::collections::BTreeMap;

use chartseal_events::Hash;
use chartseal_infra::aws::{Bucket, ObjectVersion};
use chartseal_infra::ports::StoreError;
use chartseal_ledger::note::MAX_NOTE_BYTES;
use chartseal_ledger::policy::Policy;
use chartseal_ledger::tile::{TILE_BYTES, TileAddress};
use futures_util::StreamExt as _;

use super::{Ledger, blocks};
use crate::account::{Account, Thing};
use crate::report::{Flaw, Report};
use crate::{Reading, Round};

/// The signed head of the log.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// What a version of the checkpoint says, size and root, or why it is not believed.
pub(super) type Head = Result<(u64, Hash), String>;

/// What was found: it is judged when all blocks are known.
#[derive(Default)]
pub(crate) struct Found {
    /// Tiles, each version with the hash of its bytes; none where it cannot be a tile's.
    tiles: Vec<(TileAddress, String, Option<Hash>)>,
    /// Versions of the checkpoint, the newest first.
    checkpoints: Vec<(String, Head)>,
}

/// Reads every version of every object.
pub(crate) async fn read(round: &Round<'_>, account: &mut Account, report: &mut Report) -> Result<(), StoreError> {
    let (mut start, mut read) = (None, 0);
    loop {
        let (versions, next) = round.inventory.object_versions(Bucket::Ledger, start).await?;
        read += versions.len() as u64;
        round.tell(Reading::Objects(Bucket::Ledger), read);
        let objects = versions.into_iter().map(|version| async move {
            let most_bytes = match version.key.as_str() {
                _ if version.is_delete_marker => None,
                CHECKPOINT => Some(MAX_NOTE_BYTES),
                key => key.parse::<TileAddress>().is_ok().then_some(TILE_BYTES),
            };
            let Some(most_bytes) = most_bytes else { return Ok((version, None)) };
            let (key, id) = (version.key.as_str(), version.version_id.as_str());
            let bytes = round.inventory.object(Bucket::Ledger, key, id, most_bytes).await?;
            Ok::<_, StoreError>((version, bytes))
        });
        let mut objects = futures_util::stream::iter(objects).buffered(round.settings.at_once as usize);
        while let Some(object) = objects.next().await {
            let (version, bytes) = object?;
            take(version, bytes, account, report);
        }
        start = next;
        if start.is_none() {
            break;
        }
    }
    let (mut start, place) = (None, account.place(Thing::Tile).to_owned());
    loop {
        let (uploads, next) = round.inventory.unfinished_uploads(Bucket::Ledger, start).await?;
        for upload in uploads {
            let name = format!("{} upload {}", upload.key, upload.id);
            report.wrong(Thing::Upload, Flaw::Orphan, &place, &name, "nothing of the log is written in parts");
        }
        start = next;
        if start.is_none() {
            return Ok(());
        }
    }
}

pub(super) fn take(version: ObjectVersion, bytes: Option<Vec<u8>>, account: &mut Account, report: &mut Report) {
    let place = account.place(Thing::Tile).to_owned();
    let name = named(&version.key, &version.version_id);
    if version.is_delete_marker {
        let what = "the vault deletes nothing of the log";
        report.wrong(Thing::DeleteMarker, Flaw::Orphan, &place, &name, what);
    } else if version.key == CHECKPOINT {
        let head = account.ledger.log.as_ref().map_or_else(
            || Err("there is no genesis event to say whose key it is".to_owned()),
            |(_, policy)| head(policy, bytes.as_deref().unwrap_or_default()),
        );
        account.ledger.files.checkpoints.push((version.version_id, head));
    } else if let Ok(address) = version.key.parse() {
        let bytes = bytes.map(|bytes| Hash::of(&[&bytes]));
        account.ledger.files.tiles.push((address, version.version_id, bytes));
    } else {
        report.wrong(Thing::Object, Flaw::Orphan, &place, &name, "neither a tile nor the checkpoint");
    }
}

fn named(key: &str, version_id: &str) -> String {
    format!("{key} version {version_id}")
}

pub(super) fn head(policy: &Policy, note: &[u8]) -> Head {
    let checkpoint = policy.accept(note).map_err(|error| error.to_string())?.checkpoint;
    Ok((checkpoint.size(), checkpoint.root()))
}

pub(super) fn close(account: &mut Account, report: &mut Report) {
    let Found { tiles: found, checkpoints } = std::mem::take(&mut account.ledger.files);
    let place = account.place(Thing::Tile).to_owned();
    for (address, version_id, bytes) in found {
        tile(address, &version_id, bytes, &mut account.ledger, &place, report);
    }
    for (address, tile) in account.ledger.tiles.iter().filter(|(_, tile)| !tile.found) {
        account.not_there(Thing::Tile, &address.to_string(), tile.height, report);
    }
    self::checkpoints(&checkpoints, account, report);
}

fn tile(
    address: TileAddress,
    version: &str,
    bytes: Option<Hash>,
    ledger: &mut Ledger,
    place: &str,
    report: &mut Report,
) {
    let name = named(&address.to_string(), version);
    let broken = ledger.broken.is_some();
    let Some(tile) = ledger.tiles.get_mut(&address) else {
        if broken && address.is_full() {
            report.unjudged(Thing::Tile, 1);
        } else {
            report.wrong(Thing::Tile, Flaw::Orphan, place, &name, "the log has no such full tile");
        }
        return;
    };
    tile.found = true;
    if bytes != Some(tile.bytes) {
        report.wrong(Thing::Tile, Flaw::Changed, place, &name, "it does not hold the hashes that the blocks make");
    } else if std::mem::replace(&mut tile.right, true) {
        report.wrong(Thing::Tile, Flaw::Orphan, place, &name, "a tile is written once, and there is another version");
    } else {
        report.accounted(Thing::Tile);
    }
}

/// From the oldest to the newest: each is the log's, of a block, and goes on from the one before.
fn checkpoints(found: &[(String, Head)], account: &Account, report: &mut Report) {
    let (ledger, place) = (&account.ledger, account.place(Thing::Checkpoint));
    let mut largest = 0;
    let mut beyond = BTreeMap::new();
    for (version, head) in found.iter().rev() {
        let name = named(CHECKPOINT, version);
        let (size, root) = match head {
            Ok(head) => *head,
            Err(_) if ledger.log.is_none() => {
                report.unjudged(Thing::Checkpoint, 1);
                continue;
            }
            Err(why) => {
                report.wrong(Thing::Checkpoint, Flaw::Damaged, place, &name, why);
                continue;
            }
        };
        let right = match ledger.block_of(size) {
            Some(block) => block.root == root,
            // Of blocks that are not there: one size has one root.
            None => size > ledger.size() && *beyond.entry(size).or_insert(root) == root,
        };
        if !right {
            let what = format!("the log of {size} leaves that was signed is not the blocks'");
            report.wrong(Thing::Checkpoint, Flaw::Changed, place, &name, what);
        } else if size < largest {
            let what = format!("{size} leaves after {largest}: a log does not become smaller");
            report.wrong(Thing::Checkpoint, Flaw::Unlinked, place, &name, what);
        } else if size > ledger.size() && ledger.broken.is_some() {
            report.unjudged(Thing::Checkpoint, 1);
        } else {
            report.accounted(Thing::Checkpoint);
        }
        largest = largest.max(size);
    }
    if ledger.broken.is_some() || ledger.log.is_none() {
        return;
    }
    if largest > ledger.size() {
        let what = format!("a log of {largest} leaves was signed, and the blocks have {}", ledger.size());
        let (table, height) = (account.place(Thing::Block), ledger.blocks.len() as u64);
        report.find(Thing::Block, Flaw::Missing, table, &blocks::name(height), what);
    }
    unpublished(largest, account, report);
}

/// The oldest block that no checkpoint has.
fn unpublished(largest: u64, account: &Account, report: &mut Report) {
    let Some(block) = account.ledger.blocks.iter().find(|block| block.size > largest) else { return };
    let late_ms = account.late(block.at_ms);
    if account.now_ms < late_ms {
        report.wait(Thing::Checkpoint, CHECKPOINT, late_ms);
    } else {
        let flaw = if largest == 0 { Flaw::Missing } else { Flaw::Overdue };
        let what = format!("{largest} leaves are signed, and the blocks have {}", account.ledger.size());
        report.find(Thing::Checkpoint, flaw, account.place(Thing::Checkpoint), CHECKPOINT, what);
    }
}
