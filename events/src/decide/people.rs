//! Decisions about the vault's operators, its auditors and its providers.

use subtle::ConstantTimeEq as _;

use super::{Decision, Draft, Signer, taken_before};
use crate::codes::{Code, Refusal};
use crate::command::{
    AuditorAdd, AuditorRemove, Command, OperatorAdd, OperatorRemove, ProviderInvite, ProviderRegister, ProviderSuspend,
    ProviderVerify,
};
use crate::encoding::Hash;
use crate::event::{
    AuditorAdded, AuditorRemoved, Genesis, OperatorAdded, OperatorRemoved, ProviderInvited, ProviderRegistered,
    ProviderSuspended, ProviderVerified, Role, StaffAdded,
};
use crate::id::{Kind, Thumbprint};
use crate::jws::is_public_key;
use crate::limits::{MAX_AUDITORS, MAX_INVITATION_MS, MAX_OPERATORS};
use crate::state::{Operators, ProviderStatus, View};
use crate::stream::StreamId;

/// The hash of an invitation's code, as the invitation's event has it.
pub fn code_hash(code: &[u8; 16]) -> Hash {
    Hash::of(&[b"chartseal/invitation/v1\0", code])
}

pub(super) fn begin(view: &View, genesis: &Genesis) -> Result<Decision, Refusal> {
    if view.operators().is_some() {
        return Err(Code::Conflict.into());
    }
    let count = genesis.operators.len();
    let keys_good = genesis.operators.iter().all(is_public_key) && is_public_key(&genesis.log_key);
    let distinct = genesis.operators.iter().enumerate().all(|(index, key)| !genesis.operators[..index].contains(key));
    if count == 0 || count > MAX_OPERATORS || !keys_good || !distinct {
        return Err(Refusal::field(Code::BadField, "operators"));
    }
    // One key signs one kind of thing: who has the clock's must not be able to sign a log.
    if !is_public_key(&genesis.clock_key) || genesis.clock_key == genesis.log_key {
        return Err(Refusal::field(Code::BadField, "clock_key"));
    }
    // Changes that need several operators come with the governance of the vault; until then the one threshold is 1.
    if genesis.operator_threshold != 1 {
        return Err(Refusal::field(Code::BadField, "operator_threshold"));
    }
    Ok(Draft::new(StreamId::Vault, genesis.clone()).into())
}

pub(super) fn add_operator(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    add: &OperatorAdd,
) -> Result<Decision, Refusal> {
    let (_, operators) = signer.operator()?;
    if let Some(done) = taken_before(view, StreamId::Vault, command)? {
        return Ok(done);
    }
    is_nobodys(operators, Thumbprint::of(&add.sign_key))?;
    if operators.keys.len() >= MAX_OPERATORS {
        return Err(Refusal::field(Code::BadField, "sign_key"));
    }
    Ok(Draft::new(StreamId::Vault, OperatorAdded { sign_key: add.sign_key }).into())
}

pub(super) fn remove_operator(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    remove: &OperatorRemove,
) -> Result<Decision, Refusal> {
    let (_, operators) = signer.operator()?;
    if let Some(done) = taken_before(view, StreamId::Vault, command)? {
        return Ok(done);
    }
    if !operators.keys.contains_key(&remove.operator) {
        return Err(Code::NotFound.into());
    }
    if operators.keys.len() == 1 {
        return Err(Code::LastOperator.into());
    }
    Ok(Draft::new(StreamId::Vault, OperatorRemoved { operator: remove.operator }).into())
}

pub(super) fn add_auditor(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    add: &AuditorAdd,
) -> Result<Decision, Refusal> {
    let (_, operators) = signer.operator()?;
    if let Some(done) = taken_before(view, StreamId::Vault, command)? {
        return Ok(done);
    }
    is_nobodys(operators, Thumbprint::of(&add.sign_key))?;
    if operators.auditors.len() >= MAX_AUDITORS {
        return Err(Refusal::field(Code::BadField, "sign_key"));
    }
    Ok(Draft::new(StreamId::Vault, AuditorAdded { sign_key: add.sign_key }).into())
}

