//! Progress on standard error: bars where that is a terminal, or a plain line every few seconds where a person asked for it.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chartseal_cli::{Progress, Stage};
use clap::ValueEnum;
use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// How often a plain line is written.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// The bar takes what the words leave of the line, so that it never wraps.
const BAR: &str = "{msg:>11} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, {left} left";

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Show {
    /// A bar, if standard error is a terminal.
    #[default]
    Bar,
    /// A line every five seconds.
    Plain,
    /// Nothing.
    None,
}

/// One bar for each stage.
#[derive(Debug)]
pub struct Bars {
    show: Show,
    current: Arc<Mutex<Option<Current>>>,
}

#[derive(Debug)]
struct Current {
    /// Ends the thread that says when nothing moves.
    _watched: Option<Sender<()>>,
    /// When bytes last moved.
    moved: Instant,
    bar: ProgressBar,
    doing: &'static str,
    began: Instant,
    /// Where it began: what was there before says nothing about how fast it goes.
    from: u64,
    said: Instant,
}

impl Bars {
    pub fn new(show: Show) -> Self {
        Self { show, current: Arc::default() }
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        lock(&self.current)
    }

    /// Says that a stage waits, at most every [`LINE_EVERY`], until it is over: nothing calls from a connection that stands still.
    fn watch(&self) -> Option<Sender<()>> {
        let (watched, over) = mpsc::channel();
        let current = Arc::clone(&self.current);
        let watch = move || {
            while over.recv_timeout(LINE_EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Some(line) = lock(&current).as_mut().and_then(|current| current.waiting(Instant::now())) {
                    eprintln!("{line}");
                }
            }
        };
        // Without another thread there is only less to read.
        thread::Builder::new().spawn(watch).ok().map(|_| watched)
    }
}

fn lock(current: &Mutex<Option<Current>>) -> MutexGuard<'_, Option<Current>> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Current {
    /// How far it is, how fast it went on the whole, and how long the rest takes at that rate.
    fn say(&mut self) {
        self.said = Instant::now();
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or_default());
        let new = done.saturating_sub(self.from);
        let rate = u128::from(new) * 1000 / self.began.elapsed().as_millis().max(1);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        let so_far = format!("{} {} of {}", self.doing, BinaryBytes(done), BinaryBytes(total));
        match total.saturating_sub(done).checked_div(rate) {
            Some(seconds) => {
                eprintln!("{so_far}, {}/s, {} left", BinaryBytes(rate), left(Duration::from_secs(seconds)));
            }
            None => eprintln!("{so_far}"),
        }
    }

    /// What is said when nothing has moved for a while; none where something has.
    fn waiting(&mut self, now: Instant) -> Option<String> {
        let still = now.saturating_duration_since(self.moved);
        if still < LINE_EVERY || now.saturating_duration_since(self.said) < LINE_EVERY {
            return None;
        }
        self.said = now;
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or_default());
        let so_far = format!("{} {} of {}", self.doing, BinaryBytes(done), BinaryBytes(total));
        Some(format!("{so_far}: waiting, nothing has moved for {}", left(still)))
    }

    /// How it ended.
    fn say_end(&self) {
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or_default());
        let took = left(self.began.elapsed());
        let (done_bytes, total_bytes) = (BinaryBytes(done), BinaryBytes(total));
        if done >= total {
            eprintln!("{} {total_bytes}: done in {took}", self.doing);
        } else {
            eprintln!("{} stopped at {done_bytes} of {total_bytes} after {took}", self.doing);
        }
    }
}

impl Progress for Bars {
    fn begin(&self, stage: Stage, total_bytes: u64, done_bytes: u64) {
        let doing = match stage {
            Stage::Compare => "comparing",
            Stage::Encrypt => "encrypting",
            Stage::Upload => "sending",
            Stage::Download => "receiving",
        };
        let target = match self.show {
            Show::Bar => ProgressDrawTarget::stderr(),
            Show::Plain | Show::None => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(total_bytes), target).with_position(done_bytes);
        let time_left = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&left(state.eta()));
        };
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            bar.set_style(style.with_key("left", time_left));
        }
        bar.set_message(doing);
        bar.reset_eta();
        let now = Instant::now();
        let watched = if self.show == Show::Plain { self.watch() } else { None };
        let current = Current { _watched: watched, moved: now, bar, doing, began: now, from: done_bytes, said: now };
        self.current().replace(current);
    }

    fn advance(&self, bytes: u64) {
        if let Some(current) = self.current().as_mut() {
            current.bar.inc(bytes);
            current.moved = Instant::now();
            if self.show == Show::Plain && current.said.elapsed() >= LINE_EVERY {
                current.say();
            }
        }
    }

    fn rewind(&self, bytes: u64) {
        if let Some(current) = self.current().as_ref() {
            current.bar.dec(bytes);
        }
    }

    fn end(&self) {
        let current = self.current().take();
        if let Some(current) = current {
            if self.show == Show::Plain {
                current.say_end();
            }
            current.bar.finish_and_clear();
        }
    }

    fn passed(&self, _: &'static str) {}

    fn note(&self, note: &str) {
        if self.show != Show::None {
            // A bar that is drawn goes out of the way.
            match self.current().as_ref() {
                Some(current) => current.bar.suspend(|| eprintln!("chartseal: {note}")),
                None => eprintln!("chartseal: {note}"),
            }
        }
    }
}

/// A time to wait, for people: `4 s`, `3 min 20 s`, `2 h 5 min`.
fn left(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_said_in_words() {
        let said = [0, 59, 60, 200, 3_600, 7_500, 100_000].map(|seconds| left(Duration::from_secs(seconds)));
        assert_eq!(said, ["0 s", "59 s", "1 min 0 s", "3 min 20 s", "1 h 0 min", "2 h 5 min", "27 h 46 min"]);
    }

    #[test]
    fn what_stands_still_says_so_now_and_then() {
        let bars = Bars::new(Show::None);
        bars.begin(Stage::Upload, 100, 10);
        let mut current = bars.current();
        let current = current.as_mut().expect("begun");
        let after = |seconds| current.moved + Duration::from_secs(seconds);
        let [soon, first, between, later] = [4, 6, 9, 71].map(after);
        assert_eq!(current.waiting(soon), None);
        let waits = "sending 10 B of 100 B: waiting, nothing has moved for";
        assert_eq!(current.waiting(first), Some(format!("{waits} 6 s")));
        assert_eq!(current.waiting(between), None, "not at every look");
        assert_eq!(current.waiting(later), Some(format!("{waits} 1 min 11 s")));
    }

    #[test]
    fn bytes_that_went_in_vain_are_not_counted() {
        let bars = Bars::new(Show::None);
        bars.begin(Stage::Upload, 100, 10);
        bars.advance(50);
        bars.rewind(50);
        bars.advance(60);
        assert_eq!(bars.current().as_ref().map(|current| current.bar.position()), Some(70));
        bars.end();
        assert!(bars.current().is_none());
    }
}
