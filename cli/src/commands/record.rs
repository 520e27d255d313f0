//! `chartseal record`: upload, list, show, download, export, new versions, and what happened to them.

mod comparing;
mod history;
mod receiving;
mod sending;

use std::path::PathBuf;

use chartseal_cli::{Client, Transfers, printable};
use chartseal_events::Id;
use chartseal_events::wire::RecordVersionView;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Answered;
use crate::bars::{Bars, Show};
use crate::options::{at_least_one, id};
use crate::output::{self, Output};
use crate::session::Session;

use comparing::Compared;
use receiving::{Download, Export};
use sending::{Description, Uploads};

/// Upload, list, show, compare, download and export records.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Encrypt files here and upload each as a new record. What was broken off is gone on with.
    #[command(
        after_help = "Examples:\n  chartseal --wallet ann.wallet record upload scan.dcm --term patient:q-4471 --term modality:mri --label 'Head'\n  chartseal --wallet ann.wallet record upload ct.zip --parallel 8      # again after a crash: it resumes\n\nUntil it is done, the encrypted file is kept in $CHARTSEAL_STATE, else $XDG_STATE_HOME/chartseal or\n~/.local/state/chartseal, where as much room is needed as the file has."
    )]
    Upload {
        /// The files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        description: Description,
        #[command(flatten)]
        sending: Sending,
    },
    /// Encrypt a file here and upload it as a new version of your record. What was broken off is gone on with.
    #[command(
        after_help = "Example:\n  chartseal --wallet ann.wallet record version 01JDB3YQ7X0000000000000000 scan.dcm --term modality:mri"
    )]
    Version {
        /// The record.
        #[arg(value_parser = id)]
        record: Id,
        /// The file.
        file: PathBuf,
        /// If the latest version was begun elsewhere, or put aside, and did not arrive: make it of this file.
        #[arg(long)]
        take_over: bool,
        #[command(flatten)]
        description: Description,
        #[command(flatten)]
        sending: Sending,
    },
    /// List uploads that were begun on this machine and not finished, or put them aside. Needs no wallet.
    #[command(
        after_help = "Examples:\n  chartseal record uploads\n  chartseal record uploads --discard\n\nTo go on with one, give the command again that began it."
    )]
    Uploads(Uploads),
    /// List downloads that were broken off and are kept, encrypted, on this machine, or put them aside. Needs no wallet.
    #[command(
        after_help = "Examples:\n  chartseal record downloads\n  chartseal record downloads --discard\n\nTo go on with one, give the command again that began it. They go by themselves after a day."
    )]
    Downloads {
        /// Remove what is kept of them. What another chartseal is receiving stays.
        #[arg(long)]
        discard: bool,
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
    /// Show all that happened to a record, from its first version on, and who did it.
    #[command(
        after_help = "Examples:\n  chartseal --wallet ann.wallet record history 01JDB3YQ7X0000000000000000\n  chartseal --wallet ann.wallet record history 01JDB3YQ7X0000000000000000 --requests\n\nAn earlier version is had with `record download RECORD --version N`; two are compared with `record diff`."
    )]
    History {
        /// The record.
        #[arg(value_parser = id)]
        record: Id,
        /// Show the requests for it, too, with what happened to them, as far as the vault lists them.
        #[arg(long)]
        requests: bool,
    },
    /// Say what differs between two versions of a record: members in JSON, lines in text. Both are downloaded and checked; nothing is written to the disk.
    #[command(
        after_help = "Examples:\n  chartseal --wallet ann.wallet record diff 01JDB3YQ7X0000000000000000            # the latest two\n  chartseal --wallet ann.wallet record diff 01JDB3YQ7X0000000000000000@1 01JDB3YQ7X0000000000000000@3\n  chartseal --wallet bob.wallet record diff request/01JDB40000000000000000000 request/01JDB50000000000000000000\n\nEnds with 0 whether they differ or not; `--json` has `same`."
    )]
    Diff(Compared),
    /// Download, check and decrypt: your own record by its id, another's by the request that was approved. What was broken off is gone on with.
    #[command(
        after_help = "Examples:\n  chartseal --wallet ann.wallet record download 01JDB3YQ7X0000000000000000 --out scan.dcm\n  chartseal --wallet bob.wallet record download --request 01JDB40000000000000000000 --out scan.dcm"
    )]
    Download(Download),
    /// Download and check, and write one file that official AWS Encryption SDKs open with a key of yours, without the vault.
    #[command(
        after_help = "Example:\n  chartseal --wallet ann.wallet record export 01JDB3YQ7X0000000000000000 --key-file archive.key --generate-key --out scan.esdk\n\nThe file opens with a Raw AES keyring (AES-256-GCM, no padding) of the same key, name and namespace. The record is never on the\ndisk in the clear. Whoever has the key file and the export reads the record: keep them apart."
    )]
    Export(Export),
}

/// How files are sent.
#[derive(Debug, Args)]
pub struct Sending {
    /// Send so many parts of 64 MiB at the same time.
    #[arg(long, value_name = "N", default_value_t = Transfers::DEFAULT_PARALLEL as u64, value_parser = clap::value_parser!(u64).range(1..=Transfers::MAX_PARALLEL as u64))]
    parallel: u64,
    /// Do not go on with what was broken off: encrypt and send all of it again.
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    shown: Shown,
}

/// How progress is shown.
#[derive(Debug, Args)]
pub struct Shown {
    /// How progress is shown, on standard error.
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    progress: Show,
}

impl Shown {
    fn bars(&self) -> Bars {
        Bars::new(self.progress)
    }
}

pub fn run(command: &Command, session: &Session, output: &Output) -> Answered {
    match command {
        Command::Upload { files, description, sending } => {
            sending::upload(files, description, sending, session, output)
        }
        Command::Version { record, file, take_over, description, sending } => {
            let target = (*record, *take_over);
            sending::version(target, file, description, sending, session, output)
        }
        Command::Uploads(arguments) => sending::uploads(arguments, output),
        Command::Downloads { discard } => receiving::downloads(*discard, output),
        Command::List { limit } => list(*limit, &session.client()?, output),
        Command::Show { record } => show(*record, &session.client()?, output),
        Command::History { record, requests } => history::show(*record, *requests, &session.client()?, output),
        Command::Diff(arguments) => comparing::diff(arguments, &session.client()?, output),
        Command::Download(arguments) => receiving::download(arguments, session, output),
        Command::Export(arguments) => receiving::export(arguments, session, output),
    }
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
    Ok(json!({ "records": output::view(&records) }))
}

fn show(record: Id, client: &Client, output: &Output) -> Answered {
    let checked = client.record(record)?;
    output.say(format!("{record} of {}; its events hold up", checked.view.owner));
    checked.view.versions.iter().for_each(|version| say_version(version, output));
    let mut answer = output::view(&checked.view);
    answer["event"] = json!(checked.last_event().map(output::event));
    Ok(answer)
}

fn say_version(version: &RecordVersionView, output: &Output) {
    let label = version.label.as_ref().map(|label| printable(&label.value)).unwrap_or_default();
    let media_type = version.media_type.as_deref().map(printable).unwrap_or_default();
    let when = output::time(version.uploaded_at.unwrap_or(version.created_at));
    output.say(format!("  version {} {}, {when}  {media_type}  {label}", version.version, printable(&version.state)));
}
