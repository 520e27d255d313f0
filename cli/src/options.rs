//! The command line: what stands before the command, and the groups of commands.

use std::path::PathBuf;

use chartseal_events::Id;
use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::commands::{audit, ledger, node, operator, provider, record, request, search, wallet};

const AFTER: &str = "\
Exit codes:
  0  done
  1  refused, or failed here
  2  the command line was wrong
  3  tampering was noticed: something that came back is not what it must be
  4  the vault could not be reached, or the time was over: the same again may work

Environment:
  CHARTSEAL_PASSPHRASE  the wallet's passphrase, if there is no --passphrase-file
  CHARTSEAL_RECEIPTS    the file that receipts are added to, if there is no --receipts
  CHARTSEAL_STATE       the folder where unfinished transfers are kept, encrypted; by default
                        chartseal in $XDG_STATE_HOME or ~/.local/state

Examples:
  chartseal wallet create --out ann.wallet
  chartseal --wallet ann.wallet record upload scan.dcm --term modality:mri --term body:brain
  chartseal --wallet bob.wallet search 'modality:mri AND body:brain'";

const AUDIT: &str = "\
Without --store the vault's whole log is replayed from its first event on: every block, link, signature and
decision, and the map. It needs an operator's or auditor's wallet. With --copy it goes on where it was
stopped, at any moment, and from one audit to the next.

Example:
  chartseal --wallet eve.wallet audit --copy audit-copy
  chartseal audit --copy audit-copy --from-copy --key \"$(cat vault.vkey)\"
  aws cloudformation describe-stacks --stack-name chartseal > stack.json
  chartseal audit --store --outputs stack.json

Ends with 0 (sound), 3 (there are findings) or 4 (the vault or the store could not be read).";

const WITNESS: &str = "\
Example:
  chartseal witness init /var/lib/witness --name witness.example/one --wallet auditor.wallet --passphrase-file pass
  chartseal witness run /var/lib/witness --wallet auditor.wallet --passphrase-file pass";

const MIRROR: &str = "\
Example:
  chartseal mirror init /var/lib/mirror --api https://vault.example --hashes-only
  chartseal mirror run /var/lib/mirror";

/// Share patient records through a vault that need not be trusted blindly.
#[derive(Debug, Parser)]
#[command(name = "chartseal", version, after_help = AFTER, subcommand_required = true)]
pub struct Options {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Group,
}

/// What every command takes.
#[derive(Debug, Args)]
pub struct Globals {
    /// The wallet file.
    #[arg(long, global = true, value_name = "FILE", env = "CHARTSEAL_WALLET")]
    pub wallet: Option<PathBuf>,
    /// A file whose first line is the wallet's passphrase.
    #[arg(long, global = true, value_name = "FILE", env = "CHARTSEAL_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// The vault's address; by default the one the wallet is connected to.
    #[arg(long, global = true, value_name = "URL", env = "CHARTSEAL_API")]
    pub api: Option<String>,
    /// Keep the receipts of what the vault takes: one line of JSON each, added at the file's end.
    #[arg(long, global = true, value_name = "FILE", env = "CHARTSEAL_RECEIPTS")]
    pub receipts: Option<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The groups of commands.
#[derive(Debug, Subcommand)]
pub enum Group {
    /// Make a wallet, or see whose one is.
    #[command(subcommand)]
    Wallet(wallet::Command),
    /// For the vault's operators: their wallets and their circle.
    #[command(subcommand)]
    Operator(operator::Command),
    /// Invite, register, verify and show providers.
    #[command(subcommand)]
    Provider(provider::Command),
    /// Upload, list, show and download records.
    #[command(subcommand)]
    Record(record::Command),
    /// Find records of other providers.
    Search(search::Arguments),
    /// Ask for access to a record, and decide on requests.
    #[command(subcommand)]
    Request(request::Command),
    /// See the vault's log: its key, its newest checkpoint.
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Turn the receipts of commands into proof files.
    #[command(subcommand)]
    Receipt(ledger::Receipts),
    /// Check proof files, with the log's public key and nothing else.
    Verify(Box<ledger::Verify>),
    /// Replay the vault's log, or account for everything that its tables and bucket hold.
    #[command(after_help = AUDIT)]
    Audit(audit::Arguments),
    /// Follow the log, keep a copy, and cosign what is verified (docs/WITNESS.md).
    #[command(after_help = WITNESS, disable_help_flag = true)]
    Witness(node::Arguments),
    /// Follow the log and keep a copy that others can read.
    #[command(after_help = MIRROR, disable_help_flag = true)]
    Mirror(node::Arguments),
    /// Print a script that completes commands in your shell.
    #[command(after_help = "Example:\n  chartseal completions bash > /etc/bash_completion.d/chartseal")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Reads an id, and says in a person's words what is wrong with another text.
pub fn id(text: &str) -> Result<Id, &'static str> {
    text.parse().map_err(|_| "it is not an id: 26 upper-case characters as the vault printed them")
}

/// Reads how many of something are wanted.
pub fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// A day in seconds.
pub const DAY_S: u64 = 24 * 3_600;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command) {
            let leaf = command.get_subcommands().next().is_none();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(!leaf || help.contains("Example"), "{} has no example", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Options::command());
    }
}
