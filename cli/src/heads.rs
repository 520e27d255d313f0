//! Heads of the log, as a client follows them: fresh, cosigned by whom it wants, and never going back on one that it has seen.
//!
//! In scope: the newest checkpoint and the newest cosigned one, the client's memory of both (the state folder, a slot for each vault), and the proof from the
//! vault's tiles that one extends the other. Not in scope: proofs of events (`ledger`), following what the log says (an auditor's work).

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chartseal_events::Hash;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::{MAX_NOTE_BYTES, Note, VerifierKey};
use chartseal_ledger::policy::{Accepted, Freshness, Policy, RefusedCheckpoint};
use chartseal_ledger::tile::{VerifiedTiles, tiles_for};
use chartseal_ledger::tree::consistency;

use crate::clock;
use crate::error::Error;
use crate::patience::Patience;
use crate::state::{Slot, State};
use crate::tampering::Tampering;
use crate::vault::Vault;

/// The kind of slots that heads are kept in. A slot's name is the vault's: the leaf hash of its first event.
const SLOTS: &str = "heads";
/// The file of a head that contradicts the kept one: with it, the proof that the log was forked.
const CONTRADICTION: &str = "contradiction";
/// A cache on the way may show the head of a second ago.
const CACHED: Duration = Duration::from_millis(1_200);
/// How long another process' look at the same vault's heads is waited for, and how often it is looked.
const BUSY_LOOKS: u32 = 250;
const BUSY: Duration = Duration::from_millis(20);

/// How long witnesses may take to cosign a new head.
const COSIGNING: Patience = Patience {
    total: Duration::from_secs(15),
    first_wait: Duration::from_millis(500),
    longest_wait: Duration::from_secs(3),
};

/// Which head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The newest.
    Newest,
    /// The newest that enough witnesses have cosigned.
    Cosigned,
}

impl Which {
    const fn path(self) -> &'static str {
        match self {
            Self::Newest => "/ledger/checkpoint",
            Self::Cosigned => "/ledger/cosigned",
        }
    }

    /// The file that the last one seen is kept in.
    const fn file(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Cosigned => "cosigned",
        }
    }
}

/// This machine's time, Unix seconds. How old a head is, is never held against a time that the vault has told.
pub fn machine_s() -> u64 {
    clock::machine_ms() / 1_000
}

impl Vault {
    /// The key of the log's clock, as the genesis event names it.
    pub fn clock_key(&self) -> Result<VerifierKey, Error> {
        let key = VerifierKey::of_clock(self.origin(), &self.genesis()?.clock_key.0);
        key.map_err(|_| Tampering::NotShown("a clock key that can be one").into())
    }

    /// A head with its signatures, as it came, and what the policy says of it; none where the vault has none. With bounds it must be fresh at this time.
    pub fn head(
        &self,
        which: Which,
        policy: &Policy,
        fresh: Option<(u64, Freshness)>,
    ) -> Result<Option<(String, Accepted)>, Error> {
        let Some(answer) = self.look(which.path())? else { return Ok(None) };
        if answer.status != 200 {
            return Err(Error::Undocumented { status: answer.status });
        }
        let accepted = match fresh {
            Some((now_s, bounds)) => policy.accept_fresh(&answer.body, now_s, bounds),
            None => policy.accept(&answer.body),
        };
        let accepted = accepted.map_err(Tampering::Checkpoint)?;
        // What is a note is text.
        Ok(Some((String::from_utf8_lossy(&answer.body).into_owned(), accepted)))
    }

    /// Shows by the vault's tiles that the larger of two heads extends the smaller one.
    fn extends(&self, larger: &Checkpoint, smaller: &Checkpoint) -> Result<(), Error> {
        let spans = consistency::spans(smaller.size(), larger.size());
        let mut tiles = Vec::new();
        for address in tiles_for(&spans, larger.size()) {
            let answer = self.look(&format!("/ledger/{address}"))?.filter(|answer| answer.status == 200);
            tiles.push((address, answer.ok_or(Tampering::NotShown("that its log only grew: a tile is missing"))?.body));
        }
        let forked = || Tampering::Forked { seen: smaller.size(), shown: larger.size() };
        let tiles = VerifiedTiles::new(larger.size(), larger.root(), tiles)
            .map_err(|_| Tampering::NotShown("that its log only grew: the tiles are not the checkpoint's"))?;
        let proof = consistency::prove(smaller.size(), larger.size(), &tiles).map_err(|_| forked())?;
        Ok(larger.extends(smaller, &proof).map_err(|_| forked())?)
    }

    fn agree(&self, one: &Checkpoint, other: &Checkpoint) -> Result<(), Error> {
        if one.size() == other.size() {
            let same = one == other;
            return if same { Ok(()) } else { Err(Tampering::Forked { seen: one.size(), shown: other.size() }.into()) };
        }
        let (larger, smaller) = if one.size() > other.size() { (one, other) } else { (other, one) };
        self.extends(larger, smaller)
    }
}

/// The heads of one vault that this machine has seen.
#[derive(Debug)]
pub struct Heads {
    state: State,
    vault: Vault,
}

