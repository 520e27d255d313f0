//! Keys in KMS, one struct for each right: who makes data keys cannot open them, who opens them has nothing else.

#[cfg(feature = "dynamodb")]
mod search;
mod sign;

use std::collections::HashMap;
use std::ops::RangeInclusive;

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use chartseal_events::Bytes;
use zeroize::{Zeroize as _, Zeroizing};

use super::counted::Counted;
use super::failure::{unavailable, unusable};
use crate::ports::{DataKeyOpener, DataKeyPair, DataKeys, KeyContext, LogKey, StoreError};

#[cfg(feature = "dynamodb")]
pub use search::KmsSearchKeys;
pub use sign::{KmsClockKey, KmsLogSigner};

const SERVICE: &str = "KMS";
/// How long a ciphertext may be that KMS looks at.
const CIPHERTEXT_BYTES: RangeInclusive<usize> = 1..=6_144;
/// The DER SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) up to the key itself.
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

fn encryption_context(context: &KeyContext) -> HashMap<String, String> {
    HashMap::from([
        ("tenant".to_owned(), context.tenant.clone()),
        ("record".to_owned(), context.record.to_string()),
        ("version".to_owned(), context.version.to_string()),
    ])
}

/// A key of 32 bytes; whatever length it has, the service's copy is wiped.
fn key_of(blob: Option<Blob>) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = blob?.into_inner();
    let key = <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new);
    bytes.zeroize();
    key
}

/// Decrypts under one KMS key and context. What does not open is damaged, whatever KMS calls it. ("Decrypt", AWS KMS API Reference.)
async fn decrypt(
    client: &Client,
    key_arn: &str,
    context: HashMap<String, String>,
    wrapped: &[u8],
    what: &str,
) -> Result<Zeroizing<[u8; 32]>, StoreError> {
    let damaged = || StoreError::Damaged { what: what.to_owned() };
    // KMS calls a length that none of its ciphertexts has a mistake of the caller's, and names no error of `Decrypt` for it.
    if !CIPHERTEXT_BYTES.contains(&wrapped.len()) {
        return Err(damaged());
    }
    let call =
        client.decrypt().key_id(key_arn).ciphertext_blob(Blob::new(wrapped)).set_encryption_context(Some(context));
    match call.send().await {
        Ok(answer) => key_of(answer.plaintext).ok_or_else(damaged),
        Err(error) => match error.as_service_error() {
            Some(DecryptError::InvalidCiphertextException(_) | DecryptError::IncorrectKeyException(_)) => {
                Err(damaged())
            }
            _ => Err(unavailable(SERVICE, &error)),
        },
    }
}

/// A client whose calls are counted.
fn client(config: &SdkConfig) -> Client {
    Client::from_conf(aws_sdk_kms::config::Builder::from(config).interceptor(Counted).build())
}

/// Makes data keys under the record key (`kms:GenerateDataKey`).
#[derive(Debug, Clone)]
pub struct KmsDataKeys {
    client: Client,
    key_arn: String,
}

impl KmsDataKeys {
    /// Under the key with this ARN.
    pub fn new(config: &SdkConfig, key_arn: impl Into<String>) -> Self {
        Self { client: client(config), key_arn: key_arn.into() }
    }
}

impl DataKeys for KmsDataKeys {
    fn key_arn(&self) -> &str {
        &self.key_arn
    }

    async fn generate(&self, context: &KeyContext) -> Result<DataKeyPair, StoreError> {
        let call = self.client.generate_data_key().key_id(&self.key_arn).key_spec(DataKeySpec::Aes256);
        let call = call.set_encryption_context(Some(encryption_context(context)));
        let answer = call.send().await.map_err(|error| unavailable(SERVICE, &error))?;
        match (key_of(answer.plaintext), answer.ciphertext_blob) {
            (Some(plaintext), Some(wrapped)) => Ok(DataKeyPair { plaintext, wrapped: wrapped.into_inner() }),
            _ => Err(unusable(SERVICE, "a data key that is not 32 bytes")),
        }
    }
}

/// Opens data keys under the record key (`kms:Decrypt`): `issue-key` alone.
#[derive(Debug, Clone)]
pub struct KmsDataKeyOpener {
    client: Client,
    key_arn: String,
}

impl KmsDataKeyOpener {
    /// Under the key with this ARN, and no other.
    pub fn new(config: &SdkConfig, key_arn: impl Into<String>) -> Self {
        Self { client: client(config), key_arn: key_arn.into() }
    }
}

impl DataKeyOpener for KmsDataKeyOpener {
    fn key_arn(&self) -> &str {
        &self.key_arn
    }

    async fn unwrap(&self, context: &KeyContext, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let what = format!("the wrapped data key of record {} version {}", context.record, context.version);
        decrypt(&self.client, &self.key_arn, encryption_context(context), wrapped, &what).await
    }
}

/// The ledger's signing key (`kms:GetPublicKey`).
#[derive(Debug, Clone)]
pub struct KmsLogKey {
    client: Client,
    key_arn: String,
}

impl KmsLogKey {
    /// The key with this ARN: `ECC_NIST_EDWARDS25519`.
    pub fn new(config: &SdkConfig, key_arn: impl Into<String>) -> Self {
        Self { client: client(config), key_arn: key_arn.into() }
    }
}

impl LogKey for KmsLogKey {
    async fn public_key(&self) -> Result<Bytes<32>, StoreError> {
        ed25519_public_key(&self.client, &self.key_arn).await
    }
}

/// The public key of an `ECC_NIST_EDWARDS25519` key.
async fn ed25519_public_key(client: &Client, key_arn: &str) -> Result<Bytes<32>, StoreError> {
    let answer = client.get_public_key().key_id(key_arn).send().await.map_err(|error| unavailable(SERVICE, &error))?;
    let der = answer.public_key.map(Blob::into_inner).unwrap_or_default();
    let key = der.strip_prefix(&ED25519_SPKI).and_then(|key| key.try_into().ok());
    key.map(Bytes).ok_or_else(|| unusable(SERVICE, "the log's or its clock's key is no Ed25519 key"))
}
