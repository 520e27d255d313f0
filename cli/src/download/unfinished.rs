//! Downloads that were broken off: what is kept of them on this machine, and putting it aside. Nothing here asks the vault or opens a wallet.
//!
//! What is kept is ciphertext, beside a note of whose it is: ids and a length, which only the listing reads.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chartseal_events::Id;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::state::{BODY, JOURNAL, Slot, Slots, State};

/// The folder of downloads in the state folder: a name that no other program's folder has.
pub(super) const DOWNLOADS: &str = "chartseal-downloads";
/// How long what came in is kept after its last byte.
const MAX_AGE: Duration = Duration::from_hours(24);

/// A download that was broken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedDownload {
    /// Of what; none where the note is not there or cannot be read.
    pub of: Option<Noted>,
    /// Bytes of ciphertext kept on this machine.
    pub kept_bytes: u64,
    /// When the last of them came, Unix milliseconds.
    pub received_at_ms: Option<u64>,
}

/// What is noted of a download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// The vault's name.
    pub origin: String,
    /// The record.
    pub record: Id,
    /// Its version.
    pub version: u32,
    /// Bytes of the whole body.
    pub body_bytes: u64,
}

impl Noted {
    /// Writes it down. That it cannot be written is in nobody's way.
    pub(super) fn write(&self, slot: &Slot) {
        if let Ok(bytes) = serde_json::to_vec(self) {
            let _ = slot.write(JOURNAL, &bytes);
        }
    }
}

impl UnfinishedDownload {
    /// All there are, of all wallets; what nobody went on with for a day is removed first.
    pub fn list(state: &State) -> Result<Vec<Self>, Error> {
        let Some(slots) = state.existing(DOWNLOADS)? else { return Ok(Vec::new()) };
        sweep(&slots);
        Ok(slots.names()?.iter().map(|name| Self::of(&slots, name)).collect())
    }

    /// Removes all; what another process is receiving stays. Returns what was removed.
    pub fn discard(state: &State) -> Result<Vec<Self>, Error> {
        let Some(slots) = state.existing(DOWNLOADS)? else { return Ok(Vec::new()) };
        let mut removed = Vec::new();
        for name in slots.names()? {
            let found = Self::of(&slots, &name);
            if let Some(slot) = slots.claim_idle(&name)? {
                slot.remove();
                removed.push(found);
            }
        }
        Ok(removed)
    }

    fn of(slots: &Slots, name: &str) -> Self {
        let slot = slots.path().join(name);
        let body = slot.join(BODY).metadata().ok();
        let received_at = body.as_ref().and_then(|body| body.modified().ok());
        let received_at = received_at.and_then(|at: SystemTime| at.duration_since(UNIX_EPOCH).ok());
        let noted = std::fs::read(slot.join(JOURNAL)).ok();
        Self {
            of: noted.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            kept_bytes: body.map_or(0, |body| body.len()),
            received_at_ms: received_at.and_then(|at| u64::try_from(at.as_millis()).ok()),
        }
    }
}

/// Removes what nobody went on with.
pub(super) fn sweep(slots: &Slots) {
    slots.sweep(BODY, MAX_AGE);
}

/// The same, by whoever transfers anything else: somebody may never download again. What cannot be removed is in nobody's way.
pub(crate) fn sweep_state(state: &State) {
    if let Ok(Some(slots)) = state.existing(DOWNLOADS) {
        sweep(&slots);
    }
}
