//! A listener that writes down what it hears, and that can play a crash: it panics where it is told to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use chartseal_cli::{Error, Progress, Stage};

#[derive(Default)]
pub struct Watch {
    /// The program dies when this stage begins.
    pub dies_at: Option<Stage>,
    pub notes: Mutex<Vec<String>>,
    /// Of the last stage: how much it had in all, and how much is done.
    pub total: AtomicU64,
    pub done: AtomicU64,
    /// Everything that was ever told as done, whether or not in vain.
    pub advanced: AtomicU64,
}

impl Watch {
    pub fn dying_at(stage: Stage) -> Self {
        Self { dies_at: Some(stage), ..Self::default() }
    }

    pub fn has_noted(&self, text: &str) -> bool {
        self.notes.lock().expect("no panic").iter().any(|note| note.contains(text))
    }

    /// The last stage came to its end, and nothing was counted twice.
    pub fn assert_exact(&self) {
        let (total, done) = (self.total.load(Ordering::Relaxed), self.done.load(Ordering::Relaxed));
        assert_eq!(done, total);
    }
}

impl Progress for Watch {
    fn begin(&self, stage: Stage, total_bytes: u64, done_bytes: u64) {
        self.total.store(total_bytes, Ordering::Relaxed);
        self.done.store(done_bytes, Ordering::Relaxed);
        assert!(self.dies_at != Some(stage), "the program dies");
    }

    fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
        self.advanced.fetch_add(bytes, Ordering::Relaxed);
    }

    fn rewind(&self, bytes: u64) {
        self.done.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn end(&self) {}
    fn passed(&self, _: &'static str) {}

    fn note(&self, note: &str) {
        self.notes.lock().expect("no panic").push(note.to_owned());
    }
}

/// Runs what dies at a stage.
pub fn die<T: std::fmt::Debug>(stage: Stage, run: impl FnOnce(&Watch) -> Result<T, Error>) {
    let watch = Watch::dying_at(stage);
    catch_unwind(AssertUnwindSafe(|| run(&watch))).expect_err("it died");
}
