//! The buckets of an [`Inventory`]: every version of every object, and what one holds.

use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ChecksumMode;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;

use super::Inventory;
use crate::aws::failure::{unavailable, unusable};
use crate::aws::s3::{self, checksum};
use crate::ports::{BlobHead, StoreError};

/// One of the two buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// Bodies.
    Bodies,
    /// Tiles and checkpoints.
    Ledger,
}

/// Where a list of object versions, or of unfinished uploads, goes on: a key, and an id under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionPosition {
    key: Option<String>,
    id: Option<String>,
}

/// A version of an object, or a delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// The object's key.
    pub key: String,
    /// S3's version id.
    pub version_id: String,
    /// Whether it is a delete marker.
    pub is_delete_marker: bool,
}

/// An upload in parts that nobody has completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedUpload {
    /// The key of the object to be.
    pub key: String,
    /// S3's id of the upload.
    pub id: String,
    /// When it was begun, Unix milliseconds.
    pub begun_ms: u64,
}

/// An object that is being read.
#[derive(Debug)]
pub struct Object(ByteStream);

impl Inventory {
    /// What a bucket is called.
    pub fn bucket(&self, bucket: Bucket) -> &str {
        match bucket {
            Bucket::Bodies => &self.names.bucket,
            Bucket::Ledger => &self.names.ledger_bucket,
        }
    }

    /// A page of a bucket's object versions and delete markers. Of one key the newest comes first.
    pub async fn object_versions(
        &self,
        bucket: Bucket,
        start: Option<VersionPosition>,
    ) -> Result<(Vec<ObjectVersion>, Option<VersionPosition>), StoreError> {
        let (key, id) = start.map_or((None, None), |at| (at.key, at.id));
        let call = self.s3.list_object_versions().bucket(self.bucket(bucket));
        let call = call.set_key_marker(key).set_version_id_marker(id);
        let page = call.send().await.map_err(|error| unavailable(s3::SERVICE, &error))?;
        let mut found = Vec::new();
        for version in page.versions.unwrap_or_default() {
            found.push(object_version(version.key, version.version_id, false)?);
        }
        for marker in page.delete_markers.unwrap_or_default() {
            found.push(object_version(marker.key, marker.version_id, true)?);
        }
        let more = page.is_truncated.unwrap_or(false);
        let next = VersionPosition { key: page.next_key_marker, id: page.next_version_id_marker };
        Ok((found, more.then_some(next)))
    }

    /// A page of a bucket's unfinished uploads in parts.
    pub async fn unfinished_uploads(
        &self,
        bucket: Bucket,
        start: Option<VersionPosition>,
    ) -> Result<(Vec<UnfinishedUpload>, Option<VersionPosition>), StoreError> {
        let (key, id) = start.map_or((None, None), |at| (at.key, at.id));
        let call = self.s3.list_multipart_uploads().bucket(self.bucket(bucket));
        let call = call.set_key_marker(key).set_upload_id_marker(id);
        let page = call.send().await.map_err(|error| unavailable(s3::SERVICE, &error))?;
        let mut found = Vec::new();
        for upload in page.uploads.unwrap_or_default() {
            let (Some(key), Some(id)) = (upload.key, upload.upload_id) else {
                return Err(unusable(s3::SERVICE, "an upload without key or id"));
            };
            let begun_ms = upload.initiated.as_ref().and_then(unix_ms).unwrap_or_default();
            found.push(UnfinishedUpload { key, id, begun_ms });
        }
        let more = page.is_truncated.unwrap_or(false);
        let next = VersionPosition { key: page.next_key_marker, id: page.next_upload_id_marker };
        Ok((found, more.then_some(next)))
    }

    /// What S3 says of one version of a body; none where it is not there any more.
    pub async fn head(&self, key: &str, version_id: &str) -> Result<Option<BlobHead>, StoreError> {
        let call = self.s3.head_object().bucket(&self.names.bucket).key(key).version_id(version_id);
        let head = match call.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(head) => head,
            Err(error) if matches!(error.as_service_error(), Some(HeadObjectError::NotFound(_))) => return Ok(None),
            Err(error) => return Err(unavailable(s3::SERVICE, &error)),
        };
        let size = head.content_length().and_then(|size| u64::try_from(size).ok());
        Ok(Some(BlobHead {
            size_bytes: size.ok_or_else(|| unusable(s3::SERVICE, "a HEAD without a length"))?,
            checksum: head.checksum_sha256().and_then(checksum),
            version_id: version_id.to_owned(),
        }))
    }

    /// The newest version of an object, if there is one and it is no delete marker.
    pub async fn newest_version(&self, bucket: Bucket, key: &str) -> Result<Option<String>, StoreError> {
        let call = self.s3.list_object_versions().bucket(self.bucket(bucket)).prefix(key);
        let page = call.send().await.map_err(|error| unavailable(s3::SERVICE, &error))?;
        let newest = page.versions.unwrap_or_default().into_iter();
        let mut newest = newest.filter(|version| version.key() == Some(key) && version.is_latest() == Some(true));
        Ok(newest.next().and_then(|version| version.version_id))
    }

    /// What one version of an object holds, if it has at most so many bytes; none where it has more, or is not there any more.
    pub async fn object(
        &self,
        bucket: Bucket,
        key: &str,
        version_id: &str,
        most_bytes: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut object) = self.open(bucket, key, version_id).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        while let Some(more) = object.next().await? {
            if bytes.len() + more.len() > most_bytes {
                return Ok(None);
            }
            bytes.extend(more);
        }
        Ok(Some(bytes))
    }

    /// One version of an object, to be read piece by piece; none where it is not there any more.
    pub async fn open(&self, bucket: Bucket, key: &str, version_id: &str) -> Result<Option<Object>, StoreError> {
        let call = self.s3.get_object().bucket(self.bucket(bucket)).key(key).version_id(version_id);
        match call.send().await {
            Ok(answer) => Ok(Some(Object(answer.body))),
            Err(error) if matches!(error.code(), Some("NoSuchKey" | "NoSuchVersion")) => Ok(None),
            Err(error) => Err(unavailable(s3::SERVICE, &error)),
        }
    }
}

impl Object {
    /// The next bytes; none at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = self.0.try_next().await.map_err(|error| unusable(s3::SERVICE, error.to_string()))?;
        Ok(bytes.map(|bytes| bytes.to_vec()))
    }
}

fn object_version(
    key: Option<String>,
    version_id: Option<String>,
    is_delete_marker: bool,
) -> Result<ObjectVersion, StoreError> {
    match (key, version_id) {
        (Some(key), Some(version_id)) => Ok(ObjectVersion { key, version_id, is_delete_marker }),
        _ => Err(unusable(s3::SERVICE, "an object version without key or id")),
    }
}

fn unix_ms(time: &DateTime) -> Option<u64> {
    u64::try_from(time.to_millis().ok()?).ok()
}
