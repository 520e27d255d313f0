//! Receipts: the event that the vault says a command led to. A receipt is believed once its hash, its place, the command in it and what it
//! states have been compared with what was sent.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use chartseal_events::command::{
    AccessApprove, AccessDeny, Action, Announcement, KeyIssue, ProviderSuspend, ProviderVerify, RecordDownload,
    RecordKey, RecordVersion, RequestDownload,
};
use chartseal_events::id::Kind;
use chartseal_events::wire::Receipt;
use chartseal_events::{Command, Event, EventRef, Outcome, StreamId};

use crate::error::Error;
use crate::tampering::Tampering;

/// The receipt's event: its hash is the hash of its bytes, and they are an event of that place.
pub(crate) fn event_of(receipt: &Receipt) -> Result<Event, Tampering> {
    let place = EventRef { stream: receipt.stream, seq: receipt.seq };
    let stored = receipt.stored();
    if stored.leaf != receipt.leaf {
        return Err(Tampering::ReceiptHash(place));
    }
    stored.open().map_err(|_| Tampering::ReceiptEvent(place))
}

/// Adds a receipt to a file that only its owner can read, in one write: commands that run side by side do not mix their lines.
pub(crate) fn keep(path: &Path, receipt: &Receipt) -> Result<(), Error> {
    let failed = |source| Error::Receipts { path: path.to_owned(), source };
    let mut line = serde_json::to_vec(receipt).map_err(|error| failed(error.into()))?;
    line.push(b'\n');
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).and_then(|mut file| file.write_all(&line)).map_err(failed)
}

/// Checks a receipt against the command that was sent.
pub(crate) fn check(receipt: &Receipt, sent: &Command) -> Result<Event, Tampering> {
    let event = event_of(receipt)?;
    let ours = event.command.as_ref().is_some_and(|command| command.jws().text() == sent.jws().text());
    if !ours {
        return Err(Tampering::ReceiptCommand(event.place));
    }
    if expected_stream(sent) != Some(event.place.stream) || !agrees(sent, &event.outcome) {
        return Err(Tampering::ReceiptOutcome(event.place));
    }
    Ok(event)
}

/// Checks a receipt that may hold an earlier command than the one that was sent: it must announce the very same run, to the last field. Who signed
/// it is for the record's evidence to show.
pub(crate) fn announcing(receipt: &Receipt, run: &Announcement) -> Result<Event, Tampering> {
    let event = event_of(receipt)?;
    let same = match (&event.command, &event.outcome) {
        (Some(command), Outcome::RecordAnnounced(announced)) => {
            matches!(&command.action, Action::RecordAnnounce(earlier) if earlier == run)
                && announced.version == run.version
        }
        _ => return Err(Tampering::ReceiptCommand(event.place)),
    };
    if !same {
        return Err(Tampering::ReceiptCommand(event.place));
    }
    if event.place.stream == StreamId::Record(run.record) {
        Ok(event)
    } else {
        Err(Tampering::ReceiptOutcome(event.place))
    }
}

/// The stream that a command's first event goes to.
fn expected_stream(command: &Command) -> Option<StreamId> {
    Some(match &command.action {
        Action::OperatorAdd(_) | Action::OperatorRemove(_) | Action::AuditorAdd(_) | Action::AuditorRemove(_) => {
            StreamId::Vault
        }
        Action::ProviderInvite(_) => StreamId::Provider(command.new_id(Kind::Provider)),
        Action::ProviderRegister(register) => StreamId::Provider(register.provider),
        Action::ProviderVerify(ProviderVerify { provider, .. })
        | Action::ProviderSuspend(ProviderSuspend { provider }) => StreamId::Provider(*provider),
        Action::RecordCreate(_) => StreamId::Record(command.new_id(Kind::Record)),
        Action::RecordVersion(RecordVersion { record })
        | Action::RecordAnnounce(Announcement { record, .. })
        | Action::RecordKey(RecordKey { record, .. })
        | Action::RecordDownload(RecordDownload { record, .. }) => StreamId::Record(*record),
        Action::AccessRequest(_) => StreamId::Request(command.new_id(Kind::Request)),
        Action::AccessApprove(AccessApprove { request, .. })
        | Action::AccessDeny(AccessDeny { request, .. })
        | Action::KeyIssue(KeyIssue { request, .. })
        | Action::RequestDownload(RequestDownload { request, .. }) => StreamId::Request(*request),
        Action::SearchPerform(_) => return command.search_stream(),
    })
}

/// Whether an outcome states what the command asked for.
fn agrees(command: &Command, outcome: &Outcome) -> bool {
    let act = command.claims.act;
    match (&command.action, outcome) {
        (Action::OperatorAdd(add), Outcome::OperatorAdded(added)) => add.sign_key == added.sign_key,
        (Action::OperatorRemove(remove), Outcome::OperatorRemoved(removed)) => remove.operator == removed.operator,
        (Action::AuditorAdd(add), Outcome::AuditorAdded(added)) => add.sign_key == added.sign_key,
        (Action::AuditorRemove(remove), Outcome::AuditorRemoved(removed)) => remove.auditor == removed.auditor,
        (Action::ProviderInvite(invite), Outcome::ProviderInvited(invited)) => {
            invite.code_hash == invited.code_hash && invite.expires_at == invited.expires_at
        }
        (Action::ProviderRegister(_), Outcome::ProviderRegistered(registered)) => {
            registered.staff == command.new_id(Kind::Staff)
        }
        (Action::ProviderVerify(_), Outcome::ProviderVerified(_))
        | (Action::ProviderSuspend(_), Outcome::ProviderSuspended(_))
        | (Action::AccessApprove(_), Outcome::AccessApproved(_))
        | (Action::AccessDeny(_), Outcome::AccessDenied(_))
        | (Action::SearchPerform(_), Outcome::SearchPerformed(_)) => true,
        (Action::RecordCreate(_), Outcome::RecordCreated(created)) => {
            Some(created.owner) == act && created.version == 1
        }
        (Action::RecordVersion(_), Outcome::RecordCreated(created)) => {
            Some(created.owner) == act && created.version > 1
        }
        (Action::RecordAnnounce(announce), Outcome::RecordAnnounced(announced)) => {
            announce.version == announced.version
        }
        (Action::RecordKey(key), Outcome::KeyIssued(issued)) => {
            (key.record, key.version) == (issued.record, issued.version)
        }
        (Action::RecordDownload(asked), Outcome::RecordDownloaded(downloaded)) => {
            (asked.record, asked.version) == (downloaded.record, downloaded.version)
        }
        (Action::AccessRequest(asked), Outcome::AccessRequested(requested)) => {
            (asked.record, asked.version, asked.purpose, asked.grant_seconds)
                == (requested.record, requested.version, requested.purpose, requested.grant_seconds)
                && Some(requested.requester) == act
        }
        (Action::KeyIssue(key), Outcome::KeyIssued(issued)) => key.record == issued.record,
        (Action::RequestDownload(asked), Outcome::RecordDownloaded(downloaded)) => asked.record == downloaded.record,
        _ => false,
    }
}
