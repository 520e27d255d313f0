//! The command line of `chartseal-node`. `chartseal witness` and `chartseal mirror` lead here.

use std::net::SocketAddr;
use std::path::PathBuf;

use chartseal_ledger::note::VerifierKey;
use clap::{Args, Parser, Subcommand};

/// Follow a vault's log, keep a copy of it, serve it, and, as a witness, cosign it.
#[derive(Debug, Parser)]
#[command(
    name = "chartseal-node",
    version,
    after_help = "docs/WITNESS.md says what a witness promises, and what to do after a loss.\n\nExit codes:\n  0  stopped by a signal\n  1  failed\n  2  the command line was wrong\n  3  the witness' state is lost or damaged: its key must not sign any more; or the vault's log key is not the one that was given\n  4  the vault could not be reached"
)]
pub struct Options {
    #[command(subcommand)]
    pub kind: KindCommand,
}

/// What the node is.
#[derive(Debug, Subcommand)]
pub enum KindCommand {
    /// A node that cosigns.
    #[command(subcommand)]
    Witness(WitnessCommand),
    /// A node that keeps and serves a copy.
    #[command(subcommand)]
    Mirror(MirrorCommand),
}

/// What a witness does.
#[derive(Debug, Subcommand)]
pub enum WitnessCommand {
    /// Make a witness' folder and key, and print its public key.
    #[command(
        after_help = "Example:\n  chartseal witness init /var/lib/witness --name witness.example/one --wallet auditor.wallet --passphrase-file pass"
    )]
    Init {
        /// The witness' name: an address without https:// is usual. It stands in every cosignature.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        first: Box<FirstContact>,
        #[command(flatten)]
        secrets: Secrets,
    },
    /// Follow, serve and cosign until a signal ends it.
    #[command(
        after_help = "Example:\n  chartseal witness run /var/lib/witness --listen 127.0.0.1:8300 --wallet auditor.wallet --passphrase-file pass"
    )]
    Run {
        #[command(flatten)]
        run: Service,
        #[command(flatten)]
        secrets: Secrets,
    },
}

/// What a mirror does.
#[derive(Debug, Subcommand)]
pub enum MirrorCommand {
    /// Make a mirror's folder.
    #[command(
        after_help = "Example:\n  chartseal mirror init /var/lib/mirror --api https://vault.example --hashes-only"
    )]
    Init {
        #[command(flatten)]
        first: Box<FirstContact>,
    },
    /// Follow and serve until a signal ends it.
    #[command(after_help = "Example:\n  chartseal mirror run /var/lib/mirror --listen 127.0.0.1:8301")]
    Run {
        #[command(flatten)]
        run: Service,
        #[command(flatten)]
        secrets: Secrets,
    },
}

/// How the node comes to know its vault.
#[derive(Debug, Args)]
pub struct FirstContact {
    /// The folder to make; one that holds something is refused.
    pub folder: PathBuf,
    /// An auditor's or operator's wallet: its vault is the one that is followed.
    #[arg(long, value_name = "FILE", env = "CHARTSEAL_WALLET")]
    pub wallet: Option<PathBuf>,
    /// The vault's address, where there is no wallet, or another address than the wallet's.
    #[arg(long, value_name = "URL", env = "CHARTSEAL_API")]
    pub api: Option<String>,
    /// The log's public key, which you have from elsewhere; the vault must say the same.
    #[arg(long, value_name = "VKEY", env = "CHARTSEAL_LOG_KEY")]
    pub log: Option<VerifierKey>,
    /// Check hashes alone, not what events say. Needs no account at the vault.
    #[arg(long)]
    pub hashes_only: bool,
}

/// How the node works.
#[derive(Debug, Args)]
pub struct Service {
    /// The folder that `init` has made.
    pub folder: PathBuf,
    /// Where to listen. Put a proxy with TLS before it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8300")]
    pub listen: SocketAddr,
    /// The wallet that reads events, unless the node checks hashes alone.
    #[arg(long, value_name = "FILE", env = "CHARTSEAL_WALLET")]
    pub wallet: Option<PathBuf>,
    /// Seconds between two looks at the vault. A checkpoint that is to be cosigned is looked for at once.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub poll_s: u64,
    /// Milliseconds that somebody who brings a checkpoint waits for this node to verify it.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 4000, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub follow_timeout_ms: u64,
}

/// Where passphrases are.
#[derive(Debug, Args)]
pub struct Secrets {
    /// A file whose first line is the passphrase of the witness' key, and of the wallet if that has none of its own. Without it: CHARTSEAL_PASSPHRASE.
    #[arg(long, value_name = "FILE", env = "CHARTSEAL_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// A file whose first line is the wallet's passphrase.
    #[arg(long, value_name = "FILE", env = "CHARTSEAL_WALLET_PASSPHRASE_FILE")]
    pub wallet_passphrase_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }
}
