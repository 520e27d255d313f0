//! The types of commands with their fields, bounds and private fields.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::members_of;
use crate::codes::{Code, Refusal};
use crate::encoding::{Bytes, Hash};
use crate::id::{Id, Thumbprint};
use crate::jws::is_public_key;
use crate::limits::{
    MAX_FRAME_BYTES, MAX_GRANT_S, MAX_MEDIA_TYPE_BYTES, MAX_RECORD_BODY_BYTES, MAX_VERSIONS, MIN_FRAME_BYTES,
    MIN_GRANT_S,
};
use crate::private::FieldRule;
use crate::purpose::Purpose;

/// The one algorithm suite of records: AES-256-GCM, HKDF-SHA512, key commitment, no signature.
pub const SUITE: &str = "0478";

const fn required(name: &'static str, max_bytes: usize) -> FieldRule {
    FieldRule { name, required: true, max_bytes }
}

const fn optional(name: &'static str, max_bytes: usize) -> FieldRule {
    FieldRule { name, required: false, max_bytes }
}

macro_rules! actions {
    ($($variant:ident($fields:ident) = $typ:literal, [$($rule:expr),*];)*) => {
        /// What a command asks for.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Action {
            $(#[doc = concat!("`", $typ, "`")] $variant($fields),)*
        }

        impl Action {
            /// Every command type.
            pub const TYPES: &'static [&'static str] = &[$($typ,)*];

            /// The command's type.
            pub const fn typ(&self) -> &'static str {
                match self { $(Self::$variant(_) => $typ,)* }
            }

            /// The private fields it may and must have.
            pub const fn private_rules(&self) -> &'static [FieldRule] {
                match self { $(Self::$variant(_) => const { &[$($rule),*] },)* }
            }

            /// Reads the members, each in its one form.
            pub(super) fn parse(typ: &str, members: Map<String, Value>) -> Result<Self, Refusal> {
                let fields = Value::Object(members);
                let action = match typ {
                    $($typ => $fields::deserialize(&fields).map(Self::$variant).map_err(|_| Code::MalformedCommand)?,)*
                    _ => return Err(Refusal::field(Code::MalformedCommand, "typ")),
                };
                if Value::Object(action.to_members()) == fields { Ok(action) } else { Err(Code::MalformedCommand.into()) }
            }

            pub(super) fn to_members(&self) -> Map<String, Value> {
                match self { $(Self::$variant(fields) => members_of(fields),)* }
            }
        }

        $(impl From<$fields> for Action {
            fn from(fields: $fields) -> Self {
                Self::$variant(fields)
            }
        })*
    };
}

