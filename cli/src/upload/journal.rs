//! The journal of an upload: what another run of the program needs to send the same ciphertext on. It never holds a key, a name or a term.
//!
//! It is a file of the user's own, but nothing of it is taken on trust: a keyed hash that only the wallet can make shows that this program wrote it,
//! into this slot, and the record, its owner, its wrapped key and what is uploaded are read again from checked evidence before anything is sent.

use chartseal_envelope::{PART_BYTES, Sealed, WrappedKey};
use chartseal_events::command::Announcement;
use chartseal_events::encoding::{base64url, from_base64url};
use chartseal_events::{Hash, Id, Kid, strict};
use serde::{Deserialize, Serialize};

use super::Created;
use super::slot_key::SlotKey;
use crate::announcement;
use crate::error::Error;
use crate::state::{JOURNAL, Slot};
use crate::vault::VaultPin;

/// Longest journal: the digests of 10,000 parts are 670 kB.
const MAX_JOURNAL_BYTES: u64 = 2 * 1024 * 1024;
/// The version of the file's shape.
const VERSION: u32 = 2;

/// How far an upload came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    v: u32,
    /// The vault, by name and by the leaf of its genesis event.
    pub(super) origin: String,
    pub(super) genesis: Hash,
    /// Whose wallet.
    pub(super) kid: Kid,
    pub(super) record: Id,
    pub(super) version: u32,
    /// The data key as KMS wrapped it, and the KMS key.
    key_arn: String,
    wrapped_key: String,
    pub(super) begun_at_ms: u64,
    /// Once the file is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<Run>,
    /// The keyed hash of the slot's name and everything above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<Hash>,
}

/// An encryption run whose ciphertext lies beside the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    header: String,
    pub(super) announcement: Announcement,
    /// SHA-256 of every 64 MiB.
    pub(super) parts: Vec<Hash>,
    pub(super) plaintext_bytes: u64,
    /// The keyed hash of the message id and the plaintext's SHA-256: that alone would tell which known file it is.
    plaintext_mac: Hash,
    /// Once the vault has taken the announcement: until when it waits for the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at_ms: Option<u64>,
    /// S3's multipart upload, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) upload_id: Option<String>,
    /// All parts were sent.
    #[serde(default)]
    pub(super) completing: bool,
}

impl Journal {
    pub(super) fn new(pin: &VaultPin, kid: Kid, created: &Created, now_ms: u64) -> Self {
        Self {
            v: VERSION,
            origin: pin.origin.clone(),
            genesis: pin.genesis,
            kid,
            record: created.record,
            version: created.version,
            key_arn: String::from_utf8_lossy(created.wrapped_key.provider_info()).into_owned(),
            wrapped_key: base64url(created.wrapped_key.ciphertext()),
            begun_at_ms: now_ms,
            run: None,
            mac: None,
        }
    }

    /// What a slot has; none if there is none, or none that this program wrote there with this wallet.
    pub(super) fn read(slot: &Slot, key: &SlotKey) -> Result<Option<Self>, Error> {
        let journal = slot.read(JOURNAL, MAX_JOURNAL_BYTES)?.and_then(|bytes| Self::parse(&bytes));
        Ok(journal.filter(|journal| journal.mac == Some(journal.mac_in(slot, key))))
    }

    /// Reads without looking whether it was changed, which takes the wallet: only to be shown.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let journal: Self = serde_json::from_value(strict::value(bytes).ok()?).ok()?;
        let sound = journal.v == VERSION && journal.run.as_ref().is_none_or(|run| run.is_sound(&journal));
        sound.then_some(journal)
    }

    pub(super) fn write(&self, slot: &Slot, key: &SlotKey) -> Result<(), Error> {
        let signed = Self { mac: Some(self.mac_in(slot, key)), ..self.clone() };
        slot.write(JOURNAL, &signed.to_bytes())
    }

    fn mac_in(&self, slot: &Slot, key: &SlotKey) -> Hash {
        let bare = Self { mac: None, ..self.clone() };
        key.mac("journal", &[slot.name().as_encoded_bytes(), &bare.to_bytes()])
    }

    fn to_bytes(&self) -> Vec<u8> {
        // Texts, numbers and lists always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The data key as KMS wrapped it.
    pub(super) fn wrapped_key(&self) -> Option<WrappedKey> {
        WrappedKey::kms(&self.key_arn, &from_base64url(&self.wrapped_key).ok()?).ok()
    }

    /// How far it came, in a word.
    pub(super) fn stage(&self) -> &'static str {
        match &self.run {
            None => "created",
            Some(run) if run.completing => "completing",
            Some(run) if run.upload_id.is_some() => "sending",
            Some(run) if run.expires_at_ms.is_some() => "announced",
            Some(_) => "encrypted",
        }
    }
}

impl Run {
    pub(super) fn new(
        journal: &Journal,
        media_type: &str,
        sealed: &Sealed,
        plaintext_sha256: &Hash,
        key: &SlotKey,
    ) -> Self {
        Self {
            header: base64url(&sealed.header),
            announcement: announcement::to_sign(journal.record, journal.version, media_type, sealed),
            parts: sealed.parts.iter().copied().map(Hash).collect(),
            plaintext_bytes: sealed.plaintext_bytes,
            plaintext_mac: plaintext_mac(key, &sealed.message_id, plaintext_sha256),
            expires_at_ms: None,
            upload_id: None,
            completing: false,
        }
    }

    /// Whether this is the plaintext of the run.
    pub(super) fn is_of(&self, plaintext_sha256: &Hash, key: &SlotKey) -> bool {
        self.plaintext_mac == plaintext_mac(key, &self.announcement.message_id.0, plaintext_sha256)
    }

    /// The message header.
    pub(super) fn header(&self) -> Vec<u8> {
        // It was read from this text when the journal was.
        from_base64url(&self.header).unwrap_or_default()
    }

    /// The bytes of a part, counted from 1, and where it begins.
    pub(super) fn span(&self, number: u32) -> (u64, u64) {
        let start = u64::from(number.saturating_sub(1)) * PART_BYTES;
        (start, self.announcement.body_bytes.saturating_sub(start).min(PART_BYTES))
    }

    fn is_sound(&self, journal: &Journal) -> bool {
        let digests: Vec<_> = self.parts.iter().map(|part| part.0).collect();
        (self.announcement.record, self.announcement.version) == (journal.record, journal.version)
            && self.parts.len() as u64 == self.announcement.body_bytes.div_ceil(PART_BYTES)
            && chartseal_envelope::parts_root(&digests) == self.announcement.parts_root.0
            && from_base64url(&self.header).is_ok()
    }
}

fn plaintext_mac(key: &SlotKey, message_id: &[u8; 32], plaintext_sha256: &Hash) -> Hash {
    key.mac("plaintext", &[message_id, &plaintext_sha256.0])
}
