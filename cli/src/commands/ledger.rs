//! `chartseal ledger`, `chartseal receipt`, `chartseal verify`: what the vault's log says, and proofs that are kept.

mod block;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chartseal_cli::{Error, Heads, ProvenEvent, State, Tampering, Which, machine_s, read_receipts, verify_proof_file};
use chartseal_events::EventRef;
use chartseal_ledger::note::VerifierKey;
use chartseal_ledger::policy::{Accepted, Freshness, Policy};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Answered;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::session::Session;

/// What a proof file's name ends with.
const PROOF: &str = "tlog-proof";

/// The vault's log: its key, its newest checkpoint, its blocks.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Print the log's public key: all that `chartseal verify` needs.
    #[command(
        after_help = "Example:\n  chartseal --wallet ann.wallet ledger key > vault.vkey\n  chartseal --wallet ann.wallet ledger key --clock > clock.vkey"
    )]
    Key {
        /// The key of the log's clock instead, which says when a checkpoint was the newest.
        #[arg(long)]
        clock: bool,
    },
    /// Show a block: its header and its events' leaf hashes. The header is checked against the leaf hashes, and not that it is in the log.
    #[command(after_help = "Example:\n  chartseal --wallet ann.wallet ledger block 0")]
    Block {
        /// How many blocks are before it.
        height: u64,
        /// What the events are, too: for operators and auditors.
        #[arg(long)]
        events: bool,
    },
    /// Get the newest checkpoint and check who signed it, that it is fresh, and that the log only grew since the last one that was seen.
    #[command(
        after_help = "With --witness it is the newest checkpoint that the vault's witnesses have cosigned.\nWhat was seen is kept in the state folder (CHARTSEAL_STATE).\n\nExample:\n  chartseal --wallet ann.wallet ledger checkpoint\n\nEnds with 3 where the log was rolled back or forked, or the checkpoint is old."
    )]
    Checkpoint {
        /// Take it however old it is.
        #[arg(long)]
        any_age: bool,
        #[command(flatten)]
        witnesses: Witnesses,
    },
}

/// Receipts, which `--receipts FILE` keeps.
#[derive(Debug, Subcommand)]
pub enum Receipts {
    /// Wait until the receipts' events are sealed, and write a proof file for each.
    #[command(
        after_help = "Example:\n  chartseal --wallet ann.wallet --receipts ann.receipts record upload scan.dcm\n  chartseal --wallet ann.wallet receipt wait ann.receipts --out proofs"
    )]
    Wait {
        /// The file of receipts.
        receipts: PathBuf,
        /// The folder for the proof files; by default the receipts' own.
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
        /// Seconds to wait for each.
        #[arg(long, value_name = "SECONDS", default_value_t = 120)]
        timeout: u64,
        #[command(flatten)]
        witnesses: Witnesses,
    },
}

/// Check proof files with the log's public key and nothing else: no network, no wallet, no account.
#[derive(Debug, Args)]
#[command(
    after_help = "The file is a C2SP tlog-proof: other tools can check its inclusion proof too.\n\nExample:\n  chartseal verify --key \"$(cat vault.vkey)\" proofs/*.tlog-proof\n\nEnds with 0 when every file proves its event, and with 3 when one does not."
)]
pub struct Verify {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The log's public key, as `chartseal ledger key` prints it.
    #[arg(long, value_name = "VKEY", env = "CHARTSEAL_LOG_KEY")]
    key: VerifierKey,
    /// The public key of the log's clock, as `chartseal ledger key --clock` prints it: then it is said until when the event was in the log at the latest.
    #[arg(long, value_name = "VKEY")]
    clock: Option<VerifierKey>,
    #[command(flatten)]
    witnesses: Witnesses,
}

/// Whose word is wanted beside the log's.
#[derive(Debug, Args)]
pub struct Witnesses {
    /// A witness' public key (C2SP vkey for cosignature/v1). May be said several times.
    #[arg(long = "witness", value_name = "VKEY")]
    keys: Vec<VerifierKey>,
    /// How many of the witnesses must have cosigned; by default all of them.
    #[arg(long, value_name = "K")]
    quorum: Option<usize>,
}

impl Witnesses {
    pub fn policy(&self, log: VerifierKey, clock: Option<VerifierKey>) -> Result<Policy, Failure> {
        Policy::new(log, clock, self.keys.clone(), self.quorum()).map_err(|error| {
            Failure::usage(
                format!("these keys make no policy: {error}"),
                "Look at --key, --clock, --witness and --quorum.",
            )
        })
    }

    fn quorum(&self) -> usize {
        self.quorum.unwrap_or(self.keys.len())
    }

    /// The head that these are asked of.
    fn which(&self) -> Which {
        if self.quorum() == 0 { Which::Newest } else { Which::Cosigned }
    }
}

