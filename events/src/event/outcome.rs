//! The types of events with what each one states. A change of shape is a new version and an upcaster, never a change here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EventError;
use crate::encoding::{Bytes, Hash};
use crate::id::{Id, Thumbprint};
use crate::purpose::Purpose;

macro_rules! outcomes {
    ($($variant:ident($fields:ident) = $typ:literal;)*) => {
        /// What happened.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Outcome {
            $(#[doc = concat!("`", $typ, "`")] $variant($fields),)*
        }

        impl Outcome {
            /// Every event type.
            pub const TYPES: &'static [&'static str] = &[$($typ,)*];

            /// The event's type.
            pub const fn typ(&self) -> &'static str {
                match self { $(Self::$variant(_) => $typ,)* }
            }

            /// Reads an outcome that is written in its one form: an object of the type's members.
            pub(super) fn parse(typ: &str, value: &Value) -> Result<Self, EventError> {
                let outcome = match typ {
                    $($typ => $fields::deserialize(value).map(Self::$variant).map_err(|_| EventError::Malformed)?,)*
                    _ => return Err(EventError::Malformed),
                };
                if outcome.to_value() == *value { Ok(outcome) } else { Err(EventError::Malformed) }
            }

            pub(super) fn to_value(&self) -> Value {
                // Outcomes are structs of strings and numbers: they always serialise.
                match self { $(Self::$variant(fields) => serde_json::to_value(fields).unwrap_or_default(),)* }
            }
        }

        $(impl From<$fields> for Outcome {
            fn from(fields: $fields) -> Self {
                Self::$variant(fields)
            }
        })*
    };
}

outcomes! {
    Genesis(Genesis) = "vault.genesis.v1";
    OperatorAdded(OperatorAdded) = "operator.added.v1";
    OperatorRemoved(OperatorRemoved) = "operator.removed.v1";
    AuditorAdded(AuditorAdded) = "auditor.added.v1";
    AuditorRemoved(AuditorRemoved) = "auditor.removed.v1";
    ProviderInvited(ProviderInvited) = "provider.invited.v1";
    ProviderRegistered(ProviderRegistered) = "provider.registered.v1";
    ProviderVerified(ProviderVerified) = "provider.verified.v1";
    ProviderSuspended(ProviderSuspended) = "provider.suspended.v1";
    StaffAdded(StaffAdded) = "staff.added.v1";
    RecordCreated(RecordCreated) = "record.created.v1";
    RecordAnnounced(RecordAnnounced) = "record.announced.v1";
    RecordUploaded(RecordUploaded) = "record.uploaded.v1";
    UploadExpired(UploadExpired) = "record.upload-expired.v1";
    RecordDownloaded(RecordDownloaded) = "record.downloaded.v1";
    KeyIssued(KeyIssued) = "key.issued.v1";
    AccessRequested(AccessRequested) = "access.requested.v1";
    AccessVerified(AccessVerified) = "access.verified.v1";
    AccessApproved(AccessApproved) = "access.approved.v1";
    AccessDenied(AccessDenied) = "access.denied.v1";
    AccessExpired(AccessExpired) = "access.expired.v1";
    SearchPerformed(SearchPerformed) = "search.performed.v1";
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* })*
    };
}

