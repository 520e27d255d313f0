//! Bodies in S3. No byte of a body passes through here: clients get calls that are signed for exactly what they announced.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::types::ChecksumMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::failure::{unavailable, unusable};
use crate::layout::MAX_PRESIGN_S;
use crate::ports::{BlobHead, Blobs, Presigned, StoreError};

const SERVICE: &str = "S3";

/// The bucket of bodies.
#[derive(Debug, Clone)]
pub struct S3Blobs {
    client: Client,
    bucket: String,
}

impl S3Blobs {
    /// On this bucket. An endpoint of one's own is addressed by path: its host name has no subdomains.
    pub fn new(config: &SdkConfig, bucket: impl Into<String>) -> Self {
        // Checksums are the announced ones, or none: what the SDK would add by itself would be signed and asked of every client.
        let config = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(config.endpoint_url().is_some())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self { client: Client::from_conf(config), bucket: bucket.into() }
    }
}

/// When and how long: S3 signs whole seconds. With the end, Unix milliseconds.
fn presigning(now_ms: u64, life_s: u32) -> Result<(PresigningConfig, u64), StoreError> {
    let start_s = now_ms / 1000;
    let life_s = u64::from(life_s.min(MAX_PRESIGN_S));
    let config = PresigningConfig::builder()
        .start_time(UNIX_EPOCH + Duration::from_secs(start_s))
        .expires_in(Duration::from_secs(life_s))
        .build()
        .map_err(|error| unusable(SERVICE, error.to_string()))?;
    Ok((config, (start_s + life_s) * 1000))
}

fn presigned(method: &'static str, request: &PresignedRequest, expires_at_ms: u64) -> Presigned {
    let headers = request.headers().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Presigned { method, url: request.uri().to_owned(), headers: headers.collect(), expires_at_ms }
}

impl Blobs for S3Blobs {
    async fn presign_put(
        &self,
        key: &str,
        size_bytes: u64,
        sha256: [u8; 32],
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        let (config, expires_at_ms) = presigning(now_ms, life_s)?;
        let size = i64::try_from(size_bytes).map_err(|_| unusable(SERVICE, "a body of more than 2^63 bytes"))?;
        let call = self.client.put_object().bucket(&self.bucket).key(key).content_length(size);
        let call = call.checksum_sha256(STANDARD.encode(sha256)).if_none_match("*");
        let request = call.presigned(config).await.map_err(|error| unavailable(SERVICE, &error))?;
        Ok(presigned("PUT", &request, expires_at_ms))
    }

    async fn presign_get(
        &self,
        key: &str,
        version_id: &str,
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        let (config, expires_at_ms) = presigning(now_ms, life_s)?;
        let call = self.client.get_object().bucket(&self.bucket).key(key).version_id(version_id);
        let request = call.presigned(config).await.map_err(|error| unavailable(SERVICE, &error))?;
        Ok(presigned("GET", &request, expires_at_ms))
    }

    async fn head(&self, key: &str) -> Result<Option<BlobHead>, StoreError> {
        let call = self.client.head_object().bucket(&self.bucket).key(key).checksum_mode(ChecksumMode::Enabled);
        let head = match call.send().await {
            Ok(head) => head,
            // S3 says 404 only to those who may list the bucket; a 403 is not taken for "nothing there".
            Err(error) if matches!(error.as_service_error(), Some(HeadObjectError::NotFound(_))) => return Ok(None),
            Err(error) => return Err(unavailable(SERVICE, &error)),
        };
        let size = head.content_length().and_then(|size| u64::try_from(size).ok());
        let sha256 =
            head.checksum_sha256().and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| bytes.try_into().ok());
        Ok(Some(BlobHead {
            size_bytes: size.ok_or_else(|| unusable(SERVICE, "a HEAD without a length"))?,
            sha256,
            version_id: head.version_id.ok_or_else(|| unusable(SERVICE, "the bucket keeps no versions"))?,
        }))
    }

    async fn delete(&self, key: &str, version_id: &str) -> Result<(), StoreError> {
        let call = self.client.delete_object().bucket(&self.bucket).key(key).version_id(version_id);
        call.send().await.map_err(|error| unavailable(SERVICE, &error))?;
        Ok(())
    }
}
