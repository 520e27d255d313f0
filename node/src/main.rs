//! The binary `chartseal-node`: reads the command line, makes a node or runs one. See `chartseal-node --help`.
#![forbid(unsafe_code)]

mod options;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chartseal_cli::{Client, Exit, Passphrase, Patience, Vault, WalletFile};
use chartseal_node::begin::{BeginError, Beginning};
use chartseal_node::config::{Config, Kind, Mode};
use chartseal_node::content::{Content, Replayed};
use chartseal_node::copy::LogCopy;
use chartseal_node::durable;
use chartseal_node::follower::Follower;
use chartseal_node::journal::{self, Level};
use chartseal_node::key::WitnessKey;
use chartseal_node::node::Node;
use chartseal_node::server::Server;
use chartseal_node::source::VaultSource;
use chartseal_node::witness::{StateError, Witness};
use clap::Parser as _;
use options::{FirstContact, KindCommand, MirrorCommand, Options, Secrets, Service, WitnessCommand};
use zeroize::Zeroizing;

/// Longest passphrase.
const MAX_PASSPHRASE_BYTES: u64 = 4096;
/// How long one answer with events is tried for.
const READ_PATIENCE: Duration = Duration::from_secs(5);
const PASSPHRASE_VARIABLE: &str = "CHARTSEAL_PASSPHRASE";

type Failed = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let outcome = match Options::parse().kind {
        KindCommand::Witness(WitnessCommand::Init { name, first, secrets }) => init_witness(&name, &first, &secrets),
        KindCommand::Mirror(MirrorCommand::Init { first }) => init_mirror(&first),
        KindCommand::Witness(WitnessCommand::Run { run, secrets }) => serve(&run, &secrets, Kind::Witness),
        KindCommand::Mirror(MirrorCommand::Run { run, secrets }) => serve(&run, &secrets, Kind::Mirror),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "chartseal-node: {error}");
            ExitCode::from(exit_of(error.as_ref()) as u8)
        }
    }
}

fn exit_of(error: &(dyn std::error::Error + 'static)) -> Exit {
    if let Some(StateError::Lost(_) | StateError::Damaged(_)) = error.downcast_ref() {
        return Exit::Tampering;
    }
    match error.downcast_ref() {
        Some(BeginError::Client(error)) => error.exit(),
        Some(BeginError::NoVault | BeginError::NoWallet) => Exit::Usage,
        Some(BeginError::OtherLog(_)) => Exit::Tampering,
        _ => Exit::Failed,
    }
}

fn beginning(first: &FirstContact) -> Beginning<'_> {
    Beginning {
        folder: &first.folder,
        wallet: first.wallet.as_deref(),
        api: first.api.as_deref(),
        log: first.log.as_ref(),
        mode: if first.hashes_only { Mode::HashesOnly } else { Mode::Full },
    }
}

fn init_witness(name: &str, first: &FirstContact, secrets: &Secrets) -> Result<(), Failed> {
    let (config, key) = beginning(first).witness(name, &passphrase(secrets.passphrase_file.as_deref())?)?;
    let mut out = std::io::stdout().lock();
    // The key alone on standard output: `> witness.vkey`.
    writeln!(out, "{key}")?;
    said(&config, first);
    Ok(())
}

fn init_mirror(first: &FirstContact) -> Result<(), Failed> {
    let config = beginning(first).mirror()?;
    said(&config, first);
    Ok(())
}

fn said(config: &Config, first: &FirstContact) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "made in {}: follows {} at {}", first.folder.display(), config.log, config.vault.api);
    if first.log.is_none() && first.wallet.is_none() {
        let _ = writeln!(
            err,
            "The log's key was taken from the vault itself. Compare it with the one that others have, before the first run."
        );
    }
}

fn serve(run: &Service, secrets: &Secrets, kind: Kind) -> Result<(), Failed> {
    let config = Config::load(&run.folder)?;
    if config.kind != kind {
        return Err(format!("{} holds another kind of node", run.folder.display()).into());
    }
    let _lock = durable::lock(&run.folder)?;
    let witness = match kind {
        Kind::Witness => {
            let key = WitnessKey::open(&run.folder, &passphrase(secrets.passphrase_file.as_deref())?)?;
            Some(Witness::open(&run.folder, key, config.log.clone())?)
        }
        Kind::Mirror => None,
    };
    let (source, content): (_, Option<Box<dyn Content>>) = match config.mode {
        Mode::HashesOnly => (VaultSource::hashes(Vault::new(config.vault.clone())?), None),
        Mode::Full => {
            let judge = Replayed::open(&run.folder.join("events"), &config.log, config.vault.genesis)?;
            (VaultSource::full(reader(run, secrets, &config)?), Some(Box::new(judge)))
        }
    };
    let copy = LogCopy::open(&run.folder.join("copy"))?;
    let server = Server::bind(run.listen)?;
    let (mode, origin) = (config.mode, config.log.name().to_owned());
    let size = copy.verified_size();
    let node = Arc::new(Node::new(config, &run.folder, copy, witness)?);
    let fields = [
        ("listen", server.address()?.to_string().into()),
        ("log.origin", origin.into()),
        ("log.size", size.into()),
        ("mode", if mode == Mode::Full { "full" } else { "hashes-only" }.into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
    ];
    let following = Arc::clone(&node);
    let poll = Duration::from_secs(run.poll_s);
    // Not waited for at the end: it may be in a call to the vault, and whatever it writes is whole or not there.
    std::thread::Builder::new()
        .name("follower".to_owned())
        .spawn(move || Follower::new(&following, source, content).run(poll))?;
    journal::line(Level::Info, "listening", fields);
    Ok(server.run(&node, Duration::from_millis(run.follow_timeout_ms))?)
}

fn reader(run: &Service, secrets: &Secrets, config: &Config) -> Result<Client, Failed> {
    let wallet = run.wallet.as_deref().ok_or("this node reads events: say --wallet FILE")?;
    let file = WalletFile::read(wallet)?;
    let passphrase_file = secrets.wallet_passphrase_file.as_deref().or(secrets.passphrase_file.as_deref());
    let wallet = file.open(&passphrase(passphrase_file)?)?;
    // The wallet must be for the vault that was met.
    match &wallet.vault {
        Some(pin) if pin.genesis == config.vault.genesis && pin.origin == config.vault.origin => {}
        _ => return Err("the wallet is for another vault than this node".into()),
    }
    // The follower has patience of its own: what does not get through soon is asked for at the next look.
    let patience = Patience { total: READ_PATIENCE, ..Patience::default() };
    Ok(Client::new(Vault::new(config.vault.clone())?.with_patience(patience), wallet))
}

/// The first line of a file, or the environment's. It is never asked for: a node starts without anybody there.
fn passphrase(path: Option<&Path>) -> Result<Passphrase, Failed> {
    let Some(path) = path else {
        let text = std::env::var(PASSPHRASE_VARIABLE);
        let missing = || format!("no passphrase: say --passphrase-file FILE, or set {PASSPHRASE_VARIABLE}");
        return Ok(Passphrase::new(text.map_err(|_| missing())?));
    };
    let failed = |error| format!("{}: {error}", path.display());
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_PASSPHRASE_BYTES).read_to_string(&mut text).map_err(failed)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Passphrase::new(line)),
        _ => Err(format!("{}: its first line is empty", path.display()).into()),
    }
}
