//! Progress bars, on standard error and only where that is a terminal.

use std::cell::RefCell;

use chartseal_cli::{Progress, Stage};
use indicatif::{ProgressBar, ProgressStyle};

/// One bar for each stage.
#[derive(Debug, Default)]
pub struct Bars {
    current: RefCell<Option<ProgressBar>>,
}

impl Progress for Bars {
    fn begin(&self, stage: Stage, total_bytes: u64) {
        let bar = ProgressBar::new(total_bytes);
        let style = ProgressStyle::with_template(
            "{msg:>10} {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}",
        );
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(match stage {
            Stage::Encrypt => "encrypting",
            Stage::Upload => "sending",
            Stage::Download => "receiving",
            Stage::Decrypt => "decrypting",
        });
        self.current.replace(Some(bar));
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = self.current.borrow().as_ref() {
            bar.inc(bytes);
        }
    }

    fn end(&self) {
        if let Some(bar) = self.current.take() {
            bar.finish_and_clear();
        }
    }

    fn passed(&self, _: &'static str) {}
}
