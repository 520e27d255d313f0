//! `chartseal operator`: an operator's wallet, who else is one, and who is an auditor.

use std::path::PathBuf;

use chartseal_cli::{Client, Error, Vault, Wallet};
use chartseal_events::{Bytes, Thumbprint};
use clap::Subcommand;
use serde_json::json;

use super::Answered;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::session::Session;

/// For the vault's operators: their wallets and their circle.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an operator's wallet; its key goes into the stack's OperatorKeys parameter. An auditor's wallet is made the same way.
    #[command(after_help = "Example:\n  chartseal operator init --out operator.wallet")]
    Init {
        /// The file to write; one that is there is not replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Connect the wallet to a deployed vault: check it, and pin its genesis event. Needs --api.
    #[command(
        after_help = "Example:\n  chartseal --wallet operator.wallet operator connect --api https://vault.example"
    )]
    Connect,
    /// Make another key an operator's.
    #[command(
        after_help = "Example:\n  chartseal --wallet operator.wallet operator add 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    )]
    Add {
        /// The `operator_key` that `operator init` printed.
        key: Bytes<32>,
    },
    /// Take an operator's rights away.
    #[command(
        after_help = "Example:\n  chartseal --wallet operator.wallet operator remove kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k --reason 'left the team'"
    )]
    Remove {
        /// The operator's `kid`.
        kid: Thumbprint,
        /// Why; kept beside the event, for operators.
        #[arg(long)]
        reason: String,
    },
    /// Let a key read what operators read, and do nothing else: an auditor's.
    #[command(
        name = "add-auditor",
        after_help = "Example:\n  chartseal operator init --out auditor.wallet\n  chartseal --wallet operator.wallet operator add-auditor 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    )]
    AddAuditor {
        /// The `operator_key` that `operator init` printed for the auditor's wallet.
        key: Bytes<32>,
    },
    /// Take an auditor's rights away.
    #[command(
        name = "remove-auditor",
        after_help = "Example:\n  chartseal --wallet operator.wallet operator remove-auditor kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k --reason 'the audit is over'"
    )]
    RemoveAuditor {
        /// The auditor's `kid`.
        kid: Thumbprint,
        /// Why; kept beside the event, for operators.
        #[arg(long)]
        reason: String,
    },
}

pub fn run(command: &Command, session: &Session, output: &Output) -> Answered {
    match command {
        Command::Init { out } => init(out, session, output),
        Command::Connect => connect(session, output),
        Command::Add { key } => {
            let event = session.client()?.add_operator(*key)?;
            let kid = Thumbprint::of(key);
            output.say(format!("{kid} is an operator now"));
            Ok(json!({ "kid": kid, "event": output::event(&event) }))
        }
        Command::Remove { kid, reason } => {
            let event = session.client()?.remove_operator(*kid, reason)?;
            output.say(format!("{kid} is no longer an operator"));
            Ok(json!({ "kid": kid, "event": output::event(&event) }))
        }
        Command::AddAuditor { key } => {
            let event = session.client()?.add_auditor(*key)?;
            let kid = Thumbprint::of(key);
            output.say(format!("{kid} is an auditor now"));
            Ok(json!({ "kid": kid, "event": output::event(&event) }))
        }
        Command::RemoveAuditor { kid, reason } => {
            let event = session.client()?.remove_auditor(*kid, reason)?;
            output.say(format!("{kid} is no longer an auditor"));
            Ok(json!({ "kid": kid, "event": output::event(&event) }))
        }
    }
}

fn init(out: &std::path::Path, session: &Session, output: &Output) -> Answered {
    let wallet = Wallet::generate_operator().map_err(Error::from)?;
    let file = session.create(out, &wallet)?;
    output.say(format!("operator's wallet {} made", file.path().display()));
    output.say(format!("  OperatorKeys={}", wallet.sign_key()));
    output.say("Deploy the stack with this parameter, then: chartseal operator connect --api URL");
    Ok(json!({ "wallet": file.path(), "kid": wallet.kid(), "operator_key": wallet.sign_key() }))
}

fn connect(session: &Session, output: &Output) -> Answered {
    let api = session.api().ok_or_else(|| {
        Failure::usage("the vault's address is not given", "Say --api URL; the stack's output ApiUrl has it.")
    })?;
    let mut open = session.open_wallet()?;
    let discovered = Vault::discover(api)?;
    // A wallet that knows a vault is held to it: this may only change the address.
    let vault = match &open.wallet.vault {
        Some(pin) => Vault::new(chartseal_cli::VaultPin { api: discovered.pin().api.clone(), ..pin.clone() })?,
        None => discovered,
    };
    let client = Client::new(vault, open.wallet.clone());
    let genesis = client.connect_operator()?;
    let pin = client.vault.pin();
    if open.wallet.vault.as_ref() != Some(pin) {
        open.wallet.vault = Some(pin.clone());
        open.file.save(&open.wallet, &open.passphrase)?;
    }
    output.say(format!("connected to {} at {}", pin.origin, pin.api));
    output.say(format!("  genesis {} is pinned in the wallet", pin.genesis));
    Ok(json!({ "api": pin.api, "origin": pin.origin, "genesis": pin.genesis, "event": output::event(&genesis) }))
}
