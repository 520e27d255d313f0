//! The binary `chartseal-audit`: reads the command line, audits the store, prints the report. See `chartseal-audit --help`.
#![forbid(unsafe_code)]

mod options;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chartseal_audit::{Progress, Reading, audit};
use chartseal_infra::aws::{Inventory, SystemClock, config};
use chartseal_infra::ports::{Clock as _, StoreError};
use clap::Parser as _;
use options::Options;

/// Findings: the client's exit code for what was changed that must not change.
const UNSOUND: u8 = 3;
/// The store did not answer, or refused: the client's code for "the same again may work".
const UNAVAILABLE: u8 = 4;
/// How often the progress line is written.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let names = match options.names() {
        Ok(names) => names,
        Err(error) => {
            eprintln!("chartseal-audit: {error}");
            return ExitCode::from(2);
        }
    };
    let inventory = Inventory::new(&config(), names);
    let shown = std::io::stderr().is_terminal();
    let last = Mutex::new(Instant::now());
    let progress = move |at: Progress| {
        if let Ok(mut last) = last.lock()
            && shown
            && last.elapsed() >= PROGRESS_EVERY
        {
            *last = Instant::now();
            let reading = match at.reading {
                Reading::Items(place) => format!("{place:?}"),
                Reading::Objects(bucket) => format!("objects of {bucket:?}"),
                Reading::Bytes => "bytes of bodies".to_owned(),
            };
            eprint!("\rround {}: {reading} {:>12}\x1b[K", at.round, at.read);
        }
    };
    let outcome = audit(&inventory, options.settings(), || SystemClock.now_ms(), &progress).await;
    if shown {
        eprint!("\r\x1b[K");
    }
    match outcome {
        Ok(report) => {
            let text = if options.json {
                // Strings and numbers: they always serialise.
                serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
            } else {
                report.in_words()
            };
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::from(if report.sound { 0 } else { UNSOUND })
        }
        Err(error) => {
            eprintln!("chartseal-audit: nothing was judged: {error}");
            if let StoreError::Unavailable { .. } = error {
                eprintln!(
                    "Look at region, credentials and AWS_ENDPOINT_URL; the rights an auditor needs are in docs/AUDIT.md."
                );
            }
            ExitCode::from(UNAVAILABLE)
        }
    }
}
