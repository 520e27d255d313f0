//! `chartseal wallet`: make one, see whose one is.

use std::path::PathBuf;

use chartseal_cli::{Error, Identity, Wallet};
use clap::Subcommand;
use serde_json::json;

use super::Answered;
use crate::output::Output;
use crate::session::Session;

/// Make a wallet, or see whose one is.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a wallet for a person of a provider.
    #[command(after_help = "Example:\n  chartseal wallet create --out ann.wallet")]
    Create {
        /// The file to write; one that is there is not replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Say whose wallet it is and which vault it is for. Asks for no passphrase.
    #[command(after_help = "Example:\n  chartseal --wallet ann.wallet wallet status")]
    Status,
}

pub fn run(command: &Command, session: &Session, output: &Output) -> Answered {
    match command {
        Command::Create { out } => create(out, session, output),
        Command::Status => status(session, output),
    }
}

fn create(out: &std::path::Path, session: &Session, output: &Output) -> Answered {
    let wallet = Wallet::generate().map_err(Error::from)?;
    let file = session.create(out, &wallet)?;
    output.say(format!("wallet {} made", file.path().display()));
    output.say("Keep a copy of the file and remember its passphrase: nobody can restore either.");
    output.say("Next: chartseal provider register --invitation ...");
    Ok(json!({ "wallet": file.path(), "sign_key": wallet.sign_key(), "seal_key": wallet.seal_key() }))
}

fn status(session: &Session, output: &Output) -> Answered {
    let file = session.wallet_file()?;
    let head = file.head();
    let (kind, whose) = match head.identity {
        Identity::Operator => ("operator", "of an operator"),
        Identity::Staff { member: Some(_) } => ("staff", "of a registered person"),
        Identity::Staff { member: None } => ("staff", "of a person who has not registered"),
    };
    let provider = match head.identity {
        Identity::Staff { member } => member.map(|member| member.provider),
        Identity::Operator => None,
    };
    output.say(format!("{}: the wallet {whose}", file.path().display()));
    output.say(format!("  signs as    {}", head.kid()));
    if let Some(provider) = provider {
        output.say(format!("  acts for    {provider}"));
    }
    output.say(format!("  public key  {}", head.sign_key));
    match &head.vault {
        Some(vault) => {
            output.say(format!("  vault       {} at {}, genesis {}", vault.origin, vault.api, vault.genesis));
        }
        None => output.say("  vault       none yet"),
    }
    Ok(json!({
        "wallet": file.path(),
        "kind": kind,
        "registered": provider.is_some(),
        "kid": head.kid(),
        "provider": provider,
        "sign_key": head.sign_key,
        "seal_key": head.seal_key,
        "vault": head.vault,
    }))
}
