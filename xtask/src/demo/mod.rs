//! `cargo xtask demo`: from nothing to a decrypted record, through the released binaries.
//!
//! This file prepares (install, build, start, deploy) and reports; `story` plays the day; `samples` are the files shared.

mod phantom;
mod report;
mod samples;
mod story;

use std::fs;
use std::path::PathBuf;

use chartseal_local::LocalStack;

use crate::process::{Failure, root};
use crate::stack;
use crate::wallets::Wallets;

pub use report::Report;

/// Where a run keeps its wallets and files.
const FOLDER: &str = ".local/demo";

/// What the user asked for.
pub struct Options {
    /// Where to write the report.
    pub json: Option<PathBuf>,
    /// Files to share instead of the samples.
    pub record: Vec<PathBuf>,
    /// Leave the stack.
    pub keep: bool,
}

/// Plays the day, and writes the report whatever came of it.
pub fn run(options: &Options) -> Result<(), Failure> {
    if let Some(path) = &options.json {
        writable(path)?;
    }
    let mut report = Report::default();
    let outcome = play(options, &mut report);
    report.ended(&outcome);
    if let Some(path) = &options.json {
        let written = fs::write(path, format!("{:#}\n", report.to_json()));
        written.map_err(|error| Failure::new(format!("{}: {error}", path.display()), "name a file you may write"))?;
    }
    outcome?;
    println!("\n{}", report.summary());
    Ok(())
}

/// Fails where the report could not be written, before anything is built: it is written at the very end.
fn writable(path: &std::path::Path) -> Result<(), Failure> {
    let opened = fs::OpenOptions::new().create(true).append(true).open(path);
    opened.map(drop).map_err(|error| Failure::new(format!("{}: {error}", path.display()), "name a file you may write"))
}

/// Plays the day into a report.
pub fn play(options: &Options, report: &mut Report) -> Result<(), Failure> {
    // A wrong file name should not cost a build.
    if options.keep {
        stack::none_is_up()?;
    }
    let given = report.step("read the records to share", || samples::given(&options.record))?;
    let (workspace, binaries) = report.preparation("install and build", stack::prepare)?;
    let wallets = report.step("a folder for wallets", || Wallets::create(&root().join(FOLDER), &binaries))?;
    let records = match given {
        Some(given) => given,
        None => report.step("draw the sample image", || samples::ours(wallets.folder()))?,
    };
    let operator_key = report.step("the operator's wallet", || wallets.create_operator())?;
    let mut running = start(report, &workspace, &binaries, &operator_key)?;
    let outcome = story::play(report, running.api(), &wallets, &records);
    if options.keep {
        stack::leave_up(&mut running, &wallets)?;
        return outcome;
    }
    // The stack ends before the verdict, whatever that is. Dropped, not stopped: a stack that `up` left stays on record.
    let stopped = report.step("stop the stack", || {
        drop(running);
        Ok(())
    });
    outcome.and(stopped)
}

fn start(
    report: &mut Report,
    workspace: &chartseal_local::Workspace,
    binaries: &std::path::Path,
    operator_key: &str,
) -> Result<LocalStack, Failure> {
    let started = std::time::Instant::now();
    let running = stack::start(workspace, binaries, operator_key)
        .map_err(|failure| failure.in_step("start the stack and deploy template.yaml"))?;
    let deploying = stack::deploy_time(&running);
    report.done("start the emulator", started.elapsed().saturating_sub(deploying), None, &running.endpoint().url);
    report.done(report::DEPLOY, deploying, None, running.api());
    running.api().clone_into(&mut report.api);
    Ok(running)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_cannot_be_written_fails_at_once() {
        let missing = std::env::temp_dir().join("chartseal-no-such-folder").join("report.json");
        assert!(writable(&missing).is_err());
        assert!(writable(&std::env::temp_dir()).is_err(), "a folder");
    }
}
