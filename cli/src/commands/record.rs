//! `chartseal record`: upload, list, show, download, and new versions.

use std::path::{Path, PathBuf};
use std::time::Instant;

use chartseal_cli::{Client, DownloadOf, Error, NewRecord, Uploaded, media, printable};
use chartseal_events::Id;
use chartseal_events::wire::RecordVersionView;
use chartseal_ledger::terms::{Facet, Term};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Answered;
use crate::bars::Bars;
use crate::failure::Failure;
use crate::options::{at_least_one, id};
use crate::output::{self, Output};
use crate::session::Session;

/// Upload, list, show and download records.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Encrypt files here and upload each as a new record.
    #[command(
        after_help = "Example:\n  chartseal --wallet ann.wallet record upload scan.dcm --term patient:q-4471 --term modality:mri --label 'Head'"
    )]
    Upload {
        /// The files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        description: Description,
    },
    /// Encrypt a file here and upload it as a new version of your record.
    #[command(
        after_help = "Example:\n  chartseal --wallet ann.wallet record version 01JDB3YQ7X0000000000000000 scan.dcm --term modality:mri"
    )]
    Version {
        /// The record.
        #[arg(value_parser = id)]
        record: Id,
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        description: Description,
    },
    /// List your provider's records; for operators, all.
    #[command(after_help = "Example:\n  chartseal --wallet ann.wallet record list --limit 20")]
    List {
        /// The newest so many.
        #[arg(long, default_value_t = 100, value_parser = at_least_one())]
        limit: usize,
    },
    /// Show a record and its versions.
    #[command(after_help = "Example:\n  chartseal --wallet ann.wallet record show 01JDB3YQ7X0000000000000000")]
    Show {
        /// The record.
        #[arg(value_parser = id)]
        record: Id,
    },
    /// Download, check and decrypt: your own record by its id, another's by the request that was approved.
    #[command(
        after_help = "Examples:\n  chartseal --wallet ann.wallet record download 01JDB3YQ7X0000000000000000 --out scan.dcm\n  chartseal --wallet bob.wallet record download --request 01JDB40000000000000000000 --out scan.dcm"
    )]
    Download(Download),
}

/// What is said about a file.
#[derive(Debug, Args)]
pub struct Description {
    /// What it is found by, `facet:value`; blinded before it leaves. Your own `provider:` term is added.
    #[arg(long = "term", value_name = "FACET:VALUE")]
    terms: Vec<Term>,
    /// Short for `--term type:KIND`.
    #[arg(long = "type", value_name = "KIND")]
    kind: Option<String>,
    /// What it is called; private, for the owner.
    #[arg(long)]
    label: Option<String>,
    /// Media type; by default guessed from the file's name.
    #[arg(long, value_name = "TYPE/SUBTYPE")]
    media_type: Option<String>,
}

/// What to download, and where to.
#[derive(Debug, Args)]
pub struct Download {
    /// Your own record.
    #[arg(required_unless_present = "request", value_parser = id)]
    record: Option<Id>,
    /// The request that was approved.
    #[arg(long, conflicts_with = "record", value_parser = id)]
    request: Option<Id>,
    /// Of your own record; by default the latest version.
    #[arg(long, value_name = "N", conflicts_with = "request")]
    version: Option<u32>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    force: bool,
}

impl Description {
    fn terms(&self) -> Result<Vec<Term>, Error> {
        let mut terms = self.terms.clone();
        if let Some(kind) = &self.kind {
            terms.push(Term::new(Facet::Type, kind)?);
        }
        Ok(terms)
    }

    fn of<'a>(&'a self, path: &'a Path, terms: &'a [Term]) -> NewRecord<'a> {
        let media_type = self.media_type.as_deref().unwrap_or_else(|| media::guess(path));
        NewRecord { path, media_type, label: self.label.as_deref(), terms }
    }
}

