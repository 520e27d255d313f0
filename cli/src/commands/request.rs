//! `chartseal request`: ask for access, look, wait, decide.

use std::time::Duration;

use chartseal_cli::{CheckedRequest, Client, KnownParty, NewRequest, printable};
use chartseal_events::Id;
use chartseal_events::limits::MAX_GRANT_S;
use chartseal_events::purpose::Purpose;
use chartseal_events::wire::RequestView;
use clap::builder::PossibleValue;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::Answered;
use crate::options::{DAY_S, at_least_one, id};
use crate::output::{self, Output};
use crate::session::Session;

/// How long the verification of a requester is waited for.
const VERIFIED_TIMEOUT: Duration = Duration::from_mins(1);

/// Ask for access to a record, and decide on requests.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask for access to another provider's record.
    #[command(
        after_help = "Example:\n  chartseal --wallet bob.wallet request create 01JDB3YQ7X0000000000000000 --purpose TREAT --justification 'admitted after a fall'"
    )]
    Create(Create),
    /// Show a request, or wait until it is in a state.
    #[command(
        after_help = "Example:\n  chartseal --wallet bob.wallet request status 01JDB40000000000000000000 --wait approved --timeout 3600"
    )]
    Status {
        /// The request.
        #[arg(value_parser = id)]
        request: Id,
        /// Wait until it is in this state.
        #[arg(long, value_name = "STATE", value_parser = ["verified", "approved", "denied", "expired", "over"])]
        wait: Option<String>,
        /// Wait at most so many seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait")]
        timeout: u64,
    },
    /// List the requests you are a party of; for operators, all.
    #[command(after_help = "Example:\n  chartseal --wallet operator.wallet request list --limit 20")]
    List {
        /// The newest so many.
        #[arg(long, default_value_t = 100, value_parser = at_least_one())]
        limit: usize,
    },
    /// Approve a request (operators).
    #[command(
        after_help = "Example:\n  chartseal --wallet operator.wallet request approve 01JDB40000000000000000000 --wait"
    )]
    Approve {
        /// The request.
        #[arg(value_parser = id)]
        request: Id,
        /// Wait until the requester has been verified.
        #[arg(long)]
        wait: bool,
        /// What the requester is told.
        #[arg(long)]
        comment: Option<String>,
    },
    /// Deny a request (operators).
    #[command(
        after_help = "Example:\n  chartseal --wallet operator.wallet request deny 01JDB40000000000000000000 --reason 'not the treating hospital'"
    )]
    Deny {
        /// The request.
        #[arg(value_parser = id)]
        request: Id,
        /// What the requester is told.
        #[arg(long)]
        reason: String,
    },
}

/// What is asked for.
#[derive(Debug, Args)]
pub struct Create {
    /// The record, as the search shows it.
    #[arg(value_parser = id)]
    record: Id,
    /// Its version, as the search shows it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    version: u32,
    /// Why: an HL7 purpose of use.
    #[arg(long, value_enum)]
    purpose: PurposeArgument,
    /// Why, in words; for the operators and the record's owner.
    #[arg(long)]
    justification: String,
    /// Access for so many days, from the approval on.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=MAX_GRANT_S / DAY_S))]
    days: u64,
    /// Wait until the requester has been verified.
    #[arg(long)]
    wait_verified: bool,
}

/// A purpose of use, with its meaning in the help.
#[derive(Debug, Clone, Copy)]
pub struct PurposeArgument(Purpose);

impl ValueEnum for PurposeArgument {
    fn value_variants<'a>() -> &'a [Self] {
        const COUNT: usize = Purpose::ALL.len();
        const ALL: [PurposeArgument; COUNT] = {
            let mut all = [PurposeArgument(Purpose::Treatment); COUNT];
            let mut index = 0;
            while index < COUNT {
                all[index] = PurposeArgument(Purpose::ALL[index]);
                index += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.code()).help(self.0.meaning()))
    }
}

