//! The folds of `vault`, `provider/` and `staff/` streams: who may sign what.

use std::collections::BTreeMap;

use crate::command::Action;
use crate::encoding::{Bytes, Hash};
use crate::event::{Event, Genesis, Outcome, Role, StaffAdded};
use crate::id::{Id, Kid, Thumbprint};

/// The vault: its genesis, its operators and its auditors as they are now. A key is an operator's or an auditor's, never both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operators {
    /// What the vault began with.
    pub genesis: Genesis,
    /// The leaf hash of the genesis event: the vault's identity.
    pub genesis_leaf: Hash,
    /// The operators' public keys, by thumbprint.
    pub keys: BTreeMap<Thumbprint, Bytes<32>>,
    /// The auditors' public keys, by thumbprint.
    pub auditors: BTreeMap<Thumbprint, Bytes<32>>,
}

impl Operators {
    pub(super) fn begin(event: &Event) -> Option<Self> {
        let Outcome::Genesis(genesis) = &event.outcome else { return None };
        let keys = genesis.operators.iter().map(|key| (Thumbprint::of(key), *key)).collect();
        Some(Self { genesis: genesis.clone(), genesis_leaf: event.leaf, keys, auditors: BTreeMap::new() })
    }

    /// Whether a key is somebody's here.
    pub(crate) fn has(&self, kid: Thumbprint) -> bool {
        self.keys.contains_key(&kid) || self.auditors.contains_key(&kid)
    }

    pub(super) fn then(mut self, event: &Event) -> Option<Self> {
        match &event.outcome {
            Outcome::OperatorAdded(added) => {
                let kid = Thumbprint::of(&added.sign_key);
                let new = !self.has(kid) && self.keys.insert(kid, added.sign_key).is_none();
                new.then_some(self)
            }
            Outcome::OperatorRemoved(removed) => self.keys.remove(&removed.operator).map(|_| self),
            Outcome::AuditorAdded(added) => {
                let kid = Thumbprint::of(&added.sign_key);
                let new = !self.has(kid) && self.auditors.insert(kid, added.sign_key).is_none();
                new.then_some(self)
            }
            Outcome::AuditorRemoved(removed) => self.auditors.remove(&removed.auditor).map(|_| self),
            _ => None,
        }
    }
}

/// Where a provider stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderStatus {
    /// An operator invited it; nobody has registered.
    Invited,
    /// Registered; an operator has yet to verify it.
    Pending,
    /// Verified: it may use the vault.
    Verified,
    /// Suspended: it may do nothing.
    Suspended,
}

impl ProviderStatus {
    /// The word for it in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Suspended => "suspended",
        }
    }
}

/// Who registered a provider, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// The first person's stream.
    pub staff: Id,
    /// The first person's Ed25519 public key.
    pub sign_key: Bytes<32>,
    /// The `seq` of the event; its private part has name, phone and organisation.
    pub seq: u64,
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its cloud ID.
    pub id: Id,
    /// Where it stands.
    pub status: ProviderStatus,
    /// SHA-256 of the invitation's code.
    pub code_hash: Hash,
    /// The invitation's end, Unix milliseconds.
    pub invited_until_ms: u64,
    /// Who took the invitation up.
    pub registration: Option<Registration>,
}

impl Provider {
    pub(super) fn begin(id: Id, event: &Event) -> Option<Self> {
        let Outcome::ProviderInvited(invited) = &event.outcome else { return None };
        Some(Self {
            id,
            status: ProviderStatus::Invited,
            code_hash: invited.code_hash,
            invited_until_ms: invited.expires_at,
            registration: None,
        })
    }

    pub(super) fn then(mut self, event: &Event) -> Option<Self> {
        let (from, to): (&[ProviderStatus], _) = match &event.outcome {
            Outcome::ProviderRegistered(registered) => {
                let Action::ProviderRegister(register) = &event.command.as_ref()?.action else { return None };
                let sign_key = register.sign_key;
                self.registration = Some(Registration { staff: registered.staff, sign_key, seq: event.place.seq });
                (&[ProviderStatus::Invited], ProviderStatus::Pending)
            }
            Outcome::ProviderVerified(_) => {
                (&[ProviderStatus::Pending, ProviderStatus::Suspended], ProviderStatus::Verified)
            }
            Outcome::ProviderSuspended(_) => {
                (&[ProviderStatus::Pending, ProviderStatus::Verified], ProviderStatus::Suspended)
            }
            _ => return None,
        };
        if !from.contains(&self.status) {
            return None;
        }
        self.status = to;
        Some(self)
    }
}

/// A person of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    /// The person's id: the `kid` of their commands.
    pub id: Id,
    /// The provider they act for.
    pub provider: Id,
    /// What they may do there.
    pub role: Role,
    /// Ed25519 public key.
    pub sign_key: Bytes<32>,
    /// X25519 public key.
    pub seal_key: Bytes<32>,
}

impl Staff {
    pub(super) fn begin(id: Id, event: &Event) -> Option<Self> {
        let Outcome::StaffAdded(StaffAdded { provider, role, sign_key, seal_key }) = event.outcome else { return None };
        Some(Self { id, provider, role, sign_key, seal_key })
    }

    /// The person as a signer.
    pub fn kid(&self) -> Kid {
        Kid::Person(self.id)
    }
}
