//! How far an audit of a log is, on standard error: a bar where that is a terminal.

use std::sync::Mutex;

use chartseal_replay::{Stage, Watch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar takes what the words leave of the line, so that it never wraps.
const BAR: &str = "{msg:>9} {wide_bar} {human_pos}/{human_len} leaves, {per_sec}, {eta} left";

/// One bar for each pass.
#[derive(Debug, Default)]
pub struct LeafBar(Mutex<Option<ProgressBar>>);

impl LeafBar {
    fn replace(&self, bar: Option<ProgressBar>) {
        let mut current = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(last) = std::mem::replace(&mut *current, bar) {
            last.finish_and_clear();
        }
    }
}

impl Drop for LeafBar {
    fn drop(&mut self) {
        self.replace(None);
    }
}

impl Watch for LeafBar {
    fn begin(&self, stage: Stage, total: u64, done: u64) {
        let doing = match stage {
            Stage::Follow => "following",
            Stage::Judge => "judging",
        };
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_position(done);
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            bar.set_style(style);
        }
        bar.set_message(doing);
        bar.reset_eta();
        self.replace(Some(bar));
    }

    fn advance(&self, leaves: u64) {
        if let Some(bar) = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref() {
            bar.inc(leaves);
        }
    }
}
