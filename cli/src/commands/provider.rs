//! `chartseal provider`: invite, register, verify, suspend, show.

use chartseal_cli::{CheckedProvider, Client, Invitation, Person, Vault, printable};
use chartseal_events::Id;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Answered;
use crate::failure::Failure;
use crate::options::id;
use crate::output::{self, Output};
use crate::session::Session;

/// Invite, register, verify and show providers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Invite an organisation (operators). Hand the invitation over in private: it is good for one registration.
    #[command(after_help = "Example:\n  chartseal --wallet operator.wallet provider invite --note 'St. Anna' --days 7")]
    Invite {
        /// Whom it is for; kept beside the event, for operators.
        #[arg(long)]
        note: Option<String>,
        /// Good for so many days.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=30))]
        days: u64,
    },
    /// Register your organisation with an invitation and a new wallet.
    #[command(
        after_help = "Example:\n  chartseal --wallet ann.wallet provider register --invitation chartseal-invite-v1.eyJh... \\\n    --organisation 'St. Anna' --name 'Ann Berg' --phone '+43 1 555 0137'"
    )]
    Register(Register),
    /// Vouch for a registration, or reinstate a suspended provider (operators).
    #[command(after_help = "Example:\n  chartseal --wallet operator.wallet provider verify 01JDB3YQ7X0000000000000000")]
    Verify {
        /// The cloud ID.
        #[arg(value_parser = id)]
        provider: Id,
    },
    /// Suspend a provider (operators).
    #[command(
        after_help = "Example:\n  chartseal --wallet operator.wallet provider suspend 01JDB3YQ7X0000000000000000 --reason 'contract ended'"
    )]
    Suspend {
        /// The cloud ID.
        #[arg(value_parser = id)]
        provider: Id,
        /// Why; kept beside the event, for operators.
        #[arg(long)]
        reason: String,
    },
    /// Show a provider; without an ID, your own.
    #[command(after_help = "Example:\n  chartseal --wallet ann.wallet provider show")]
    Show {
        /// The cloud ID.
        #[arg(value_parser = id)]
        provider: Option<Id>,
    },
}

/// Who registers.
#[derive(Debug, Args)]
pub struct Register {
    /// The invitation, as the operator gave it.
    #[arg(long)]
    invitation: String,
    /// The organisation's name.
    #[arg(long)]
    organisation: String,
    /// Your name.
    #[arg(long)]
    name: String,
    /// Your phone number.
    #[arg(long)]
    phone: String,
    /// Your email address.
    #[arg(long)]
    email: Option<String>,
}

pub fn run(command: &Command, session: &Session, output: &Output) -> Answered {
    match command {
        Command::Invite { note, days } => invite(note.as_deref(), *days, session, output),
        Command::Register(arguments) => register(arguments, session, output),
        Command::Verify { provider } => verify(*provider, session, output),
        Command::Suspend { provider, reason } => {
            let event = session.client()?.suspend_provider(*provider, reason)?;
            output.say(format!("{provider} is suspended"));
            Ok(json!({ "provider": provider, "status": "suspended", "event": output::event(&event) }))
        }
        Command::Show { provider } => show(*provider, session, output),
    }
}

fn invite(note: Option<&str>, days: u64, session: &Session, output: &Output) -> Answered {
    let invited = session.client()?.invite(note, days)?;
    let invitation = invited.invitation.to_string();
    output.say(format!("invited; the cloud ID is {}, good for {days} days", invited.invitation.provider));
    output.say(&invitation);
    Ok(json!({
        "provider": invited.invitation.provider,
        "invitation": invitation,
        "event": output::event(&invited.event),
    }))
}

fn register(arguments: &Register, session: &Session, output: &Output) -> Answered {
    let invitation: Invitation = arguments.invitation.parse().map_err(chartseal_cli::Error::from)?;
    let mut open = session.open_wallet()?;
    let mut pin = invitation.vault.clone();
    if let Some(api) = session.api() {
        api.clone_into(&mut pin.api);
    }
    let mut client = Client::new(Vault::new(pin)?, open.wallet.clone());
    let who = Person {
        organisation: &arguments.organisation,
        name: &arguments.name,
        phone: &arguments.phone,
        email: arguments.email.as_deref(),
    };
    let taken = client.register(&invitation, &who)?;
    let (provider, staff) = (taken.answer.provider, taken.answer.staff);
    let answer = json!({ "provider": provider, "staff": staff, "event": output::event(&taken.event) });
    // The ids are in the answer even then: without them the wallet could not sign.
    open.file.save(&client.wallet, &open.passphrase).map_err(|error| Failure::from(error).after(answer.clone()))?;
    output.say(format!("registered; the cloud ID is {provider}, you sign as {staff}"));
    output.say("An operator has yet to verify the registration.");
    Ok(answer)
}

fn verify(provider: Id, session: &Session, output: &Output) -> Answered {
    let client = session.client()?;
    let looked_at = client.show_provider(provider)?;
    say(&looked_at, output);
    let event = client.verify_provider(&looked_at)?;
    output.say("verified, as shown above");
    Ok(json!({
        "provider": provider,
        "organisation": looked_at.private("organisation"),
        "head": looked_at.head,
        "status": "verified",
        "event": output::event(&event),
    }))
}

fn show(provider: Option<Id>, session: &Session, output: &Output) -> Answered {
    let client = session.client()?;
    let Some(provider) = provider.or_else(|| client.wallet.provider()) else {
        return Err(Failure::usage("an operator has no provider of their own", "Name one by its cloud ID."));
    };
    let checked = client.show_provider(provider)?;
    say(&checked, output);
    let mut answer = output::view(&checked.profile);
    answer["head"] = json!(checked.head);
    answer["event"] = json!(checked.last_event().map(output::event));
    Ok(answer)
}

fn say(checked: &CheckedProvider, output: &Output) {
    let profile = &checked.profile;
    let organisation = checked.private("organisation").map_or_else(|| "(not registered)".to_owned(), printable);
    output.say(format!("{} {organisation}, {}", profile.provider, profile.status));
    if let Some(name) = checked.private("name") {
        let [phone, email] = ["phone", "email"].map(|what| checked.private(what).map(printable).unwrap_or_default());
        output.say(format!("  contact  {} {phone} {email}", printable(name)));
    }
    if let Some(key) = profile.sign_key {
        output.say(format!("  key      {key}"));
    }
    output.say(format!("  head     {}", checked.head));
}