pub fn run(command: &Command, session: &Session, output: &Output) -> Answered {
    match command {
        Command::Upload { files, description } => upload(files, description, session, output),
        Command::Version { record, file, description } => {
            let terms = description.terms()?;
            description.of(file, &terms).check()?;
            let client = session.client()?;
            let one = timed(output, file, || {
                client.upload_version(*record, &description.of(file, &terms), &Bars::default())
            })?;
            Ok(json!({ "records": [one] }))
        }
        Command::List { limit } => list(*limit, &session.client()?, output),
        Command::Show { record } => show(*record, &session.client()?, output),
        Command::Download(arguments) => download(arguments, session, output),
    }
}

fn upload(files: &[PathBuf], description: &Description, session: &Session, output: &Output) -> Answered {
    let terms = description.terms()?;
    // All of them, before the passphrase is asked for and the first is sent.
    files.iter().try_for_each(|file| description.of(file, &terms).check())?;
    let client = session.client()?;
    let mut records = Vec::new();
    for file in files {
        let new = description.of(file, &terms);
        match timed(output, file, || client.upload(&new, &Bars::default())) {
            Ok(record) => records.push(record),
            // What is uploaded already must not be forgotten.
            Err(failure) => return Err(failure.after(json!({ "records": records }))),
        }
    }
    Ok(json!({ "records": records }))
}

fn timed(output: &Output, file: &Path, upload: impl FnOnce() -> Result<Uploaded, Error>) -> Result<Value, Failure> {
    let started = Instant::now();
    let uploaded = upload()?;
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Uploaded { record, version, sha256, plaintext_bytes, event } = &uploaded;
    output.say(format!("{}: record {record} version {version}, {plaintext_bytes} bytes in {ms} ms", file.display()));
    output.say(format!("  SHA-256  {sha256}"));
    output.say(format!("  event    {} {}", event.place, event.leaf));
    Ok(json!({
        "record": record,
        "version": version,
        "file": file,
        "event": output::event(event),
        "sha256": sha256,
        "bytes": plaintext_bytes,
        "ms": ms,
    }))
}

fn list(limit: usize, client: &Client, output: &Output) -> Answered {
    let records = client.records(limit)?;
    if records.is_empty() {
        output.say("no records");
    }
    for record in &records {
        output.say(format!("{} of {}", record.record, record.owner));
        record.versions.iter().for_each(|version| say_version(version, output));
    }
    Ok(json!({ "records": records }))
}

fn show(record: Id, client: &Client, output: &Output) -> Answered {
    let checked = client.record(record)?;
    output.say(format!("{record} of {}; its events hold up", checked.view.owner));
    checked.view.versions.iter().for_each(|version| say_version(version, output));
    let mut answer = output::without_evidence(&checked.view);
    answer["event"] = json!(checked.last_event().map(output::event));
    Ok(answer)
}

fn say_version(version: &RecordVersionView, output: &Output) {
    let label = version.label.as_deref().map(printable).unwrap_or_default();
    let media_type = version.media_type.as_deref().map(printable).unwrap_or_default();
    let when = output::time(version.uploaded_at.unwrap_or(version.created_at));
    output.say(format!("  version {} {}, {when}  {media_type}  {label}", version.version, printable(&version.state)));
}

fn download(arguments: &Download, session: &Session, output: &Output) -> Answered {
    let of = match (arguments.record, arguments.request) {
        (_, Some(request)) => DownloadOf::Request(request),
        (Some(record), None) => DownloadOf::Record(record, arguments.version),
        // The parser has seen to one of them.
        (None, None) => return Err(Failure::usage("no record is named", "Name a record, or say --request ID.")),
    };
    let done = session.client()?.download(of, &arguments.out, arguments.force, &Bars::default())?;
    output.say(format!(
        "{}: record {} version {}, {} bytes",
        arguments.out.display(),
        done.record,
        done.version,
        done.bytes
    ));
    output.say(format!("  SHA-256  {}", done.sha256));
    output.say(format!("  checked  {}", done.checks.join(", ")));
    Ok(json!({
        "record": done.record,
        "version": done.version,
        "media_type": done.media_type,
        "out": arguments.out,
        "sha256": done.sha256,
        "bytes": done.bytes,
        "checks": done.checks,
        "event": output::event(&done.event),
    }))
}