pub(super) fn remove_auditor(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    remove: &AuditorRemove,
) -> Result<Decision, Refusal> {
    let (_, operators) = signer.operator()?;
    if let Some(done) = taken_before(view, StreamId::Vault, command)? {
        return Ok(done);
    }
    if !operators.auditors.contains_key(&remove.auditor) {
        return Err(Code::NotFound.into());
    }
    Ok(Draft::new(StreamId::Vault, AuditorRemoved { auditor: remove.auditor }).into())
}

/// One key has one role, so that what a thumbprint may do is never a question of which list is looked at first.
fn is_nobodys(operators: &Operators, kid: Thumbprint) -> Result<(), Refusal> {
    if operators.keys.contains_key(&kid) {
        Err(Code::OperatorExists.into())
    } else if operators.auditors.contains_key(&kid) {
        Err(Code::AuditorExists.into())
    } else {
        Ok(())
    }
}

pub(super) fn invite(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    invite: &ProviderInvite,
    now_ms: u64,
) -> Result<Decision, Refusal> {
    signer.operator()?;
    let stream = StreamId::Provider(command.new_id(Kind::Provider));
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    if invite.expires_at <= now_ms || invite.expires_at > now_ms + MAX_INVITATION_MS {
        return Err(Refusal::field(Code::BadField, "expires_at"));
    }
    Ok(Draft::new(stream, ProviderInvited { code_hash: invite.code_hash, expires_at: invite.expires_at }).into())
}

pub(super) fn register(
    view: &View,
    command: &Command,
    register: &ProviderRegister,
    now_ms: u64,
) -> Result<Decision, Refusal> {
    let stream = StreamId::Provider(register.provider);
    let provider = view.provider(register.provider).ok_or(Code::NotFound)?;
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    if !bool::from(code_hash(&register.code.0).0.ct_eq(&provider.code_hash.0)) {
        return Err(Code::WrongCode.into());
    }
    if provider.status != ProviderStatus::Invited {
        return Err(Code::InvitationUsed.into());
    }
    if now_ms >= provider.invited_until_ms {
        return Err(Code::InvitationExpired.into());
    }
    let person = command.new_id(Kind::Staff);
    // The same key and `jti` at another provider lead to the same person, who begins once. This very command there means that the streams were looked at
    // while it was written: the append then finds the place taken, and everything is looked at anew.
    taken_before(view, StreamId::Staff(person), command)?;
    let staff = StaffAdded {
        provider: register.provider,
        role: Role::Administrator,
        sign_key: register.sign_key,
        seal_key: register.seal_key,
    };
    Ok(Decision::Append(vec![
        Draft::new(stream, ProviderRegistered { staff: person }),
        Draft::new(StreamId::Staff(person), staff),
    ]))
}

pub(super) fn verify(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    verify: &ProviderVerify,
) -> Result<Decision, Refusal> {
    signer.operator()?;
    let stream = StreamId::Provider(verify.provider);
    let provider = view.provider(verify.provider).ok_or(Code::NotFound)?;
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    match provider.status {
        ProviderStatus::Invited => return Err(Code::NotRegistered.into()),
        ProviderStatus::Verified => return Err(Code::AlreadyVerified.into()),
        ProviderStatus::Pending | ProviderStatus::Suspended => {}
    }
    check_head(view, stream, &verify.head)?;
    Ok(Draft::new(stream, ProviderVerified {}).into())
}

pub(super) fn suspend(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    suspend: &ProviderSuspend,
) -> Result<Decision, Refusal> {
    signer.operator()?;
    let stream = StreamId::Provider(suspend.provider);
    let provider = view.provider(suspend.provider).ok_or(Code::NotFound)?;
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    match provider.status {
        ProviderStatus::Invited => Err(Code::NotRegistered.into()),
        ProviderStatus::Suspended => Err(Code::AlreadySuspended.into()),
        ProviderStatus::Pending | ProviderStatus::Verified => Ok(Draft::new(stream, ProviderSuspended {}).into()),
    }
}

/// Checks that a decision was made on what the stream is now.
pub(super) fn check_head(view: &View, stream: StreamId, head: &Hash) -> Result<(), Refusal> {
    let now = view.history(&stream).and_then(|history| history.head);
    if now.is_some_and(|now| now.leaf == *head) { Ok(()) } else { Err(Code::HeadMoved.into()) }
}
