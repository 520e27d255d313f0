//! The desk that every call goes over: before a call takes effect and before it is answered it waits there, until the world says what becomes of it.
//! The desk sees everything that is written, and says when something is written that must not be.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use chartseal_events::{Hash, StreamId};
use chartseal_infra::faulty::{AnswerLost, Call};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{BlockStore as _, EventStore as _, StoreError};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_seal::defect::Defect;
use futures_util::FutureExt as _;

use super::dice::Dice;
use super::model::Model;
use crate::check::{Broken, Invariant, broken};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Go,
    /// Before it takes effect: it does not. After it did: the answer is lost.
    Lost,
    /// It fails, and takes effect later.
    Late,
    /// It takes effect now, and once more later.
    Again,
    /// A part of the batch takes effect; then it fails.
    Part(u64),
}

/// A sealer, a store, or a twin with a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// None.
    Nothing,
    /// In the sealer's code.
    Code(Defect),
    /// The head is signed before its block is put.
    SignsFirst,
    /// Tiles are written after the checkpoint that needs them.
    TilesLast,
    /// Whatever is published is replaced.
    PublishesBlindly,
    /// A late write of a page takes the place of a newer one.
    PagesGoBack,
    /// Streams are read as they were some time ago.
    ReadsStale,
}

/// Something that takes effect in its own time.
pub type Deed = Box<dyn FnOnce(&Desk) + Send>;

pub struct Desk {
    pub vault: MemoryVault,
    pub planted: Planted,
    state: Mutex<State>,
}

pub struct State {
    tickets: BTreeMap<u64, Ticket>,
    issued: u64,
    /// Writes that are under way.
    pub landing: Vec<Deed>,
    /// Writes that a defective sealer holds back.
    pub held: Vec<Deed>,
    pub found: Option<Broken>,
    signed: BTreeMap<u64, Hash>,
    model: Model,
    /// How far the blocks have been looked through, and what they have sealed.
    height: u64,
    sealed: BTreeMap<StreamId, u64>,
    pub dice: Dice,
}

/// A call that waits.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub ticket: u64,
    pub actor: u32,
    pub call: Call,
    /// It has taken effect.
    pub done: bool,
}

struct Ticket {
    waiting: Waiting,
    waker: Option<Waker>,
    fate: Option<Fate>,
}

pub fn lost() -> StoreError {
    StoreError::Unavailable { service: "the world", source: Box::new(AnswerLost) }
}

impl Desk {
    pub fn new(vault: MemoryVault, model: Model, planted: Planted, dice: Dice) -> Arc<Self> {
        let state = State {
            tickets: BTreeMap::new(),
            issued: 0,
            landing: Vec::new(),
            held: Vec::new(),
            found: None,
            signed: BTreeMap::new(),
            model,
            height: 0,
            sealed: BTreeMap::new(),
            dice,
        };
        Arc::new(Self { vault, planted, state: Mutex::new(state) })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The calls that wait, in the order in which they came.
    pub fn waiting(&self) -> Vec<Waiting> {
        let state = self.state();
        state.tickets.values().filter(|ticket| ticket.fate.is_none()).map(|ticket| ticket.waiting.clone()).collect()
    }

    /// Says what becomes of a call.
    pub fn grant(&self, ticket: u64, fate: Fate) {
        let waker = {
            let mut state = self.state();
            let ticket = state.tickets.get_mut(&ticket).expect("a call that waits");
            ticket.fate = Some(fate);
            ticket.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// Waits for what becomes of a call.
    pub async fn pass(&self, actor: u32, call: Call, done: bool) -> Fate {
        let number = {
            let mut state = self.state();
            state.issued += 1;
            let ticket = state.issued;
            let waiting = Waiting { ticket, actor, call, done };
            state.tickets.insert(ticket, Ticket { waiting, waker: None, fate: None });
            ticket
        };
        let leaving = Leaving { desk: self, ticket: number };
        let fate = poll_fn(|context| {
            let mut state = self.state();
            let ticket = state.tickets.get_mut(&number).expect("a call that waits");
            if let Some(fate) = ticket.fate {
                return Poll::Ready(fate);
            }
            ticket.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        drop(leaving);
        fate
    }

    /// Notes what was found, unless something was before.
    pub fn note(&self, found: Result<(), Broken>) {
        if let Err(found) = found {
            self.state().found.get_or_insert(found);
        }
    }

    /// A checkpoint is signed: it is that of a block that stands, and the only one of its size.
    pub fn sees_signed(&self, message: &[u8]) {
        let text = String::from_utf8(message.to_vec()).unwrap();
        let checkpoint = Checkpoint::parse(&text).unwrap();
        let (size, root) = (checkpoint.size(), checkpoint.root());
        let mut state = self.state();
        let other = *state.signed.entry(size).or_insert(root) != root;
        let newest = self.vault.newest_block().now_or_never().unwrap().unwrap().block;
        let mut block = newest;
        while let Some(later) = block.as_ref().filter(|block| block.seal().size() > size) {
            let before = later.seal().height().checked_sub(1);
            block = before.and_then(|height| self.vault.block(height).now_or_never().unwrap().unwrap());
        }
        let stands = block.is_some_and(|block| block.seal().size() == size && block.edge().root() == root);
        if other || !stands {
            state
                .found
                .get_or_insert(Broken { invariant: Invariant::Signed, what: format!("a head of {size} leaves") });
        }
    }

    /// A checkpoint was published just now: all that follows from its blocks is there.
    pub fn sees_published(&self, note: &str) {
        let text = note.split_once("\n\n").map(|(text, _)| format!("{text}\n")).unwrap();
        let size = Checkpoint::parse(&text).unwrap().size();
        let mut state = self.state();
        let before = state.model.size();
        let found = if size > before {
            state.model.published(&self.vault, size)
        } else {
            broken(Invariant::Checkpoints, format!("{size} leaves in the place of {before}"))
        };
        if let Err(found) = found {
            state.found.get_or_insert(found);
        }
    }

    /// The watermark moved: everything before it is sealed.
    pub fn sees_watermark(&self, until_ms: u64) {
        let mut state = self.state();
        while let Some(block) = self.vault.block(state.height).now_or_never().unwrap().unwrap() {
            state.sealed.extend(block.events().iter().map(|event| (event.place.stream, event.place.seq)));
            state.height += 1;
        }
        for place in self.vault.by_time(0, until_ms).now_or_never().unwrap().unwrap() {
            if state.sealed.get(&place.stream).is_none_or(|sealed| *sealed < place.seq) {
                let found = broken::<()>(Invariant::Watermark, format!("{place} is before it and not sealed"));
                state.found.get_or_insert(found.unwrap_err());
            }
        }
    }
}

/// A call that does not wait any more: it goes on, or its caller is gone.
struct Leaving<'a> {
    desk: &'a Desk,
    ticket: u64,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.desk.state().tickets.remove(&self.ticket);
    }
}
