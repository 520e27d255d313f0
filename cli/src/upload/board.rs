//! Which part is sent next: several workers take parts from one board, which asks for addresses a page at a time, when they are needed.
//!
//! In scope: the order of parts, addresses that expire, attempts, the end at the first failure that stays. Not in scope: how a part is sent and where
//! addresses come from; [`Shipment`] says that, and tests have one of their own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chartseal_events::limits::MAX_PARTS_ASKED;
use chartseal_events::wire::{PartCall, PresignedCall};

use crate::error::Error;
use crate::http::ADDRESS_REFUSED;
use crate::patience::{Attempts, Patience};

/// Addresses that live shorter are used whenever they come up.
const MIN_LIFE_MS: u64 = 60_000;
/// How many addresses are refused in a row, beside those that were all in use when their time was over.
const MAX_REFUSED: usize = 4;

/// What is being sent, in parts.
pub(super) trait Shipment: Sync {
    /// Addresses of these parts, which are at most a page, by rising number; none for a part that is there already.
    fn addresses(&self, numbers: &[u32]) -> Result<Vec<PartCall>, Error>;

    /// Sends a part, once, and says how the store answered. It breaks off when `stop` says so.
    fn send(&self, number: u32, call: &PresignedCall, stop: &AtomicBool) -> Result<u16, Error>;

    /// Why the store refuses a part for good.
    fn refused(&self, number: u32, status: u16) -> Error;

    /// A part is there and need not be sent.
    fn found(&self, number: u32);

    /// The time by the clock that ends addresses, Unix milliseconds.
    fn now_ms(&self) -> u64;
}

/// A part and where to send it.
pub(super) struct Addressed {
    number: u32,
    call: PresignedCall,
    /// After this a new address is asked for, Unix milliseconds.
    until_ms: u64,
    /// What was tried before, with other addresses.
    attempts: Option<Attempts>,
}

impl Addressed {
    pub(super) fn new(number: u32, call: PresignedCall, now_ms: u64) -> Self {
        let life_ms = call.expires_at.saturating_sub(now_ms);
        let until_ms = if life_ms < MIN_LIFE_MS { u64::MAX } else { now_ms.saturating_add(life_ms / 5 * 4) };
        Self { number, call, until_ms, attempts: None }
    }
}

/// The parts that are still to be sent.
pub(super) struct Board<'a, S> {
    shipment: &'a S,
    patience: Patience,
    parallel: usize,
    queue: Mutex<Queue>,
    stop: AtomicBool,
}

struct Queue {
    ready: VecDeque<Addressed>,
    /// Parts without an address.
    unasked: VecDeque<u32>,
    /// What was tried of parts that wait for another address.
    tried: BTreeMap<u32, Attempts>,
    /// Addresses that were refused since the last part got through.
    refused: usize,
    failure: Option<Error>,
}

impl Queue {
    /// The part needs another address. What was tried of it still counts.
    fn take_address(&mut self, old: Addressed) {
        self.unasked.push_back(old.number);
        self.tried.extend(old.attempts.map(|attempts| (old.number, attempts)));
    }
}

/// How a part went that did not fail.
enum Went {
    Through,
    AddressRefused,
    /// The connection was lost. It may have got through for all that, or the store may have refused in the middle of it.
    Lost,
}

impl<'a, S: Shipment> Board<'a, S> {
    /// A board with parts that have an address already, and parts that have none.
    pub(super) fn new(
        shipment: &'a S,
        ready: impl IntoIterator<Item = Addressed>,
        unasked: impl IntoIterator<Item = u32>,
        parallel: usize,
        patience: Patience,
    ) -> Self {
        let (ready, unasked) = (ready.into_iter().collect(), unasked.into_iter().collect());
        let queue = Mutex::new(Queue { ready, unasked, tried: BTreeMap::new(), refused: 0, failure: None });
        Self { shipment, patience, parallel: parallel.max(1), queue, stop: AtomicBool::new(false) }
    }

