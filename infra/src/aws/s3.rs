//! Bodies in S3. No byte of a body passes through here: clients get calls that are signed for exactly what they announced.

use std::ops::RangeInclusive;
use std::time::{Duration, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::types::{self, ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::counted::Counted;
use super::failure::{unavailable, unusable};
use crate::layout::{MAX_LISTED_PARTS, MAX_PRESIGN_S};
use crate::ports::{
    Aborted, BlobHead, Blobs, Checksum, Completion, MAX_ABORTED, Part, PartsUpload, Presigned, StoreError, StoredPart,
};

pub(super) const SERVICE: &str = "S3";
/// Putting an object of many parts together takes S3 seconds; every other call of ours takes it milliseconds.
const COMPLETE_TIMEOUT: Duration = Duration::from_secs(20);

/// The bucket of bodies.
#[derive(Debug, Clone)]
pub struct S3Blobs {
    client: Client,
    bucket: String,
}

impl S3Blobs {
    /// On this bucket. An endpoint of one's own is addressed by path: its host name has no subdomains.
    pub fn new(config: &SdkConfig, bucket: impl Into<String>) -> Self {
        Self { client: client(config), bucket: bucket.into() }
    }
}

pub(super) fn client(config: &SdkConfig) -> Client {
    // Checksums are the announced ones, or none: what the SDK would add by itself would be signed and asked of every client.
    let config = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(config.endpoint_url().is_some())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .interceptor(Counted)
        .build();
    Client::from_conf(config)
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

/// S3's text of a checksum: base64, and of a composite `-` and the number of parts behind it.
pub(super) fn checksum(text: &str) -> Option<Checksum> {
    let Some((value, parts)) = text.split_once('-') else { return digest(text).map(Checksum::Whole) };
    Some(Checksum::Composite { sha256: digest(value)?, parts: parts.parse().ok()? })
}

fn digest(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// A part as S3 lists it; none where it was stored without a SHA-256.
fn stored_part(listed: &types::Part) -> Option<StoredPart> {
    let part = Part {
        number: u32::try_from(listed.part_number()?).ok()?,
        size_bytes: u64::try_from(listed.size()?).ok()?,
        sha256: digest(listed.checksum_sha256()?)?,
    };
    Some(StoredPart { part, etag: listed.e_tag()?.to_owned() })
}

fn completed(stored: &StoredPart) -> Result<CompletedPart, StoreError> {
    let part = CompletedPart::builder().part_number(part_number(&stored.part)?).e_tag(&stored.etag);
    Ok(part.checksum_sha256(STANDARD.encode(stored.part.sha256)).build())
}

fn part_number(part: &Part) -> Result<i32, StoreError> {
    i32::try_from(part.number).map_err(|_| unusable(SERVICE, "a part beyond 2^31"))
}

fn content_length(size_bytes: u64) -> Result<i64, StoreError> {
    i64::try_from(size_bytes).map_err(|_| unusable(SERVICE, "a body of more than 2^63 bytes"))
}

impl S3Blobs {
    /// The ids of exactly this key's unfinished uploads, at most so many, by one call: of the keys that begin like it, S3 lists it first.
    async fn unfinished(&self, key: &str, most: usize) -> Result<Vec<String>, StoreError> {
        let call = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(key);
        let call = call.max_uploads(i32::try_from(most).unwrap_or(i32::MAX));
        let page = call.send().await.map_err(|error| unavailable(SERVICE, &error))?;
        let ours = page.uploads.unwrap_or_default().into_iter().filter(|upload| upload.key() == Some(key));
        Ok(ours.filter_map(|upload| upload.upload_id).take(most).collect())
    }

    async fn abort(&self, key: &str, id: &str) -> Result<(), StoreError> {
        let call = self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(id);
        match call.send().await {
            Ok(_) => Ok(()),
            // Somebody else was quicker.
            Err(error) if error.code() == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(unavailable(SERVICE, &error)),
        }
    }
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
        let call = self.client.put_object().bucket(&self.bucket).key(key).content_length(content_length(size_bytes)?);
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
        let checksum = head.checksum_sha256().and_then(checksum);
        Ok(Some(BlobHead {
            size_bytes: size.ok_or_else(|| unusable(SERVICE, "a HEAD without a length"))?,
            checksum,
            version_id: head.version_id.ok_or_else(|| unusable(SERVICE, "the bucket keeps no versions"))?,
        }))
    }

    async fn delete(&self, key: &str, version_id: &str) -> Result<(), StoreError> {
        let call = self.client.delete_object().bucket(&self.bucket).key(key).version_id(version_id);
        call.send().await.map_err(|error| unavailable(SERVICE, &error))?;
        Ok(())
    }

    async fn count_uploads(&self, key: &str, most: usize) -> Result<usize, StoreError> {
        Ok(self.unfinished(key, most).await?.len())
    }

    async fn begin_upload(&self, key: &str) -> Result<String, StoreError> {
        let call = self.client.create_multipart_upload().bucket(&self.bucket).key(key);
        let call = call.checksum_algorithm(ChecksumAlgorithm::Sha256).checksum_type(ChecksumType::Composite);
        let begun = call.send().await.map_err(|error| unavailable(SERVICE, &error))?;
        begun.upload_id.ok_or_else(|| unusable(SERVICE, "an upload without an id"))
    }

    async fn presign_part(
        &self,
        upload: PartsUpload<'_>,
        part: &Part,
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        let (config, expires_at_ms) = presigning(now_ms, life_s)?;
        let call = self.client.upload_part().bucket(&self.bucket).key(upload.key).upload_id(upload.id);
        let call = call.part_number(part_number(part)?).content_length(content_length(part.size_bytes)?);
        let call = call.checksum_sha256(STANDARD.encode(part.sha256));
        let request = call.presigned(config).await.map_err(|error| unavailable(SERVICE, &error))?;
        Ok(presigned("PUT", &request, expires_at_ms))
    }

    async fn stored_parts(
        &self,
        upload: PartsUpload<'_>,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<StoredPart>>, StoreError> {
        let count = numbers.clone().count().min(MAX_LISTED_PARTS);
        let call = self.client.list_parts().bucket(&self.bucket).key(upload.key).upload_id(upload.id);
        let call = call.part_number_marker(numbers.start().saturating_sub(1).to_string());
        // MAX_LISTED_PARTS fits.
        let page = match call.max_parts(i32::try_from(count).unwrap_or(i32::MAX)).send().await {
            Ok(page) => page,
            Err(error) if error.code() == Some("NoSuchUpload") => return Ok(None),
            Err(error) => return Err(unavailable(SERVICE, &error)),
        };
        let parts = page.parts().iter().filter_map(stored_part);
        Ok(Some(parts.filter(|stored| numbers.contains(&stored.part.number)).collect()))
    }

    async fn complete_upload(&self, upload: PartsUpload<'_>, parts: &[StoredPart]) -> Result<Completion, StoreError> {
        let parts = parts.iter().map(completed).collect::<Result<Vec<_>, _>>()?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let call = self.client.complete_multipart_upload().bucket(&self.bucket).key(upload.key).upload_id(upload.id);
        let call = call.if_none_match("*").multipart_upload(parts);
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(COMPLETE_TIMEOUT)
            .operation_timeout(COMPLETE_TIMEOUT)
            .build();
        let patient = aws_sdk_s3::config::Builder::new().timeout_config(timeouts);
        match call.customize().config_override(patient).send().await {
            Ok(_) => Ok(Completion::Done),
            Err(error) => match error.code() {
                Some("PreconditionFailed") => Ok(Completion::Exists),
                Some("NoSuchUpload") => Ok(Completion::NoUpload),
                Some("InvalidPart") => Ok(Completion::OtherParts),
                // Two at once are a ConditionalRequestConflict: whoever asks again learns which one won.
                _ => Err(unavailable(SERVICE, &error)),
            },
        }
    }

    async fn abort_uploads(&self, key: &str) -> Result<Aborted, StoreError> {
        let ids = self.unfinished(key, MAX_ABORTED + 1).await?;
        let now = ids.len().min(MAX_ABORTED);
        for id in &ids[..now] {
            self.abort(key, id).await?;
        }
        Ok(Aborted { count: now, more: ids.len() > now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_says_how_its_object_was_stored() {
        let value = STANDARD.encode([7; 32]);
        assert_eq!(checksum(&value), Some(Checksum::Whole([7; 32])));
        assert_eq!(checksum(&format!("{value}-2")), Some(Checksum::Composite { sha256: [7; 32], parts: 2 }));
        let long = format!("{}-2", STANDARD.encode([7; 33]));
        for bad in
            ["", "-2", "AAAA", "AAAA-2", &format!("{value}-"), &format!("{value}-x"), &format!("{value}-2-2"), &long]
        {
            assert_eq!(checksum(bad), None, "{bad}");
        }
    }
}