actions! {
    OperatorAdd(OperatorAdd) = "operator.add.v1", [];
    OperatorRemove(OperatorRemove) = "operator.remove.v1", [required("reason", 1_000)];
    AuditorAdd(AuditorAdd) = "auditor.add.v1", [];
    AuditorRemove(AuditorRemove) = "auditor.remove.v1", [required("reason", 1_000)];
    ProviderInvite(ProviderInvite) = "provider.invite.v1", [optional("note", 1_000)];
    ProviderRegister(ProviderRegister) = "provider.register.v1",
        [required("organisation", 200), required("name", 200), required("phone", 50), optional("email", 254)];
    ProviderVerify(ProviderVerify) = "provider.verify.v1", [optional("note", 1_000)];
    ProviderSuspend(ProviderSuspend) = "provider.suspend.v1", [required("reason", 1_000)];
    RecordCreate(RecordCreate) = "record.create.v1", [];
    RecordVersion(RecordVersion) = "record.version.v1", [];
    RecordAnnounce(Announcement) = "record.announce.v1", [required("tokens", 32 * 44), optional("label", 200)];
    RecordKey(RecordKey) = "record.key.v1", [];
    RecordDownload(RecordDownload) = "record.download.v1", [];
    AccessRequest(AccessRequest) = "access.request.v1", [required("justification", 2_000)];
    AccessApprove(AccessApprove) = "access.approve.v1", [optional("comment", 1_000)];
    AccessDeny(AccessDeny) = "access.deny.v1", [required("reason", 1_000)];
    KeyIssue(KeyIssue) = "key.issue.v1", [];
    RequestDownload(RequestDownload) = "request.download.v1", [];
    SearchPerform(SearchPerform) = "search.perform.v1", [required("query", 8 * 1024)];
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
    /// An operator makes another key an operator's.
    OperatorAdd {
        /// The new operator's Ed25519 public key.
        sign_key: Bytes<32>,
    }
    /// An operator takes an operator's rights away.
    OperatorRemove {
        /// Whose.
        operator: Thumbprint,
    }
    /// An operator lets a key read what operators read, and sign nothing but that.
    AuditorAdd {
        /// The new auditor's Ed25519 public key.
        sign_key: Bytes<32>,
    }
    /// An operator takes an auditor's rights away.
    AuditorRemove {
        /// Whose.
        auditor: Thumbprint,
    }
    /// An operator invites an organisation: its cloud ID comes to be.
    ProviderInvite {
        /// SHA-256 of the code that the invitation carries.
        code_hash: Hash,
        /// Good until, Unix milliseconds.
        expires_at: u64,
    }
    /// The first person of an invited organisation registers it, with a new wallet. `kid` is the thumbprint of `sign_key`.
    ProviderRegister {
        /// The cloud ID from the invitation.
        provider: Id,
        /// The code from the invitation; it is of no more use once this command is accepted.
        code: Bytes<16>,
        /// The wallet's Ed25519 public key.
        sign_key: Bytes<32>,
        /// The wallet's X25519 public key, for sealed data keys.
        seal_key: Bytes<32>,
    }
    /// An operator vouches for a registration, or reinstates a suspended provider.
    ProviderVerify {
        /// The provider.
        provider: Id,
        /// The stream's head that the operator looked at.
        head: Hash,
    }
    /// An operator suspends a provider.
    ProviderSuspend {
        /// The provider.
        provider: Id,
    }
    /// A new record: the vault makes an id and a data key.
    RecordCreate {}
    /// A new version of a record, with a data key of its own.
    RecordVersion {
        /// The record.
        record: Id,
    }
    /// What will be uploaded: this, signed by the uploader, is what binds a body to its record.
    Announcement {
        /// The record.
        record: Id,
        /// Its version.
        version: u32,
        /// RFC 6838 media type of the plaintext.
        media_type: String,
        /// The AWS Encryption SDK algorithm suite, four hex digits.
        suite: String,
        /// The message id: fresh for every encryption run.
        message_id: Bytes<32>,
        /// The key commitment of the suite.
        commitment: Bytes<32>,
        /// Plaintext bytes of a frame.
        frame_bytes: u32,
        /// Bytes of the body: what is stored.
        body_bytes: u64,
        /// RFC 6962 tree hash over the frames.
        frames_root: Hash,
        /// S3's composite checksum: SHA-256 over the concatenated SHA-256 of the parts; of a single PUT, the SHA-256 of the body itself.
        parts_root: Hash,
    }
    /// The owner asks for its record's data key.
    RecordKey {
        /// The record.
        record: Id,
        /// Its version.
        version: u32,
    }
    /// The owner downloads its record.
    RecordDownload {
        /// The record.
        record: Id,
        /// Its version.
        version: u32,
    }
    /// A provider asks for access to another's record.
    AccessRequest {
        /// The record.
        record: Id,
        /// Its version.
        version: u32,
        /// Why.
        purpose: Purpose,
        /// For how long, from the approval on.
        grant_seconds: u64,
    }
    /// An operator approves a request.
    AccessApprove {
        /// The request.
        request: Id,
        /// Its head that the operator looked at.
        head: Hash,
    }
    /// An operator denies a request.
    AccessDeny {
        /// The request.
        request: Id,
        /// Its head that the operator looked at.
        head: Hash,
    }
    /// The requester asks for the data key.
    KeyIssue {
        /// The request.
        request: Id,
        /// The record it is for.
        record: Id,
    }
    /// The requester downloads.
    RequestDownload {
        /// The request.
        request: Id,
        /// The record it is for.
        record: Id,
    }
    /// A search; what is searched for is in the private part.
    SearchPerform {}
}

