//! Signatures with the keys of the log and of its clock: Ed25519 over the message as it is (`ED25519_SHA_512`, RFC 8032; "Sign", AWS KMS API Reference).

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::operation::sign::SignOutput;
use aws_sdk_kms::operation::sign::builders::SignFluentBuilder;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use chartseal_events::Bytes;

use super::{SERVICE, client, ed25519_public_key};
use crate::aws::failure::{unavailable, unusable};
use crate::aws::service_time::ServiceTime;
use crate::ports::{ClockKey, LogSigner, StoreError, Timed};

fn sign(client: &Client, key_arn: &str, message: &[u8]) -> SignFluentBuilder {
    let call = client.sign().key_id(key_arn).message(Blob::new(message));
    call.message_type(MessageType::Raw).signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512)
}

fn signature_of(answer: SignOutput) -> Result<Bytes<64>, StoreError> {
    let signature = answer.signature.map(Blob::into_inner).unwrap_or_default();
    let signature = signature.as_slice().try_into().map(Bytes);
    signature.map_err(|_| unusable(SERVICE, "a signature that is not 64 bytes"))
}

/// Signs with the ledger's key (`kms:Sign`): the sealer alone.
#[derive(Debug, Clone)]
pub struct KmsLogSigner {
    client: Client,
    key_arn: String,
}

impl KmsLogSigner {
    /// The key with this ARN: `ECC_NIST_EDWARDS25519`.
    pub fn new(config: &SdkConfig, key_arn: impl Into<String>) -> Self {
        Self { client: client(config), key_arn: key_arn.into() }
    }
}

impl LogSigner for KmsLogSigner {
    async fn sign(&self, message: &[u8]) -> Result<Bytes<64>, StoreError> {
        let call = sign(&self.client, &self.key_arn, message);
        signature_of(call.send().await.map_err(|error| unavailable(SERVICE, &error))?)
    }
}

/// The key of the ledger's clock (`kms:GetPublicKey`; `kms:Sign`: whoever shows the ledger, alone).
#[derive(Debug, Clone)]
pub struct KmsClockKey {
    client: Client,
    key_arn: String,
}

impl KmsClockKey {
    /// The key with this ARN: `ECC_NIST_EDWARDS25519`.
    pub fn new(config: &SdkConfig, key_arn: impl Into<String>) -> Self {
        Self { client: client(config), key_arn: key_arn.into() }
    }
}

impl ClockKey for KmsClockKey {
    async fn clock_key(&self) -> Result<Bytes<32>, StoreError> {
        ed25519_public_key(&self.client, &self.key_arn).await
    }

    async fn cosign(&self, message: &[u8]) -> Result<Timed, StoreError> {
        let time = ServiceTime::default();
        let call = sign(&self.client, &self.key_arn, message).customize().interceptor(time.clone());
        let signature = signature_of(call.send().await.map_err(|error| unavailable(SERVICE, &error))?)?;
        Ok(Timed { signature, service_ms: time.ms(SERVICE)? })
    }
}
