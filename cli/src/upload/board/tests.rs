//! A board with a small store, which answers as it is told to.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use super::*;

const QUICK: Patience = Patience {
    total: Duration::from_secs(10),
    first_wait: Duration::from_micros(10),
    longest_wait: Duration::from_micros(100),
};

/// A store that answers as it is told to.
struct Small<F> {
    answer: F,
    /// Page by page.
    asked: Mutex<Vec<Vec<u32>>>,
    there: Mutex<BTreeSet<u32>>,
    sent: Mutex<BTreeMap<u32, usize>>,
    clock_ms: AtomicU64,
    life_ms: u64,
    /// Whether every second page comes so late that its addresses are old.
    is_slow: bool,
    /// Whether what a part was refused for happened on its way.
    is_whole: bool,
}

impl<F: Fn(u32, usize) -> Result<u16, Error> + Sync> Small<F> {
    fn new(answer: F) -> Self {
        let (asked, there, sent) = Default::default();
        Self {
            answer,
            asked,
            there,
            sent,
            clock_ms: AtomicU64::new(0),
            life_ms: 900_000,
            is_slow: false,
            is_whole: false,
        }
    }

    fn board(&self, parts: u32, parallel: usize, patience: Patience) -> Result<(), Error> {
        Board::new(self, [], 1..=parts, parallel, patience).run()
    }
}

impl<F: Fn(u32, usize) -> Result<u16, Error> + Sync> Shipment for Small<F> {
    fn addresses(&self, numbers: &[u32]) -> Result<Vec<PartCall>, Error> {
        assert!(!numbers.is_empty() && numbers.len() <= MAX_PARTS_ASKED && numbers.is_sorted());
        self.asked.lock().expect("no panic").push(numbers.to_vec());
        let there = self.there.lock().expect("no panic");
        let call = || PresignedCall {
            method: "PUT".to_owned(),
            url: String::new(),
            headers: BTreeMap::new(),
            expires_at: self.now_ms() + self.life_ms,
        };
        let one = |&number: &u32| PartCall { number, call: (!there.contains(&number)).then(call) };
        let page = numbers.iter().map(one).collect();
        if self.is_slow && self.asked.lock().expect("no panic").len().is_multiple_of(2) {
            self.clock_ms.fetch_add(self.life_ms, Ordering::Relaxed);
        }
        Ok(page)
    }

    fn send(&self, number: u32, _: &PresignedCall, _: &AtomicBool) -> Result<u16, Error> {
        let attempt = {
            let mut sent = self.sent.lock().expect("no panic");
            let count = sent.entry(number).or_default();
            *count += 1;
            *count
        };
        let answer = (self.answer)(number, attempt);
        if matches!(answer, Ok(200)) {
            self.there.lock().expect("no panic").insert(number);
        }
        answer
    }

    fn refused(&self, _: u32, status: u16) -> Error {
        if self.is_whole { Error::DamagedOnTheWay } else { Error::StorageRefused { status } }
    }

    fn found(&self, number: u32) {
        assert!(self.there.lock().expect("no panic").contains(&number));
    }

    fn now_ms(&self) -> u64 {
        self.clock_ms.load(Ordering::Relaxed)
    }
}

fn lost() -> Error {
    Error::Unreachable { url: String::new(), source: Box::new(ureq::Error::ConnectionFailed) }
}

#[test]
fn several_parts_go_at_once_and_each_goes_once() {
    let together = Barrier::new(4);
    let store = Small::new(|number, _| {
        // The first four only go on when all four are on their way.
        if number <= 4 {
            together.wait();
        }
        Ok(200)
    });
    store.board(250, 4, QUICK).expect("sent");
    assert_eq!(store.there.lock().expect("no panic").len(), 250);
    assert!(store.sent.lock().expect("no panic").values().all(|count| *count == 1));
    let pages: Vec<_> = store.asked.lock().expect("no panic").iter().map(Vec::len).collect();
    assert_eq!(pages, [100, 100, 50], "asked for when they are needed");
}

#[test]
fn what_is_there_is_not_sent() {
    let store = Small::new(|_, _| Ok(200));
    store.there.lock().expect("no panic").extend([1, 3]);
    store.board(4, 2, QUICK).expect("sent");
    assert_eq!(*store.sent.lock().expect("no panic"), BTreeMap::from([(2, 1), (4, 1)]));
}