pub fn run(command: &Command, session: &Session, output: &Output) -> Answered {
    let client = session.client()?;
    match command {
        Command::Create(arguments) => create(arguments, &client, output),
        Command::Status { request, wait, timeout } => {
            let checked = match wait {
                Some(wanted) => client.wait_request(*request, wanted, Duration::from_secs(*timeout))?,
                None => client.request(*request)?,
            };
            say(&checked.view, output);
            say_parties(&checked, output);
            let mut answer = output::view(&checked.view);
            answer["parties"] = json!({ "owner": known(&checked.owner), "requester": known(&checked.requester) });
            answer["event"] = output::event(&checked.last_event);
            Ok(answer)
        }
        Command::List { limit } => {
            let requests = client.requests(*limit)?;
            if requests.is_empty() {
                output.say("no requests");
            }
            for request in &requests {
                say(request, output);
            }
            let requests: Vec<_> = requests.iter().map(output::view).collect();
            Ok(json!({ "requests": requests }))
        }
        Command::Approve { request, wait, comment } => {
            let looked_at = look(&client, *request, *wait)?;
            say(&looked_at.view, output);
            say_parties(&looked_at, output);
            let event = client.approve(&looked_at, comment.as_deref())?;
            output.say("approved, as shown above");
            Ok(decided(&looked_at, "approved", &event))
        }
        Command::Deny { request, reason } => {
            let looked_at = look(&client, *request, false)?;
            say(&looked_at.view, output);
            say_parties(&looked_at, output);
            let event = client.deny(&looked_at, reason)?;
            output.say("denied, as shown above");
            Ok(decided(&looked_at, "denied", &event))
        }
    }
}

fn create(arguments: &Create, client: &Client, output: &Output) -> Answered {
    let new = NewRequest {
        record: arguments.record,
        version: arguments.version,
        purpose: arguments.purpose.0,
        grant_seconds: arguments.days * DAY_S,
        justification: &arguments.justification,
    };
    let (request, event) = client.request_access(&new)?;
    let mut answer = json!({ "request": request, "state": "requested", "event": output::event(&event) });
    output.say(format!("request {request}"));
    if arguments.wait_verified {
        // The request exists whatever comes of the waiting.
        let waited = client.wait_request(request, "verified", VERIFIED_TIMEOUT);
        let checked = waited.map_err(|error| crate::failure::Failure::from(error).after(answer.clone()))?;
        answer["state"] = json!(checked.view.state);
        output.say("  verified; operators can decide on it");
    }
    Ok(answer)
}

fn look(client: &Client, request: Id, wait: bool) -> Result<CheckedRequest, chartseal_cli::Error> {
    if wait { client.wait_request(request, "verified", VERIFIED_TIMEOUT) } else { client.request(request) }
}

fn decided(looked_at: &CheckedRequest, state: &str, event: &chartseal_events::Event) -> serde_json::Value {
    let until = match &event.outcome {
        chartseal_events::Outcome::AccessApproved(approved) => Some(approved.until),
        _ => None,
    };
    json!({
        "request": looked_at.view.request,
        "head": looked_at.last_event.leaf,
        "state": state,
        "until": until,
        "event": output::event(event),
    })
}

fn say(view: &RequestView, output: &Output) {
    output.say(format!("{} {}", view.request, printable(&view.state)));
    output.say(format!("  record     {} version {}, of {}", view.record, view.version, view.owner));
    output.say(format!("  requester  {} ({}), asked {}", view.requester, view.by, output::time(view.at)));
    let purpose = view.purpose.parse::<Purpose>().map_or("", Purpose::meaning);
    let justification = view.justification.as_ref().map(|why| printable(&why.value)).unwrap_or_default();
    output.say(format!("  purpose    {} {purpose}: {justification}", printable(&view.purpose)));
    if let Some(until) = view.until {
        output.say(format!("  until      {}", output::time(until)));
    }
    if let Some(reason) = &view.reason {
        output.say(format!("  reason     {}", printable(&reason.value)));
    }
    output.say(format!("  head       {}", view.head));
}

/// Who the parties are, and the events that vouch for them.
fn say_parties(checked: &CheckedRequest, output: &Output) {
    for (role, party) in [("owner", &checked.owner), ("requester", &checked.requester)] {
        let [organisation, name] = [&party.organisation, &party.name]
            .map(|value| value.as_deref().map_or_else(|| "(erased)".to_owned(), printable));
        output.say(format!("  {role:<9}  {organisation}, {name}"));
        output.say(format!("             key {}, registered by {}", party.sign_key, party.registered.place));
        let verified = match &party.verified {
            Some(event) => match &event.command {
                Some(command) => format!("verified by {}, operator {}", event.place, command.kid()),
                None => format!("verified by {}", event.place),
            },
            None => "nobody has vouched for it".to_owned(),
        };
        output.say(format!("             {verified}"));
    }
}

fn known(party: &KnownParty) -> serde_json::Value {
    json!({
        "provider": party.provider,
        "organisation": party.organisation,
        "name": party.name,
        "sign_key": party.sign_key,
        "seal_key": party.seal_key,
        "registered": output::event(&party.registered),
        "verified": party.verified.as_ref().map(output::event),
    })
}
