//! The shape of the files in `envelope/vectors`. Bytes are base64url without padding, digests hexadecimal.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chartseal_envelope::key_release::SealedKey;
use chartseal_envelope::{Announcement, Context, WrappedKey};
use serde::{Deserialize, Serialize, de::Error};
use sha2::{Digest, Sha256};

/// Bytes in a vector file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        URL_SAFE_NO_PAD.decode(String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

impl Bytes {
    pub fn array(&self) -> [u8; 32] {
        self.0[..].try_into().expect("32 bytes")
    }
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct ContextShape {
    pub tenant: String,
    pub record: String,
    pub version: u32,
}

impl ContextShape {
    pub fn context(&self) -> Context {
        Context::new(&self.tenant, &self.record, self.version).unwrap()
    }
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct WrappedKeyShape {
    pub provider_id: String,
    pub provider_info: Bytes,
    pub ciphertext: Bytes,
}

impl WrappedKeyShape {
    pub fn wrapped_key(&self) -> WrappedKey {
        WrappedKey::of(&self.provider_id, &self.provider_info.0, &self.ciphertext.0).unwrap()
    }
}

/// An announcement, its frame length not held to the vault's limits.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct AnnouncementShape {
    /// Four hexadecimal digits.
    pub suite: String,
    pub message_id: Bytes,
    pub commitment: Bytes,
    pub frame_bytes: u32,
    pub body_bytes: u64,
    pub frames_root: String,
    pub parts_root: String,
}

impl AnnouncementShape {
    pub fn of(announcement: &Announcement) -> Self {
        Self {
            suite: format!("{:04x}", announcement.suite),
            message_id: Bytes(announcement.message_id.to_vec()),
            commitment: Bytes(announcement.commitment.to_vec()),
            frame_bytes: announcement.frame_bytes.get(),
            body_bytes: announcement.body_bytes,
            frames_root: hex::encode(announcement.frames_root),
            parts_root: hex::encode(announcement.parts_root),
        }
    }

    pub fn announcement(&self) -> Announcement {
        let digest = |text: &str| hex::decode(text).unwrap().try_into().unwrap();
        Announcement {
            suite: u16::from_str_radix(&self.suite, 16).unwrap(),
            message_id: self.message_id.array(),
            commitment: self.commitment.array(),
            frame_bytes: chartseal_envelope::FrameBytes::beyond_vault_limits(self.frame_bytes),
            body_bytes: self.body_bytes,
            frames_root: digest(&self.frames_root),
            parts_root: digest(&self.parts_root),
        }
    }
}

/// A plaintext by description: byte i is i modulo 251, so that no two frames are alike.
pub fn counting_bytes(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    pub name: String,
    pub meaning: String,
    /// Whether our own writer makes this message; others are only read.
    pub ours: bool,
    pub data_key: Bytes,
    pub context: ContextShape,
    pub wrapped_key: WrappedKeyShape,
    pub announcement: AnnouncementShape,
    /// The plaintext is that many counting bytes.
    pub plaintext_bytes: usize,
    pub header: Bytes,
    /// Left out where it would be large: the writer makes it, and its digest is beside.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub body: Option<Bytes>,
    pub body_sha256: String,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct MustFail {
    pub name: String,
    pub meaning: String,
    /// The code of the failure that opening must give.
    pub failure: String,
    pub data_key: Bytes,
    pub context: ContextShape,
    pub announcement: AnnouncementShape,
    pub header: Bytes,
    pub body: Bytes,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct BindingShape {
    pub tenant: String,
    pub record: String,
    pub version: u32,
    pub request: Option<String>,
    pub requester: String,
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub name: String,
    pub meaning: String,
    /// The code of the failure that opening must give; absent when it must succeed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
    /// What the sender draws at random (RFC 9180: ikmE); absent where the sealed key was changed after it was made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ephemeral_seed: Option<Bytes>,
    pub recipient_secret: Bytes,
    pub recipient_public: Bytes,
    pub binding: BindingShape,
    pub data_key: Bytes,
    pub sealed: SealedKey,
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Some frames of a golden message, and what proves that they are the announced ones.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct RangeShape {
    pub name: String,
    pub meaning: String,
    /// The name of the golden message.
    pub message: String,
    /// What its uploader announced instead of the truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announcement: Option<AnnouncementShape>,
    /// The bytes asked for, the end not included; likewise below.
    pub plaintext_from: u64,
    pub plaintext_to: u64,
    /// The frames that hold them, counted from zero.
    pub frames_from: u64,
    pub frames_to: u64,
    /// Where these stand in the body.
    pub body_from: u64,
    pub body_to: u64,
    /// What was fetched.
    pub body: Bytes,
    /// The hashes of the subtrees beside the range, from left to right.
    pub proof: Bytes,
    /// What it must fail with; none where it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}
