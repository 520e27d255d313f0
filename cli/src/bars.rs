//! Progress on standard error: bars where that is a terminal, or a plain line every few seconds where a person asked for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chartseal_cli::{Progress, Stage};
use clap::ValueEnum;
use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// How often a plain line is written.
const LINE_EVERY: Duration = Duration::from_secs(5);
const BAR: &str = "{msg:>11} {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, {left} left";

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
    fn say(&mut self) {
        self.said = Instant::now();
        let bar = &self.bar;
        let (done, total) = (BinaryBytes(bar.position()), BinaryBytes(bar.length().unwrap_or_default()));
        // A rate below a byte a second is shown as none.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rate = BinaryBytes(bar.per_sec() as u64);
        eprintln!("{} {done} of {total}, {rate}/s, {} left", self.doing, left(bar.eta()));
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
        // What was there before says nothing about how fast it goes.
        bar.reset_eta();
        self.current().replace(Current { bar, doing, said: Instant::now() });
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
        if let Some(mut current) = current {
            if self.show == Show::Plain {
                current.say();
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
