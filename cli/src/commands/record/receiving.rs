//! `chartseal record download` and `export`.

use std::path::{Path, PathBuf};

use chartseal_cli::{DownloadOf, Error, ExportKey, KeyFile, State, UnfinishedDownload, printable};
use chartseal_events::Id;
use clap::Args;
use serde_json::json;

use super::Shown;
use crate::commands::Answered;
use crate::failure::Failure;
use crate::options::id;
use crate::output::{self, Output};
use crate::session::Session;

/// Which record.
#[derive(Debug, Args)]
pub struct Which {
    /// Your own record.
    #[arg(required_unless_present = "request", value_parser = id)]
    record: Option<Id>,
    /// The request that was approved.
    #[arg(long, conflicts_with = "record", value_parser = id)]
    request: Option<Id>,
    /// Of your own record; by default the latest version.
    #[arg(long, value_name = "N", conflicts_with = "request")]
    version: Option<u32>,
}

/// What to download, and where to.
#[derive(Debug, Args)]
pub struct Download {
    #[command(flatten)]
    which: Which,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    force: bool,
    /// Do not go on with what was broken off: fetch all of it again.
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    shown: Shown,
}

/// What to export, under which key, and where to.
#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    which: Which,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A file with your own key: 32 bytes, or 64 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Write a new key into the key file first; it must not be there.
    #[arg(long)]
    generate_key: bool,
    /// What the keyring calls the key.
    #[arg(long, value_name = "NAME", default_value = ExportKey::DEFAULT_NAME)]
    key_name: String,
    /// What the keyring calls the key's namespace.
    #[arg(long, value_name = "NAME", default_value = ExportKey::DEFAULT_NAMESPACE)]
    key_namespace: String,
    /// Replace the file if it is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    shown: Shown,
}

impl Which {
    fn of(&self) -> Result<DownloadOf, Failure> {
        match (self.record, self.request) {
            (_, Some(request)) => Ok(DownloadOf::Request(request)),
            (Some(record), None) => Ok(DownloadOf::Record(record, self.version)),
            // The parser has seen to one of them.
            (None, None) => Err(Failure::usage("no record is named", "Name a record, or say --request ID.")),
        }
    }
}

pub fn download(arguments: &Download, session: &Session, output: &Output) -> Answered {
    let Download { which, out, force, fresh, shown } = arguments;
    let of = which.of()?;
    let mut client = session.client()?;
    client.transfers.fresh = *fresh;
    let done = client.download(of, out, *force, &shown.bars())?;
    output.say(format!("{}: record {} version {}, {} bytes", out.display(), done.record, done.version, done.bytes));
    output.say(format!("  SHA-256  {}", done.sha256));
    output.say(format!("  checked  {}", done.checks.join(", ")));
    Ok(json!({
        "record": done.record,
        "version": done.version,
        "media_type": done.media_type,
        "out": out,
        "sha256": done.sha256,
        "bytes": done.bytes,
        "checks": done.checks,
        "event": output::event(&done.event),
    }))
}

pub fn downloads(discard: bool, output: &Output) -> Answered {
    let state = State::of_environment();
    let found = if discard { UnfinishedDownload::discard(&state)? } else { UnfinishedDownload::list(&state)? };
    if found.is_empty() {
        output.say("no unfinished downloads");
    }
    for one in &found {
        let gone = if discard { "removed: " } else { "" };
        let what = one.of.as_ref().map_or_else(
            || "of a record that is not noted".to_owned(),
            |of| format!("record {} version {} at {}", of.record, of.version, printable(&of.origin)),
        );
        let of_bytes = one.of.as_ref().map(|of| format!(" of {}", of.body_bytes)).unwrap_or_default();
        let last = one.received_at_ms.map(|at| format!(", the last at {}", output::time(at))).unwrap_or_default();
        output.say(format!("{gone}{what}"));
        output.say(format!("  {}{of_bytes} bytes kept, encrypted{last}", one.kept_bytes));
    }
    let of = |one: &UnfinishedDownload| {
        json!({
            "record": one.of.as_ref().map(|of| of.record),
            "version": one.of.as_ref().map(|of| of.version),
            "vault": one.of.as_ref().map(|of| &of.origin),
            "body_bytes": one.of.as_ref().map(|of| of.body_bytes),
            "kept_bytes": one.kept_bytes,
            "received_at": one.received_at_ms,
        })
    };
    Ok(json!({ "downloads": found.iter().map(of).collect::<Vec<_>>(), "discarded": discard }))
}

/// Whether two paths lead to one file, there or yet to be made.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    real(one).is_some() && real(one) == real(other)
}

pub fn export(arguments: &Export, session: &Session, output: &Output) -> Answered {
    let Export { which, out, key_file, generate_key, key_name, key_namespace, force, shown } = arguments;
    let of = which.of()?;
    ExportKey::check_names(key_namespace, key_name)?;
    if is_same_file(out, key_file) {
        // `--force` would replace the key by what only it opens.
        return Err(Error::FileExists(key_file.clone()).into());
    }
    let client = session.client()?;
    let key = if *generate_key { KeyFile::generate(key_file)? } else { KeyFile::read(key_file)? };
    if key.others_can_read {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("chartseal: others can read {}; give it the mode 0600\n", key_file.display()).as_bytes(),
        );
    }
    let key = ExportKey::new(key_namespace, key_name, &key)?;
    let exported = client.export(of, &key, out, *force, &shown.bars()).inspect_err(|_| {
        // Nothing is encrypted under it, and the same command should work again.
        if *generate_key {
            let _ = std::fs::remove_file(key_file);
        }
    })?;
    let done = &exported.download;
    output.say(format!(
        "{}: record {} version {}, {} bytes that hold {}",
        out.display(),
        done.record,
        done.version,
        exported.message_bytes,
        done.bytes
    ));
    output.say(format!("  opens with  Raw AES keyring, namespace {key_namespace}, name {key_name}"));
    output.say(format!("  SHA-256     {} when opened", done.sha256));
    output.say(format!("  checked     {}", done.checks.join(", ")));
    Ok(json!({
        "record": done.record,
        "version": done.version,
        "media_type": done.media_type,
        "out": out,
        "message_bytes": exported.message_bytes,
        "key_name": key_name,
        "key_namespace": key_namespace,
        "sha256": done.sha256,
        "bytes": done.bytes,
        "checks": done.checks,
        "event": output::event(&done.event),
    }))
}
