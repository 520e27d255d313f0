//! The checker: every invariant of docs/EVENT-LOG.md that can be seen in the vault's stores, held against everything that is there.

mod answers;
mod beside;
mod end;
mod events;
mod hints;
mod sound;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chartseal_events::event::{Event, StoredEvent};
use chartseal_events::{Code, Command, EventRef, Hash, Id, Kid, View};
use chartseal_infra::memory::MemoryVault;

use crate::world::World;

pub use answers::{check_release, told_by};
pub use end::{Stock, check_drained};
pub use sound::{Checked, check_evidence};

/// What was broken: the invariants by their numbers in docs/EVENT-LOG.md, and what else is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// 1: a place is written once; nothing that was stored is lost or changed.
    WrittenOnce,
    /// 2: what one command writes is there all, or not at all: events, private values, wrapped keys, headers.
    Together,
    /// 3: a command has at most one event in a stream, and what was answered is stored.
    OnceForEach,
    /// 4: a refusal leaves nothing behind.
    RefusalLeavesNothing,
    /// 5 and 6: links, places, signatures and decisions hold.
    Sound,
    /// 7: a body counts only when S3 holds the announced bytes, in the pinned version.
    Body,
    /// 8: nothing is released before its event is stored, or when the grant is over.
    Release,
    /// 9: no words of people where they must not be.
    Words,
    /// The index is what the events say.
    Index,
    /// What is waited for is on the due list, and nothing is overdue.
    Due,
    /// Every request has its workflow, and every decision was told to it once.
    Workflow,
    /// Whatever nobody waits for any more is gone: objects, unfinished uploads.
    Orphans,
    /// What was put off is done.
    Healing,
    /// Every call has the answer that it has without faults.
    Answer,
    /// The story comes to the same end.
    End,
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    pub invariant: Invariant,
    pub what: String,
}

impl Breach {
    pub fn new(invariant: Invariant, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

/// What the vault has said: what must be true from then on.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The leaf hash of the genesis event.
    pub genesis: Option<Hash>,
    /// Commands that were sent: where the event is that was answered, if one was, and whether it was refused.
    pub commands: BTreeMap<(Kid, Id), Heard>,
    /// Events that were stored at some time, with the leaf hash of each.
    pub stored: BTreeMap<EventRef, Hash>,
    /// Those of them that were checked, by leaf hash. It covers all that an event rests on, so none has to be checked again.
    pub checked: Arc<BTreeMap<Hash, Arc<Checked>>>,
}

/// What was heard of a command.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heard {
    pub taken: Option<(EventRef, Hash)>,
    pub refused: bool,
}

impl Known {
    /// What the bytes say.
    pub fn open(&self, stored: &StoredEvent) -> Option<Arc<Checked>> {
        self.checked.get(&stored.leaf).cloned().or_else(|| Checked::of(stored).map(Arc::new))
    }

    /// Notes the answer to a command.
    pub fn heard(&mut self, command: &Command, answer: &chartseal_http::Answer) {
        let heard = self.commands.entry((command.kid(), command.claims.jti)).or_default();
        if let Some(receipt) = told_by(answer) {
            heard.taken = Some((receipt.stored().at, receipt.leaf));
        }
        // Who loses a race is told to come again; everybody else was refused.
        heard.refused |= (400..500).contains(&answer.status) && answer.problem != Some(Code::Conflict);
    }
}

/// The vault, read through.
pub struct Facts<'a> {
    pub world: &'a World,
    pub vault: &'a MemoryVault,
    /// Every event, by place.
    pub events: BTreeMap<EventRef, Arc<Checked>>,
    /// Every stream as it is now.
    pub view: View,
}

impl Facts<'_> {
    /// Every event, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.values().map(|checked| &checked.event)
    }
}

/// Holds everything against what is there; notes what is stored, for the next time.
pub fn check(world: &mut World) -> Result<(), Breach> {
    let vault = world.vault.clone();
    let stored = vault.events();
    events::check_kept(&world.known, &stored)?;
    beside::check_words(world, &stored)?;
    let (events, view) = sound::check_sound(&world.known, &stored)?;
    world.known.stored = stored.iter().map(|event| (event.at, event.leaf)).collect();
    world.known.checked = Arc::new(events.values().map(|checked| (checked.event.leaf, checked.clone())).collect());
    let facts = Facts { world, vault: &vault, events, view };
    events::check_commands(&facts)?;
    beside::check_private(&facts)?;
    beside::check_keys(&facts)?;
    beside::check_bodies(&facts)?;
    hints::check_index(&facts)?;
    hints::check_due(&facts)?;
    hints::check_workflow(&facts)
}