fields! {
    /// The vault begins. Stands first in `vault`; everything is proven back to its leaf hash.
    Genesis {
        /// The vault's name: the `aud` of every command.
        origin: String,
        /// Ed25519 public key that signs the ledger's checkpoints.
        log_key: Bytes<32>,
        /// Ed25519 public key that says when a checkpoint was the log's head.
        clock_key: Bytes<32>,
        /// Public key of the blind-term evaluation (RFC 9497, ristretto255), of epoch 1.
        search_key: Bytes<32>,
        /// The first operators' Ed25519 public keys.
        operators: Vec<Bytes<32>>,
        /// How many operators a change of operators needs.
        operator_threshold: u32,
    }
    /// A key became an operator's.
    OperatorAdded {
        /// The Ed25519 public key.
        sign_key: Bytes<32>,
    }
    /// A key is no longer an operator's.
    OperatorRemoved {
        /// The key's thumbprint.
        operator: Thumbprint,
    }
    /// A key became an auditor's.
    AuditorAdded {
        /// The Ed25519 public key.
        sign_key: Bytes<32>,
    }
    /// A key is no longer an auditor's.
    AuditorRemoved {
        /// The key's thumbprint.
        auditor: Thumbprint,
    }
    /// An organisation was invited. Stands first in its stream.
    ProviderInvited {
        /// SHA-256 of the invitation's code.
        code_hash: Hash,
        /// The invitation's end, Unix milliseconds.
        expires_at: u64,
    }
    /// The invitation was taken up.
    ProviderRegistered {
        /// The first person, an administrator.
        staff: Id,
    }
    /// An operator vouched for the registration.
    ProviderVerified {}
    /// An operator suspended the provider.
    ProviderSuspended {}
    /// A person can act for a provider. Stands first in its stream.
    StaffAdded {
        /// The provider.
        provider: Id,
        /// What the person may do there.
        role: Role,
        /// Ed25519 public key.
        sign_key: Bytes<32>,
        /// X25519 public key.
        seal_key: Bytes<32>,
    }
    /// A version of a record has its id and its data key.
    RecordCreated {
        /// The provider that owns it.
        owner: Id,
        /// 1 for a new record.
        version: u32,
        /// SHA-256 of the KMS-wrapped data key.
        wrapped_sha256: Hash,
    }
    /// A body was announced; what it is stands in the signed command.
    RecordAnnounced {
        /// The version.
        version: u32,
        /// Until when the upload is waited for, Unix milliseconds.
        expires_at: u64,
    }
    /// The announced body is in S3 and matches.
    RecordUploaded {
        /// The version.
        version: u32,
        /// The `seq` of its announcement.
        announced: u64,
        /// S3's version id of the object, pinned for ever.
        version_id: String,
    }
    /// An announced body never came, or came too late.
    UploadExpired {
        /// The version.
        version: u32,
        /// The `seq` of its announcement.
        announced: u64,
    }
    /// A download was released.
    RecordDownloaded {
        /// The record.
        record: Id,
        /// The version.
        version: u32,
    }
    /// A data key was released, sealed to one wallet.
    KeyIssued {
        /// The record.
        record: Id,
        /// The version.
        version: u32,
        /// The X25519 public key that it was sealed to.
        seal_key: Bytes<32>,
    }
    /// A provider asked for access. Stands first in its stream.
    AccessRequested {
        /// The record.
        record: Id,
        /// Its version.
        version: u32,
        /// Its owner.
        owner: Id,
        /// Who asks.
        requester: Id,
        /// The person who asks, by key.
        requester_key: Thumbprint,
        /// Why.
        purpose: Purpose,
        /// For how long, from the approval on.
        grant_seconds: u64,
        /// Until when it can be decided, Unix milliseconds.
        expires_at: u64,
    }
    /// The requester was found registered, verified, and with a live wallet.
    AccessVerified {}
    /// Access was approved.
    AccessApproved {
        /// The grant's end, Unix milliseconds.
        until: u64,
    }
    /// Access was denied: by an operator, or by the vault because the requester could not be verified.
    AccessDenied {}
    /// The request's time was over undecided, or the grant's end was reached.
    AccessExpired {
        /// Which of the two.
        reason: ExpiryReason,
    }
    /// Somebody searched.
    SearchPerformed {
        /// How many records were found.
        hits: u32,
    }
}

/// What a person may do for their provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything, and the roster.
    Administrator,
    /// Records, searches and requests.
    Clinician,
}

/// Why access expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpiryReason {
    /// Nobody decided in time.
    Undecided,
    /// The grant's end was reached.
    GrantOver,
}