pub fn run(command: &Ledger, session: &Session, output: &Output) -> Answered {
    let vault = session.vault()?;
    match command {
        Ledger::Block { height, events } => block::run(*height, *events, session, output),
        Ledger::Key { clock } => {
            let (key, clock_key) = (vault.log_key()?, vault.clock_key()?);
            output.say(if *clock { clock_key.to_string() } else { key.to_string() });
            Ok(json!({ "origin": vault.origin(), "key": key.to_string(), "clock_key": clock_key.to_string() }))
        }
        Ledger::Checkpoint { any_age, witnesses } => {
            let policy = witnesses.policy(vault.log_key()?, Some(vault.clock_key()?))?;
            let fresh = (!any_age).then(|| (machine_s(), Freshness::DEFAULT));
            let heads = Heads::of(&vault, State::of_environment());
            let followed = heads.follow(witnesses.which(), &policy, fresh).map_err(|error| told(error, &heads));
            let Some(accepted) = followed? else {
                let cosigned = witnesses.which() == Which::Cosigned;
                output.say(if cosigned { "nothing is cosigned yet" } else { "nothing is sealed yet" });
                return Ok(json!({ "origin": vault.origin(), "size": 0 }));
            };
            let checkpoint = &accepted.checkpoint;
            output.say(format!("{}: {} leaves", checkpoint.origin(), checkpoint.size()));
            output.say(format!("  root  {}", checkpoint.root()));
            output.say(format!("  signed by the log's key{}", cosigned(&accepted)));
            if let Some(at_s) = accepted.cosigned_s.last() {
                output.say(format!("  the head at {}", output::time(at_s.saturating_mul(1_000))));
            }
            let (origin, size, root) = (checkpoint.origin(), checkpoint.size(), checkpoint.root());
            let (witnesses, cosigned_at) = (&accepted.witnesses, &accepted.cosigned_s);
            Ok(
                json!({ "origin": origin, "size": size, "root": root, "witnesses": witnesses, "cosigned_at": cosigned_at }),
            )
        }
    }
}

pub fn receipts(command: &Receipts, session: &Session, output: &Output) -> Answered {
    let Receipts::Wait { receipts, out, timeout, witnesses } = command;
    let all = read_receipts(receipts)?;
    let vault = session.vault()?;
    let policy = witnesses.policy(vault.log_key()?, Some(vault.clock_key()?))?;
    let heads = Heads::of(&vault, State::of_environment());
    let folder = out.as_deref().or_else(|| receipts.parent()).unwrap_or(Path::new(""));
    std::fs::create_dir_all(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        .map_err(|source| Error::File { path: folder.to_owned(), source })?;
    let mut done = Vec::new();
    for receipt in &all {
        let after = |error: Error| Failure::from(error).after(json!({ "proofs": done.clone() }));
        let (proof, proven) = vault.wait_proof(&policy, receipt, Duration::from_secs(*timeout)).map_err(after)?;
        let held = heads.hold(&proof.checkpoint, &proven.proven.accepted.checkpoint);
        held.map_err(|error| told(error, &heads).after(json!({ "proofs": done.clone() })))?;
        let path = folder.join(file_name(&proven.event.place));
        write(&path, proof.to_file().to_string().as_bytes()).map_err(after)?;
        say(&path, &proven, output);
        done.push(described(&path, &proven));
    }
    if all.is_empty() {
        output.say("the file holds no receipts");
    }
    Ok(json!({ "proofs": done }))
}

pub fn verify(arguments: &Verify, output: &Output) -> Answered {
    let policy = arguments.witnesses.policy(arguments.key.clone(), arguments.clock.clone())?;
    let mut done = Vec::new();
    for path in &arguments.files {
        let proven = verify_proof_file(path, &policy).map_err(|error| {
            let mut failure = Failure::from(error).after(json!({ "proofs": done.clone() }));
            if !failure.what.contains(&path.display().to_string()) {
                failure.what = format!("{}: {}", path.display(), failure.what);
            }
            failure
        })?;
        say(path, &proven, output);
        done.push(described(path, &proven));
    }
    Ok(json!({ "proofs": done }))
}

/// `record-01JD...-3.tlog-proof`
fn file_name(place: &EventRef) -> String {
    format!("{}-{}.{PROOF}", place.stream.to_string().replace('/', "-"), place.seq)
}

/// A file that is whole or not there: the new one takes an older one's place.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    std::io::Write::write_all(&mut file, bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error)).map(drop)
}

/// Of a fork, where both heads are kept.
fn told(error: Error, heads: &Heads) -> Failure {
    let forked = matches!(error, Error::Tampered(Tampering::Forked { .. }));
    let mut failure = Failure::from(error);
    if let Some(path) = heads.contradiction().filter(|_| forked) {
        failure.what = format!("{}; both are kept in {}", failure.what, path.parent().unwrap_or(&path).display());
    }
    failure
}

fn cosigned(accepted: &Accepted) -> String {
    if accepted.witnesses.is_empty() { String::new() } else { format!(" and by {}", accepted.witnesses.join(", ")) }
}

fn say(path: &Path, ProvenEvent { event, proven }: &ProvenEvent, output: &Output) {
    let (place, seal) = (event.place, &proven.seal);
    output.say(format!("{}: {} is event {} of {}", path.display(), event.outcome.typ(), place.seq, place.stream));
    output.say(format!("  accepted  {}", output::time(event.at_ms)));
    output.say(format!("  sealed    {}, block {}", output::time(seal.timestamp_ms()), seal.height()));
    let size = proven.accepted.checkpoint.size();
    let origin = proven.accepted.checkpoint.origin();
    output.say(format!(
        "  log       leaf {} of {size}, signed by {origin}{}",
        proven.index,
        cosigned(&proven.accepted)
    ));
    if let Some(at_s) = proven.accepted.cosigned_s.first() {
        output.say(format!("  in it     no later than {}", output::time(at_s.saturating_mul(1_000))));
    }
}

fn described(path: &Path, ProvenEvent { event, proven }: &ProvenEvent) -> Value {
    json!({
        "file": path,
        "type": event.outcome.typ(),
        "event": output::event(event),
        "at": event.at_ms,
        "sealed_at": proven.seal.timestamp_ms(),
        "height": proven.seal.height(),
        "index": proven.index,
        "size": proven.accepted.checkpoint.size(),
        "origin": proven.accepted.checkpoint.origin(),
        "witnesses": proven.accepted.witnesses,
        "cosigned_at": proven.accepted.cosigned_s,
    })
}