#[test]
fn failures_that_pass_are_tried_again() {
    let store = Small::new(|number, attempt| match (number, attempt) {
        (1, 1) | (2, 2) => Err(lost()),
        (2, 1) => Ok(503),
        (3, 1) => Ok(429),
        _ => Ok(200),
    });
    store.board(3, 2, QUICK).expect("sent");
    assert_eq!(*store.sent.lock().expect("no panic"), BTreeMap::from([(1, 2), (2, 3), (3, 2)]));
    // After a lost connection the vault says whether the part is there for all that.
    let store = Small::new(|_, attempt| if attempt == 1 { Err(lost()) } else { Ok(200) });
    store.board(1, 1, QUICK).expect("sent");
    assert_eq!(*store.asked.lock().expect("no panic"), [[1], [1]]);
}

#[test]
fn an_address_whose_time_is_over_is_asked_for_again() {
    let store = Small::new(|_, attempt| Ok(if attempt == 1 { 403 } else { 200 }));
    store.board(3, 1, QUICK).expect("sent");
    let asked = store.asked.lock().expect("no panic").clone();
    assert_eq!(asked, [vec![1, 2, 3], vec![1, 2, 3], vec![2, 3], vec![3]], "the others are as old");
    // Before the store has to say so, where the clock tells.
    let store = Small::new(|number, _| {
        assert!(number < 4);
        Ok(200)
    });
    let old = Addressed::new(1, store.addresses(&[1]).expect("asked").remove(0).call.expect("one"), 0);
    store.clock_ms.store(800_000, Ordering::Relaxed);
    Board::new(&store, [old], 2..=3, 1, QUICK).run().expect("sent");
    assert_eq!(*store.asked.lock().expect("no panic"), [vec![1], vec![1, 2, 3]]);
}

#[test]
fn addresses_that_are_never_taken_end_it() {
    let store = Small::new(|_, _| Ok(403));
    assert!(matches!(store.board(9, 3, QUICK), Err(Error::UploadExpired)));
    // One that is over as soon as it was given still is tried.
    let store = Small { life_ms: 0, ..Small::new(|_, _| Ok(200)) };
    store.board(2, 1, QUICK).expect("sent");
}

#[test]
fn the_first_failure_that_stays_ends_all() {
    let begun = AtomicUsize::new(0);
    let store = Small::new(|_, _| {
        begun.fetch_add(1, Ordering::Relaxed);
        Ok(400)
    });
    let error = store.board(1_000, 4, QUICK).expect_err("refused");
    assert!(matches!(error, Error::StorageRefused { status: 400 }), "{error}");
    assert!(begun.load(Ordering::Relaxed) <= 8, "the others stop");
    let store = Small { is_whole: true, ..Small::new(|_, attempt| Ok(if attempt < 3 { 400 } else { 200 })) };
    store.board(1, 1, QUICK).expect("damaged on its way, and then not");
    let short = Patience { total: Duration::from_nanos(1), ..QUICK };
    let store = Small { is_whole: true, ..Small::new(|_, _| Ok(400)) };
    assert!(matches!(store.board(1, 1, short), Err(Error::DamagedOnTheWay)));
    assert_eq!(*store.sent.lock().expect("no panic"), BTreeMap::from([(1, 5)]), "not for ever");
    let store = Small::new(|_, _| Err(lost()));
    assert!(matches!(store.board(2, 2, Patience::NONE), Err(Error::Unreachable { .. })));
    // However often another address is asked for, a part that never gets through ends it.
    let short = Patience { total: Duration::from_nanos(1), ..QUICK };
    let store = Small::new(|_, _| Err(lost()));
    assert!(matches!(store.board(1, 1, short), Err(Error::Unreachable { .. })));
    assert_eq!(*store.sent.lock().expect("no panic"), BTreeMap::from([(1, 5)]));
}

#[test]
fn what_was_tried_counts_though_the_address_grew_old() {
    let short = Patience { total: Duration::from_nanos(1), ..QUICK };
    let never = |_, attempt| {
        assert!(attempt < 50, "it never ends");
        Err(lost())
    };
    let store = Small { is_slow: true, ..Small::new(never) };
    assert!(matches!(store.board(1, 1, short), Err(Error::Unreachable { .. })));
    assert_eq!(*store.sent.lock().expect("no panic"), BTreeMap::from([(1, 5)]));
}
