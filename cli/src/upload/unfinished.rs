//! Uploads that were begun and not finished: what there is, and putting it aside. Nothing here asks the vault or opens a wallet.

use std::time::Duration;

use chartseal_events::Id;

use super::journal::Journal;
use crate::error::Error;
use crate::state::{BODY, JOURNAL, Slots, State};

/// The folder of uploads in the state folder: a name that no other program's folder has.
pub(super) const UPLOADS: &str = "chartseal-uploads";
/// How long an upload is kept after its journal was last written. Its announcement may expire before: the same run is announced again then.
const MAX_AGE: Duration = Duration::from_hours(7 * 24);

/// An upload that was begun and not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The vault's name.
    pub origin: String,
    /// The record.
    pub record: Id,
    /// Its version.
    pub version: u32,
    /// Media type, once the file is encrypted.
    pub media_type: Option<String>,
    /// Bytes to be sent, once the file is encrypted.
    pub body_bytes: Option<u64>,
    /// Bytes kept on this machine.
    pub kept_bytes: u64,
    /// How far it came: created, encrypted, announced, sending or completing.
    pub stage: &'static str,
    /// When it was begun, Unix milliseconds.
    pub begun_at_ms: u64,
    /// Until when the vault waits for it, Unix milliseconds.
    pub expires_at_ms: Option<u64>,
}

impl Unfinished {
    /// All there are, of all wallets.
    pub fn list(state: &State) -> Result<Vec<Self>, Error> {
        let Some(slots) = state.existing(UPLOADS)? else { return Ok(Vec::new()) };
        let names = slots.names()?;
        Ok(names.iter().filter_map(|name| Self::of(&slots, name)).collect())
    }

    /// Removes those of a record, or all; what another process is sending stays. Returns what was removed.
    pub fn discard(state: &State, record: Option<Id>) -> Result<Vec<Self>, Error> {
        let Some(slots) = state.existing(UPLOADS)? else { return Ok(Vec::new()) };
        let mut removed = Vec::new();
        for name in slots.names()? {
            let found = Self::of(&slots, &name);
            let wanted = record.is_none() || found.as_ref().map(|found| found.record) == record;
            if wanted && let Some(slot) = slots.claim_idle(&name)? {
                slot.remove();
                removed.extend(found);
            }
        }
        Ok(removed)
    }

    fn of(slots: &Slots, name: &str) -> Option<Self> {
        let journal = journal(slots, name)?;
        let announcement = journal.run.as_ref().map(|run| &run.announcement);
        let body = slots.path().join(name).join(BODY);
        Some(Self {
            record: journal.record,
            version: journal.version,
            media_type: announcement.map(|announcement| announcement.media_type.clone()),
            body_bytes: announcement.map(|announcement| announcement.body_bytes),
            kept_bytes: body.metadata().map_or(0, |metadata| metadata.len()),
            stage: journal.stage(),
            begun_at_ms: journal.begun_at_ms,
            expires_at_ms: journal.run.as_ref().and_then(|run| run.expires_at_ms),
            origin: journal.origin,
        })
    }
}

/// Reads without taking the slot: whoever has it writes its journal whole.
fn journal(slots: &Slots, name: &str) -> Option<Journal> {
    Journal::parse(&std::fs::read(slots.path().join(name).join(JOURNAL)).ok()?)
}

/// Removes what nobody went on with.
pub(super) fn sweep(slots: &Slots) {
    slots.sweep(JOURNAL, MAX_AGE);
}