    /// Sends all parts. The first failure that stays ends it.
    pub(super) fn run(self) -> Result<(), Error> {
        let queue = self.queue();
        let parts = queue.ready.len() + queue.unasked.len();
        drop(queue);
        std::thread::scope(|scope| {
            for _ in 0..self.parallel.min(parts) {
                scope.spawn(|| self.work());
            }
        });
        let queue = self.queue.into_inner().unwrap_or_else(PoisonError::into_inner);
        queue.failure.map_or(Ok(()), Err)
    }

    fn work(&self) {
        while let Some(mut next) = self.next() {
            match self.send(&mut next) {
                Ok(Went::Through) => self.queue().refused = 0,
                Ok(Went::AddressRefused) => self.put_back(next.number),
                Ok(Went::Lost) => self.ask_again(next),
                Err(error) => self.fail(error),
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A worker that panicked ends the program anyway; the queue is whole after each line.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next part with its address. While addresses are asked for, those who need one wait and those who send go on.
    fn next(&self) -> Option<Addressed> {
        let mut queue = self.queue();
        loop {
            if queue.failure.is_some() {
                return None;
            }
            match queue.ready.pop_front() {
                Some(next) if self.shipment.now_ms() < next.until_ms => return Some(next),
                Some(stale) => queue.take_address(stale),
                None if queue.unasked.is_empty() => return None,
                None => {
                    if let Err(error) = self.ask(&mut queue) {
                        drop(queue);
                        self.fail(error);
                        return None;
                    }
                }
            }
        }
    }

    fn ask(&self, queue: &mut Queue) -> Result<(), Error> {
        queue.unasked.make_contiguous().sort_unstable();
        let page = queue.unasked.len().min(MAX_PARTS_ASKED);
        let numbers: Vec<u32> = queue.unasked.drain(..page).collect();
        let now_ms = self.shipment.now_ms();
        for PartCall { number, call } in self.shipment.addresses(&numbers)? {
            match call {
                Some(call) => {
                    let attempts = queue.tried.remove(&number);
                    queue.ready.push_back(Addressed { attempts, ..Addressed::new(number, call, now_ms) });
                }
                None => self.shipment.found(number),
            }
        }
        Ok(())
    }

    /// Sends a part, again if need be.
    fn send(&self, next: &mut Addressed) -> Result<Went, Error> {
        let attempts = next.attempts.get_or_insert_with(|| Attempts::new(self.patience));
        loop {
            let passing = match self.shipment.send(next.number, &next.call, &self.stop) {
                Ok(200..300) => return Ok(Went::Through),
                // What the address was signed for is what is sent: its time is over.
                Ok(ADDRESS_REFUSED) => return Ok(Went::AddressRefused),
                Ok(status @ (408 | 409 | 429 | 500..)) => Error::StorageRefused { status },
                // Damaged on its way, unless it was before.
                Ok(status @ 400) => match self.shipment.refused(next.number, status) {
                    passing @ Error::DamagedOnTheWay => passing,
                    other => return Err(other),
                },
                Ok(status) => return Err(self.shipment.refused(next.number, status)),
                Err(error @ Error::Unreachable { .. }) => error,
                Err(error) => return Err(error),
            };
            if self.stop.load(Ordering::Relaxed) || !attempts.again() {
                return Err(passing);
            }
            if matches!(passing, Error::Unreachable { .. }) {
                return Ok(Went::Lost);
            }
        }
    }

    fn put_back(&self, number: u32) {
        let mut queue = self.queue();
        queue.refused += 1;
        if queue.refused > MAX_REFUSED + self.parallel {
            drop(queue);
            return self.fail(Error::UploadExpired);
        }
        // The others are as old.
        queue.unasked.push_back(number);
        for old in std::mem::take(&mut queue.ready) {
            queue.take_address(old);
        }
    }

    /// The vault says whether the part is there; if not, another address is as good and may be better.
    fn ask_again(&self, lost: Addressed) {
        self.queue().take_address(lost);
    }

    fn fail(&self, error: Error) {
        self.stop.store(true, Ordering::Relaxed);
        // The first is the cause; what follows was broken off.
        self.queue().failure.get_or_insert(error);
    }
}

#[cfg(test)]
mod tests;
