//! `chartseal audit`: the vault's log, replayed. What comes of it in words and in JSON.

use std::path::PathBuf;

use chartseal_cli::{AuditedLog, Error, Exit};
use chartseal_ledger::note::VerifierKey;
use chartseal_replay::source::CopySource;
use chartseal_replay::{Copy, CopyError, Failure as Replayed, Replay, Report};
use clap::Args;
use serde_json::Value;

use crate::commands::Answered;
use crate::commands::ledger::Witnesses;
use crate::failure::Failure;
use crate::leaf_bar::LeafBar;
use crate::output::Output;
use crate::session::Session;

/// What is replayed, and what is believed.
#[derive(Debug, Args)]
pub struct OfLog {
    /// Keep a copy of the log in this folder, and go on from what is there.
    #[arg(long, value_name = "FOLDER")]
    copy: Option<PathBuf>,
    /// Replay the copy itself, all of it, with no network and no wallet.
    #[arg(long, requires = "copy", requires = "key")]
    from_copy: bool,
    /// The log's public key, as `chartseal ledger key` prints it; by default the one that the wallet's vault began with.
    #[arg(long, value_name = "VKEY", env = "CHARTSEAL_LOG_KEY")]
    key: Option<VerifierKey>,
    #[command(flatten)]
    witnesses: Witnesses,
}

/// Replays, and says what was found.
pub fn run(arguments: &OfLog, session: &Session, output: &Output) -> Answered {
    let report = match (&arguments.copy, &arguments.key) {
        (Some(folder), Some(key)) if arguments.from_copy => {
            let kept = Copy::open(folder).map_err(of_copy)?;
            let mut replay = replay(unnamed()?, key, arguments)?;
            let replayed = replay.run(&mut CopySource::new(kept.snapshot()), &LeafBar::default());
            replayed.map_err(|failure| match failure {
                Replayed::Source(error) | Replayed::Copy(error) => of_copy(error),
                Replayed::Stopped => stopped(),
            })?
        }
        (folder, key) => {
            let client = session.client()?;
            let vault = &client.vault;
            let own = vault.log_key()?;
            let key = key.as_ref().unwrap_or(&own);
            let copy = folder.as_ref().map_or_else(unnamed, |folder| Copy::open(folder).map_err(of_copy))?;
            let mut replay = replay(copy, key, arguments)?.from_genesis(vault.pin().genesis);
            let replayed = replay.run(&mut AuditedLog::new(&client), &LeafBar::default());
            replayed.map_err(|failure| match failure {
                Replayed::Source(error) => Failure::from(error),
                Replayed::Copy(error) => of_copy(error),
                Replayed::Stopped => stopped(),
            })?
        }
    };
    say(&report, output);
    let document = serde_json::to_value(&report).unwrap_or_default();
    if report.sound { Ok(document) } else { Err(unsound(&report, document)) }
}

fn replay(copy: Copy, key: &VerifierKey, arguments: &OfLog) -> Result<Replay, Failure> {
    let policy = arguments.witnesses.policy(key.clone(), None)?;
    Replay::new(copy, key, policy).map_err(of_copy)
}

/// A copy that is gone with this program, however that ends.
fn unnamed() -> Result<Copy, Failure> {
    let file = tempfile::tempfile().map_err(|source| Error::File { path: std::env::temp_dir(), source })?;
    Copy::in_file(file).map_err(of_copy)
}

/// The words of the report.
fn say(report: &Report, output: &Output) {
    let Report { origin, blocks, events, streams, size, root, .. } = report;
    if *size == 0 && report.findings.is_empty() {
        output.say(format!("{origin}: nothing is sealed yet"));
        return;
    }
    output.say(format!("{origin}: {size} leaves are signed, root {root}"));
    if !report.witnesses.is_empty() {
        output.say(format!("  cosigned by {}", report.witnesses.join(", ")));
    }
    output.say(format!("  {events} events of {streams} streams in {blocks} blocks were judged"));
    for (typ, count) in &report.types {
        output.say(format!("    {typ:<28} {count:>9}"));
    }
    for place in &report.waiting {
        output.say(format!("  waiting: what was written together with {place} is not sealed yet"));
    }
    if report.unjudged > 0 {
        output.say(format!("  not judged: the last {} leaves, because nothing can be said of them", report.unjudged));
    }
    for finding in &report.findings {
        output.say(format!("  {finding}"));
    }
    output.say(if report.sound { "sound" } else { "NOT SOUND" });
}

fn unsound(report: &Report, document: Value) -> Failure {
    let count = report.findings.len();
    let first = report.findings.first().map(ToString::to_string).unwrap_or_default();
    Failure {
        what: format!("the log is not sound: {count} {}, {first}", if count == 1 { "finding" } else { "findings, first" }),
        advice: "Keep the copy and the checkpoint that it holds: they are what the vault has signed. Tell the others who rely on it.".into(),
        code: report.findings.first().map_or("unsound", |finding| finding.rule.code()).into(),
        exit: Exit::Tampering,
        done: Some(document),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "errors are mapped with it")]
fn of_copy(error: CopyError) -> Failure {
    let advice = match &error {
        CopyError::OtherLog(_) => "Name another folder: a copy is of one log.",
        CopyError::Damaged(_) | CopyError::Format => "Nothing is said about the vault. Audit again into a new folder.",
        CopyError::Store(_) | CopyError::Folder(_) => {
            "Look at the folder's rights, at the room on its disk, and whether another program uses it."
        }
    };
    let (code, exit) = (error.code(), Exit::Failed);
    Failure { what: error.to_string(), advice: advice.into(), code: code.into(), exit, done: None }
}

fn stopped() -> Failure {
    let advice = "Give the command again: with --copy it goes on from here.";
    Failure { what: "stopped".into(), advice: advice.into(), code: "stopped".into(), exit: Exit::TryAgain, done: None }
}