impl Heads {
    /// Kept in this state folder.
    pub fn of(vault: &Vault, state: State) -> Self {
        Self { state, vault: vault.clone() }
    }

    /// The head, if it holds up: by the policy, and beside what was seen before. Then it is what was seen.
    pub fn follow(
        &self,
        which: Which,
        policy: &Policy,
        fresh: Option<(u64, Freshness)>,
    ) -> Result<Option<Accepted>, Error> {
        let Some((mut note, mut accepted)) = self.look(which, policy, fresh)? else {
            return match self.seen(which)?.filter(|_| which == Which::Newest) {
                Some(seen) => Err(Tampering::RolledBack { seen: seen.size(), shown: 0 }.into()),
                // What witnesses have said is kept by the vault as long as it can; what is lost, they are asked for again.
                None => Ok(None),
            };
        };
        let smaller = |accepted: &Accepted, seen: &Checkpoint| accepted.checkpoint.size() < seen.size();
        if let Some(seen) = self.seen(which)?.filter(|seen| smaller(&accepted, seen)) {
            std::thread::sleep(CACHED);
            let fresh = fresh.map(|(now_s, bounds)| (now_s + CACHED.as_secs(), bounds));
            if let Some(again) = self.vault.head(which, policy, fresh)? {
                (note, accepted) = again;
            }
            if smaller(&accepted, &seen) {
                let (seen, shown) = (seen.size(), accepted.checkpoint.size());
                return Err(Tampering::RolledBack { seen, shown }.into());
            }
        }
        self.hold(&note, &accepted.checkpoint)?;
        self.keep(which, &note, &accepted.checkpoint)?;
        Ok(Some(accepted))
    }

    /// The head. After each new block witnesses need a moment; until then the cosigned head is the older one, which nobody says is the newest any more.
    fn look(
        &self,
        which: Which,
        policy: &Policy,
        fresh: Option<(u64, Freshness)>,
    ) -> Result<Option<(String, Accepted)>, Error> {
        let begun = Instant::now();
        let mut looks = COSIGNING.begin();
        loop {
            let fresh = fresh.map(|(now_s, bounds)| (now_s + begun.elapsed().as_secs(), bounds));
            match self.vault.head(which, policy, fresh) {
                Err(Error::Tampered(Tampering::Checkpoint(
                    RefusedCheckpoint::Stale { .. } | RefusedCheckpoint::NoTimestamp,
                ))) if which == Which::Cosigned && looks.wait() => {}
                looked => return looked,
            }
        }
    }

    /// Holds a head that came by another way, with a proof for instance, against what was seen: one of them extends the other. What contradicts is kept.
    pub fn hold(&self, note: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        for which in [Which::Newest, Which::Cosigned] {
            let Some(seen) = self.seen(which)? else { continue };
            let agreed = self.vault.agree(&seen, checkpoint);
            if let Err(Error::Tampered(Tampering::Forked { .. })) = &agreed
                && let Some(slot) = self.slot()?
            {
                slot.write(CONTRADICTION, note.as_bytes())?;
            }
            agreed?;
        }
        Ok(())
    }

    /// Where a head that contradicts what was seen is kept, beside that; none where nothing is kept.
    pub fn contradiction(&self) -> Option<PathBuf> {
        let State::Kept(folder) = &self.state else { return None };
        let path = folder.join(SLOTS).join(self.name()).join(CONTRADICTION);
        path.is_file().then_some(path)
    }

    fn name(&self) -> String {
        let genesis: Hash = self.vault.pin().genesis;
        genesis.to_string()
    }

    /// The slot of this vault, once nobody else has it; none where nothing is kept.
    fn slot(&self) -> Result<Option<Slot>, Error> {
        if !self.state.is_kept() {
            return Ok(None);
        }
        let slots = self.state.slots(SLOTS)?;
        for _ in 0..BUSY_LOOKS {
            if let Some(slot) = slots.claim(&self.name())? {
                return Ok(Some(slot));
            }
            std::thread::sleep(BUSY);
        }
        Err(Error::HeadsBusy)
    }

    fn seen(&self, which: Which) -> Result<Option<Checkpoint>, Error> {
        let Some(slot) = self.slot()? else { return Ok(None) };
        read(&slot, which)
    }

    /// A larger one may have been kept meanwhile.
    fn keep(&self, which: Which, note: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
        let Some(slot) = self.slot()? else { return Ok(()) };
        if read(&slot, which)?.is_none_or(|kept| kept.size() < checkpoint.size()) {
            slot.write(which.file(), note.as_bytes())?;
        }
        Ok(())
    }
}

/// What is kept. It was checked when it was; what cannot be read was not written by this program.
fn read(slot: &Slot, which: Which) -> Result<Option<Checkpoint>, Error> {
    let Some(bytes) = slot.read(which.file(), MAX_NOTE_BYTES as u64)? else { return Ok(None) };
    let note = Note::parse(&bytes).ok();
    note.and_then(|note| Checkpoint::parse(note.text()).ok()).map(Some).ok_or(Error::HeadsUnreadable)
}
