//! Keys that notes are verified with, and their text form: `<name>+<key id, hex>+base64(type || public key)`.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};

/// Longest name of a key, and so of an origin.
pub const MAX_KEY_NAME_BYTES: usize = 255;

/// What a key's signatures are over. The byte is the one that C2SP assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureType {
    /// The note's text.
    Ed25519 = 0x01,
    /// A timestamp and the note's text (`cosignature/v1`).
    Cosignature = 0x04,
}

/// The first four bytes of SHA-256(name || newline || type || public key): enough to find a key, not to trust one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A named public key for one type of signature. It is printed and read as a C2SP vkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    signature_type: SignatureType,
    key: VerifyingKey,
    id: KeyId,
}

/// The text is not a verifier key that can be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `<name>+<key id>+<base64>` in its one spelling.
    #[error("not a verifier key: <name>+<key id>+<base64>")]
    Malformed,
    /// Empty, too long, or with a space, a plus or a control character.
    #[error("a key's name has 1 to {MAX_KEY_NAME_BYTES} bytes, without spaces and plus signs")]
    Name,
    /// A type of signature that is not known here.
    #[error("the key is for a type of signature that is not known here")]
    Type,
    /// Not a point of the curve, or one of small order, under which anything verifies.
    #[error("not an Ed25519 public key")]
    PublicKey,
    /// The id is another key's.
    #[error("the key id does not belong to this name and key")]
    Id,
}

impl KeyError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "key-malformed",
            Self::Name => "key-name",
            Self::Type => "key-type",
            Self::PublicKey => "key-public-key",
            Self::Id => "key-id",
        }
    }
}

impl VerifierKey {
    /// A key under a name.
    pub fn new(name: &str, signature_type: SignatureType, public_key: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let key = VerifyingKey::from_bytes(public_key).ok().filter(|key| !key.is_weak()).ok_or(KeyError::PublicKey)?;
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', signature_type as u8])
            .chain_update(public_key)
            .finalize();
        let id = KeyId([hash[0], hash[1], hash[2], hash[3]]);
        Ok(Self { name: name.to_owned(), signature_type, key, id })
    }

    /// The key of a log's clock, under the name that it has: the log's, with `/clock` behind it.
    pub fn of_clock(origin: &str, public_key: &[u8; 32]) -> Result<Self, KeyError> {
        Self::new(&format!("{origin}/clock"), SignatureType::Cosignature, public_key)
    }

    /// Its name: a log's is its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn signature_type(&self) -> SignatureType {
        self.signature_type
    }

    /// The bytes that signature lines find it by, beside the name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The Ed25519 public key.
    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    pub(super) fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [&[self.signature_type as u8][..], self.public_key()].concat();
        write!(f, "{}+{}+{}", self.name, self.id, STANDARD.encode(material))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Malformed);
        };
        let material = STANDARD.decode(material).map_err(|_| KeyError::Malformed)?;
        let (&signature_type, public_key) = material.split_first().ok_or(KeyError::Malformed)?;
        let signature_type = match signature_type {
            0x01 => SignatureType::Ed25519,
            0x04 => SignatureType::Cosignature,
            _ => return Err(KeyError::Type),
        };
        let public_key = public_key.try_into().map_err(|_| KeyError::PublicKey)?;
        let key = Self::new(name, signature_type, public_key)?;
        if key.id.to_string() == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

/// Not empty, and nothing in it that would end it early on a signature line.
pub(super) fn is_key_name(name: &str) -> bool {
    let separates = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    (1..=MAX_KEY_NAME_BYTES).contains(&name.len()) && !name.contains(separates)
}
