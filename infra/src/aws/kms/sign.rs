//! Signatures with the log's key: Ed25519 over the message as it is (`ED25519_SHA_512`, RFC 8032; "Sign", AWS KMS API Reference).

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use chartseal_events::Bytes;

use super::{SERVICE, client};
use crate::aws::failure::{unavailable, unusable};
use crate::ports::{LogSigner, StoreError};

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
        let call = self.client.sign().key_id(&self.key_arn).message(Blob::new(message));
        let call = call.message_type(MessageType::Raw).signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512);
        let answer = call.send().await.map_err(|error| unavailable(SERVICE, &error))?;
        let signature = answer.signature.map(Blob::into_inner).unwrap_or_default();
        let signature = signature.as_slice().try_into().map(Bytes);
        signature.map_err(|_| unusable(SERVICE, "a signature that is not 64 bytes"))
    }
}