impl Action {
    /// Checks the bounds of the fields: what can be refused without any state.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let bad = |field| Err(Refusal::field(Code::BadField, field));
        match self {
            Self::OperatorAdd(OperatorAdd { sign_key }) if !is_public_key(sign_key) => bad("sign_key"),
            Self::AuditorAdd(AuditorAdd { sign_key }) if !is_public_key(sign_key) => bad("sign_key"),
            Self::ProviderRegister(ProviderRegister { sign_key, .. }) if !is_public_key(sign_key) => bad("sign_key"),
            Self::ProviderRegister(ProviderRegister { seal_key, .. }) if seal_key.0 == [0; 32] => bad("seal_key"),
            Self::RecordAnnounce(announcement) => announcement.check(),
            Self::RecordKey(RecordKey { version, .. })
            | Self::RecordDownload(RecordDownload { version, .. })
            | Self::AccessRequest(AccessRequest { version, .. })
                if *version == 0 || *version > MAX_VERSIONS =>
            {
                bad("version")
            }
            Self::AccessRequest(AccessRequest { grant_seconds, .. })
                if !(MIN_GRANT_S..=MAX_GRANT_S).contains(grant_seconds) =>
            {
                bad("grant_seconds")
            }
            _ => Ok(()),
        }
    }
}

impl Announcement {
    /// Bytes that framing adds to a frame that is not the last: sequence number, IV, tag.
    const FRAME_OVERHEAD_BYTES: u64 = 32;
    /// Bytes of a final frame without content: end marker, sequence number, IV, length, tag.
    const FINAL_OVERHEAD_BYTES: u64 = 40;

    fn check(&self) -> Result<(), Refusal> {
        let bad = |field| Err(Refusal::field(Code::BadField, field));
        if self.version == 0 || self.version > MAX_VERSIONS {
            return bad("version");
        }
        if self.suite != SUITE {
            return bad("suite");
        }
        if !is_media_type(&self.media_type) {
            return bad("media_type");
        }
        if !(MIN_FRAME_BYTES..=MAX_FRAME_BYTES).contains(&self.frame_bytes) || !self.frame_bytes.is_power_of_two() {
            return bad("frame_bytes");
        }
        if self.body_bytes < Self::FINAL_OVERHEAD_BYTES {
            return bad("body_bytes");
        }
        if self.body_bytes > MAX_RECORD_BODY_BYTES {
            return Err(Refusal::field(Code::UploadTooLarge, "body_bytes"));
        }
        // Whole frames, then a final one of 0 to frame_bytes content bytes.
        let frame = u64::from(self.frame_bytes);
        let fits = (self.body_bytes - Self::FINAL_OVERHEAD_BYTES) % (frame + Self::FRAME_OVERHEAD_BYTES) <= frame;
        if fits { Ok(()) } else { bad("body_bytes") }
    }
}

/// `type/subtype` with the restricted names of RFC 6838 section 4.2, lower case, no parameters.
pub fn is_media_type(text: &str) -> bool {
    let restricted = |name: &str| {
        name.len() <= 127
            && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$&-^_.+".contains(&b))
    };
    text.len() <= MAX_MEDIA_TYPE_BYTES
        && text.split_once('/').is_some_and(|(major, minor)| restricted(major) && restricted(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_plain() {
        for good in
            ["application/fhir+json", "text/plain", "image/png", "application/vnd.ms-excel", "application/dicom"]
        {
            assert!(is_media_type(good), "{good}");
        }
        for bad in [
            "",
            "text",
            "text/",
            "/plain",
            "text/plain; charset=utf-8",
            "Text/plain",
            "text/pl ain",
            "a/b/c",
            "text/\n",
        ] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
