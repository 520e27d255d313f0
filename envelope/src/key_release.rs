//! Key release: how a data key reaches one person's wallet and nobody else.
//!
//! HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM, one sealing per release, empty AAD. The `info` names what the
//! release is for, so a sealed key opens only for the tenant, record, version, request and requester it was made for:
//!
//! ```text
//! info = field("chartseal/key-release/v1") || field(tenant) || field(record) || field(version in decimal)
//!        || (0x00 when there is no request, 0x01 || field(request) when there is) || field(requester)
//! field(text) = length of the UTF-8 bytes in two bytes, big-endian || the UTF-8 bytes
//! ```
//!
//! Base mode does not say who sealed: that the vault released the key is in its `key.issued.v1` event, and that the key is right is in the
//! message's commitment. Sealed keys are made anew each time and never stored.

use std::fmt;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{CryptoRng, RngCore};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding;
use crate::entropy::{self, EntropyError};
use crate::keys::{DATA_KEY_BYTES, DataKey};

/// Most bytes of each text of a [`Binding`].
pub const MAX_BINDING_FIELD_BYTES: usize = 512;

const LABEL: &str = "chartseal/key-release/v1";
const SEALED_BYTES: usize = DATA_KEY_BYTES + crate::aead::TAG_BYTES;

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// What a release is for. Both sides build it from what they know; it is never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The vault's origin.
    pub tenant: &'a str,
    /// The record's id.
    pub record: &'a str,
    /// The record's version.
    pub version: u32,
    /// The access request the key is released under; none when the owner fetches its own record's key.
    pub request: Option<&'a str>,
    /// Who receives the key: the person's `kid`.
    pub requester: &'a str,
}

/// A data key sealed to one wallet. JSON: `{"enc": base64url, "ciphertext": base64url}`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedKey {
    /// The ephemeral X25519 public key.
    #[serde(with = "encoding::base64url")]
    pub enc: [u8; 32],
    /// The sealed data key and its tag.
    #[serde(with = "encoding::base64url")]
    pub ciphertext: [u8; SEALED_BYTES],
}

/// A wallet's X25519 secret key. Zeroed when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RecipientSecret([u8; 32]);

impl RecipientSecret {
    /// A fresh random key.
    pub fn generate() -> Result<Self, EntropyError> {
        let mut secret = Self([0; 32]);
        entropy::fill(&mut secret.0)?;
        Ok(secret)
    }

    /// The key with these bytes (RFC 7748: any 32 bytes are a key).
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be kept in the wallet.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public key that goes with it.
    pub fn public_key(&self) -> Result<[u8; 32], ReleaseError> {
        Ok(X25519HkdfSha256::sk_to_pk(&self.private_key()?).to_bytes().into())
    }

    fn private_key(&self) -> Result<PrivateKey, ReleaseError> {
        PrivateKey::from_bytes(&self.0).map_err(|_| ReleaseError::NotOpened)
    }
}

impl fmt::Debug for RecipientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecipientSecret(..)")
    }
}

/// Why a key was not released or not received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// A text of the binding is longer than [`MAX_BINDING_FIELD_BYTES`].
    #[error("a name in the key's binding is longer than {MAX_BINDING_FIELD_BYTES} bytes")]
    BindingTooLong,
    /// The recipient's public key is of no use (all shared secrets with it are known).
    #[error("the recipient's public key cannot be used")]
    BadRecipient,
    /// No random bytes for the ephemeral key.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The sealed key was changed, or is for another wallet, record, version, request or requester.
    #[error("the sealed key was changed, or was sealed to another wallet or for another purpose")]
    NotOpened,
}

impl ReleaseError {
    /// A stable name of this failure, as the frozen vectors use it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BindingTooLong => "binding-too-long",
            Self::BadRecipient => "bad-recipient",
            Self::Entropy(_) => "no-entropy",
            Self::NotOpened => "sealed-key-not-opened",
        }
    }
}

/// Seals a data key to a wallet's X25519 public key.
pub fn seal(key: &DataKey, recipient: &[u8; 32], binding: &Binding<'_>) -> Result<SealedKey, ReleaseError> {
    let mut ephemeral = Zeroizing::new([0; 32]);
    entropy::fill(ephemeral.as_mut())?;
    seal_with_ephemeral(&ephemeral, key, recipient, binding)
}

/// Seals with a given ephemeral seed. Only for frozen vectors: a seed used twice shows that two releases are of one key.
#[doc(hidden)]
pub fn seal_with_ephemeral(
    seed: &[u8; 32],
    key: &DataKey,
    recipient: &[u8; 32],
    binding: &Binding<'_>,
) -> Result<SealedKey, ReleaseError> {
    let (enc, ciphertext) = seal_bytes(seed, recipient, &info(binding)?, &[], key.expose())?;
    // Unwrap safety: AES-256-GCM adds a tag of 16 bytes to 32 bytes.
    let ciphertext = ciphertext.try_into().expect("a key and its tag");
    Ok(SealedKey { enc, ciphertext })
}

/// Opens a data key that was sealed to this wallet for this purpose.
pub fn open(sealed: &SealedKey, secret: &RecipientSecret, binding: &Binding<'_>) -> Result<DataKey, ReleaseError> {
    let opened = open_bytes(&sealed.enc, secret, &info(binding)?, &[], &sealed.ciphertext)?;
    DataKey::from_slice(&opened).map_err(|_| ReleaseError::NotOpened)
}

