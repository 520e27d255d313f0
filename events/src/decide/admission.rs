//! Who signed: the key of a command is found in the streams, never in the command (but at registration, whose key is the new one).

use crate::codes::{Code, Refusal};
use crate::command::{Action, Command};
use crate::encoding::Bytes;
use crate::id::{Kid, Thumbprint};
use crate::jws::Jws;
use crate::state::{Operators, Provider, ProviderStatus, Staff, View};

/// A signer whose signature has been verified.
#[derive(Debug, Clone, Copy)]
pub enum Signer<'a> {
    /// An operator of the vault.
    Operator(Thumbprint, &'a Operators),
    /// An auditor of the vault: may read, and commands nothing.
    Auditor(Thumbprint),
    /// A person, acting for a provider in whatever state that is.
    Staff(&'a Staff, &'a Provider),
    /// A key that registers.
    NewKey,
}

impl<'a> Signer<'a> {
    /// An operator, or a refusal.
    pub fn operator(&self) -> Result<(Thumbprint, &'a Operators), Refusal> {
        match self {
            Self::Operator(kid, operators) => Ok((*kid, operators)),
            _ => Err(Code::NotOperator.into()),
        }
    }

    /// A person of a verified provider, or a refusal.
    pub fn member(&self) -> Result<(&'a Staff, &'a Provider), Refusal> {
        let Self::Staff(staff, provider) = self else { return Err(Code::NotMember.into()) };
        match provider.status {
            ProviderStatus::Verified => Ok((staff, provider)),
            ProviderStatus::Suspended => Err(Code::ProviderSuspended.into()),
            ProviderStatus::Invited | ProviderStatus::Pending => Err(Code::ProviderPending.into()),
        }
    }
}

/// Finds the signer of a command and verifies the signature.
pub fn authenticate<'a>(view: &'a View, command: &Command) -> Result<Signer<'a>, Refusal> {
    if let Action::ProviderRegister(register) = &command.action {
        // Only the new key itself proves that whoever registers it holds it: no person of another provider signs for it.
        if command.kid() != Kid::Key(Thumbprint::of(&register.sign_key)) {
            return Err(Code::UnknownSigner.into());
        }
        command.jws().verify(&register.sign_key)?;
        return Ok(Signer::NewKey);
    }
    signer(view, command.jws(), command.claims.act)
}

/// Finds the signer of a command or read token and verifies the signature.
pub fn signer<'a>(view: &'a View, jws: &Jws, act: Option<crate::id::Id>) -> Result<Signer<'a>, Refusal> {
    let (signer, key): (Signer<'a>, &Bytes<32>) = match (jws.kid(), act) {
        (Kid::Key(kid), None) => {
            let operators = view.operators().ok_or(Code::UnknownSigner)?;
            match (operators.keys.get(&kid), operators.auditors.get(&kid)) {
                (Some(key), _) => (Signer::Operator(kid, operators), key),
                (None, Some(key)) => (Signer::Auditor(kid), key),
                (None, None) => return Err(Code::UnknownSigner.into()),
            }
        }
        (Kid::Person(person), Some(act)) => {
            let staff = view.staff(person).ok_or(Code::UnknownSigner)?;
            let provider =
                view.provider(act).filter(|provider| provider.id == staff.provider).ok_or(Code::NotMember)?;
            (Signer::Staff(staff, provider), &staff.sign_key)
        }
        _ => return Err(Code::UnknownSigner.into()),
    };
    jws.verify(key)?;
    Ok(signer)
}
