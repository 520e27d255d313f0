//! `chartseal record upload`, `version` and `uploads`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use chartseal_cli::{Client, Error, NewRecord, State, Unfinished, Uploaded, media};
use chartseal_events::Id;
use chartseal_ledger::terms::{Facet, Term};
use clap::Args;
use serde_json::{Value, json};

use super::Sending;
use crate::commands::Answered;
use crate::failure::Failure;
use crate::options::id;
use crate::output::{self, Output};
use crate::session::Session;

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

/// Which unfinished uploads, and what to do with them.
#[derive(Debug, Args)]
pub struct Uploads {
    /// Of this record only.
    #[arg(value_parser = id)]
    record: Option<Id>,
    /// Remove what is kept of them. What another chartseal is sending stays.
    #[arg(long)]
    discard: bool,
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

impl Sending {
    fn client(&self, session: &Session) -> Result<Client, Failure> {
        let mut client = session.client()?;
        // The parser has seen to its bounds.
        client.transfers.parallel = usize::try_from(self.parallel).unwrap_or(1);
        client.transfers.fresh = self.fresh;
        Ok(client)
    }
}

pub fn upload(
    files: &[PathBuf],
    description: &Description,
    sending: &Sending,
    session: &Session,
    output: &Output,
) -> Answered {
    let terms = description.terms()?;
    // All of them, before the passphrase is asked for and the first is sent.
    files.iter().try_for_each(|file| description.of(file, &terms).check())?;
    let client = sending.client(session)?;
    let bars = sending.shown.bars();
    let mut records = Vec::new();
    for file in files {
        let new = description.of(file, &terms);
        match timed(output, file, || client.upload(&new, &bars)) {
            Ok(record) => records.push(record),
            // What is uploaded already must not be forgotten.
            Err(failure) => return Err(failure.after(json!({ "records": records }))),
        }
    }
    Ok(json!({ "records": records }))
}

pub fn version(
    (record, take_over): (Id, bool),
    file: &Path,
    description: &Description,
    sending: &Sending,
    session: &Session,
    output: &Output,
) -> Answered {
    let terms = description.terms()?;
    let new = description.of(file, &terms);
    new.check()?;
    let mut client = sending.client(session)?;
    client.transfers.take_over = take_over;
    let bars = sending.shown.bars();
    let one = timed(output, file, || client.upload_version(record, &new, &bars))?;
    Ok(json!({ "records": [one] }))
}

fn timed(output: &Output, file: &Path, upload: impl FnOnce() -> Result<Uploaded, Error>) -> Result<Value, Failure> {
    let started = Instant::now();
    let uploaded = upload()?;
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Uploaded { record, version, sha256, plaintext_bytes, resumed, event } = &uploaded;
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
        "resumed": resumed,
        "ms": ms,
    }))
}

pub fn uploads(arguments: &Uploads, output: &Output) -> Answered {
    let state = State::of_environment();
    let found = if arguments.discard {
        Unfinished::discard(&state, arguments.record)?
    } else {
        let mut all = Unfinished::list(&state)?;
        all.retain(|one| arguments.record.is_none_or(|record| record == one.record));
        all
    };
    if found.is_empty() {
        output.say("no unfinished uploads");
    }
    for one in &found {
        let gone = if arguments.discard { "removed: " } else { "" };
        let until = one.expires_at_ms.map(|at| format!(", awaited until {}", output::time(at))).unwrap_or_default();
        output.say(format!("{gone}record {} version {} at {}", one.record, one.version, one.origin));
        let begun = output::time(one.begun_at_ms);
        output.say(format!("  {}, begun {begun}{until}, {} bytes kept", one.stage, one.kept_bytes));
        if arguments.discard {
            output.say("  the vault goes on to list this version, without a body unless all of it was sent; it cannot be sent any more");
            output.say(format!(
                "  another file as that version: chartseal record version {} FILE --take-over",
                one.record
            ));
        }
    }
    let of = |one: &Unfinished| {
        json!({
            "record": one.record,
            "version": one.version,
            "vault": one.origin,
            "stage": one.stage,
            "media_type": one.media_type,
            "body_bytes": one.body_bytes,
            "kept_bytes": one.kept_bytes,
            "begun_at": one.begun_at_ms,
            "expires_at": one.expires_at_ms,
        })
    };
    Ok(json!({ "uploads": found.iter().map(of).collect::<Vec<_>>(), "discarded": arguments.discard }))
}