fn seal_bytes(
    seed: &[u8; 32],
    recipient: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<([u8; 32], Vec<u8>), ReleaseError> {
    let recipient = PublicKey::from_bytes(recipient).map_err(|_| ReleaseError::BadRecipient)?;
    let (enc, ciphertext) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, X25519HkdfSha256, _>(
        &OpModeS::Base,
        &recipient,
        info,
        plaintext,
        aad,
        &mut Drawn { seed: Zeroizing::new(*seed), at: 0 },
    )
    .map_err(|_| ReleaseError::BadRecipient)?;
    Ok((enc.to_bytes().into(), ciphertext))
}

fn open_bytes(
    enc: &[u8; 32],
    secret: &RecipientSecret,
    info: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ReleaseError> {
    let enc = EncappedKey::from_bytes(enc).map_err(|_| ReleaseError::NotOpened)?;
    hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret.private_key()?,
        &enc,
        info,
        ciphertext,
        aad,
    )
    .map(Zeroizing::new)
    .map_err(|_| ReleaseError::NotOpened)
}

/// The canonical encoding described at the top of this file.
fn info(binding: &Binding<'_>) -> Result<Vec<u8>, ReleaseError> {
    let mut info = Vec::new();
    put_field(&mut info, LABEL)?;
    put_field(&mut info, binding.tenant)?;
    put_field(&mut info, binding.record)?;
    put_field(&mut info, &binding.version.to_string())?;
    match binding.request {
        None => info.push(0),
        Some(request) => {
            info.push(1);
            put_field(&mut info, request)?;
        }
    }
    put_field(&mut info, binding.requester)?;
    Ok(info)
}

fn put_field(info: &mut Vec<u8>, text: &str) -> Result<(), ReleaseError> {
    if text.len() > MAX_BINDING_FIELD_BYTES {
        return Err(ReleaseError::BindingTooLong);
    }
    let length = u16::try_from(text.len()).map_err(|_| ReleaseError::BindingTooLong)?;
    info.extend(length.to_be_bytes());
    info.extend(text.as_bytes());
    Ok(())
}

/// Random bytes that were drawn before HPKE is called, because HPKE's own interface has no way to say that there were none.
struct Drawn {
    seed: Zeroizing<[u8; 32]>,
    at: usize,
}

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        hpke::rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        hpke::rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, room: &mut [u8]) {
        let end = self.at + room.len();
        // Never a byte twice: base mode draws one seed of 32 bytes (RFC 9180 section 4.1), and a library that draws more must not go unnoticed.
        assert!(end <= self.seed.len(), "HPKE drew more than one ephemeral seed");
        room.copy_from_slice(&self.seed[self.at..end]);
        self.at = end;
    }
}

impl CryptoRng for Drawn {}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    /// Published with RFC 9180: mode 0, KEM 0x0020, KDF 0x0001, AEAD 0x0002, sequence number 0.
    #[test]
    fn agrees_with_the_vectors_of_rfc_9180() {
        let seed = bytes("2cd7c601cefb3d42a62b04b7a9041494c06c7843818e0ce28a8f704ae7ab20f9");
        let secret =
            RecipientSecret::from_bytes(bytes("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d"));
        let recipient = bytes("430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c");
        let enc = bytes("6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256");
        let info = hex::decode("4f6465206f6e2061204772656369616e2055726e").unwrap();
        let aad = hex::decode("436f756e742d30").unwrap();
        let plaintext = hex::decode("4265617574792069732074727574682c20747275746820626561757479").unwrap();
        let ciphertext =
            hex::decode("e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a")
                .unwrap();
        assert_eq!(secret.public_key(), Ok(recipient));
        assert_eq!(seal_bytes(&seed, &recipient, &info, &aad, &plaintext), Ok((enc, ciphertext.clone())));
        assert_eq!(*open_bytes(&enc, &secret, &info, &aad, &ciphertext).unwrap(), plaintext);
    }

    const BINDING: Binding<'static> =
        Binding { tenant: "vault.example", record: "R", version: 1, request: Some("Q"), requester: "K" };

    #[test]
    fn a_released_key_comes_back() {
        let (key, secret) = (DataKey::generate().unwrap(), RecipientSecret::generate().unwrap());
        for binding in [BINDING, Binding { request: None, ..BINDING }] {
            let sealed = seal(&key, &secret.public_key().unwrap(), &binding).unwrap();
            assert_eq!(open(&sealed, &secret, &binding).unwrap().expose(), key.expose());
        }
    }

    #[test]
    fn every_release_is_sealed_afresh() {
        let (key, secret) = (DataKey::generate().unwrap(), RecipientSecret::generate().unwrap());
        let recipient = secret.public_key().unwrap();
        assert_ne!(seal(&key, &recipient, &BINDING).unwrap(), seal(&key, &recipient, &BINDING).unwrap());
    }

    #[test]
    fn no_two_bindings_have_one_encoding() {
        let bindings = [
            BINDING,
            Binding { tenant: "vault.exampleR", record: "", ..BINDING },
            Binding { record: "R1", ..BINDING },
            Binding { version: 11, ..BINDING },
            Binding { request: None, ..BINDING },
            Binding { request: Some(""), ..BINDING },
            Binding { request: Some("QK"), requester: "", ..BINDING },
            Binding { requester: "L", ..BINDING },
        ];
        let mut encodings: Vec<_> = bindings.iter().map(|binding| info(binding).unwrap()).collect();
        encodings.sort();
        encodings.dedup();
        assert_eq!(encodings.len(), bindings.len());
    }

    #[test]
    fn a_low_order_public_key_is_refused() {
        let key = DataKey::from_bytes([1; 32]);
        assert_eq!(seal(&key, &[0; 32], &BINDING), Err(ReleaseError::BadRecipient));
    }

    #[test]
    fn long_names_are_refused() {
        let long = "x".repeat(MAX_BINDING_FIELD_BYTES + 1);
        assert_eq!(info(&Binding { requester: &long, ..BINDING }), Err(ReleaseError::BindingTooLong));
    }
}
