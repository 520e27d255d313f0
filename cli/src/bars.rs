//! Progress on standard error: bars where that is a terminal, or a plain line every few seconds where a person asked for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
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
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    bar: ProgressBar,
    doing: &'static str,
    began: Instant,
    /// Where it began: what was there before says nothing about how fast it goes.
    from: u64,
    said: Instant,
}

impl Bars {
    pub fn new(show: Show) -> Self {
        Self { show, current: Mutex::default() }
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        self.current().replace(Current { bar, doing, began: now, from: done_bytes, said: now });
    }

    fn advance(&self, bytes: u64) {
        if let Some(current) = self.current().as_mut() {
            current.bar.inc(bytes);
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
