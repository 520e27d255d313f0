//! Everything that is stored, as it is stored: every item of every table, every version of every object, every unfinished upload. For an audit, which
//! believes nothing that the other adapters assume. Out of scope: what it means (the crate `chartseal-audit`). Nothing here writes.

use std::collections::{BTreeMap, HashMap};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::ChecksumMode;
use chartseal_events::StreamId;

use super::failure::{unavailable, unusable};
use super::s3::{self, checksum};
use crate::ports::{BlobHead, StoreError};

const DYNAMODB: &str = "DynamoDB";

/// A place in which items are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Streams of events.
    Events,
    /// The index of Events over time.
    ByTime,
    /// Private values.
    Private,
    /// Wrapped data keys and headers.
    Keys,
    /// Wrapped search keys.
    SearchKeys,
    /// Lists.
    Index,
    /// Work.
    Work,
}

/// What the tables and the bucket are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreNames {
    /// The Events table.
    pub events: String,
    /// The Private table.
    pub private: String,
    /// The Keys table.
    pub keys: String,
    /// The SearchKeys table.
    pub search_keys: String,
    /// The Index table.
    pub index: String,
    /// The Work table.
    pub work: String,
    /// The bucket of bodies.
    pub bucket: String,
}

/// An attribute of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    /// A string.
    Text(String),
    /// A number's digits.
    Number(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Anything else: the vault writes no such attribute.
    Other,
}

/// An item as it is stored.
pub type RawItem = BTreeMap<String, Raw>;

/// Where a scan goes on.
#[derive(Debug, Clone)]
pub struct Position(HashMap<String, AttributeValue>);

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

/// The tables and the bucket, to be read.
#[derive(Debug, Clone)]
pub struct Inventory {
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
    names: StoreNames,
}

impl Inventory {
    /// Of these tables and this bucket.
    pub fn new(config: &SdkConfig, names: StoreNames) -> Self {
        Self { dynamodb: aws_sdk_dynamodb::Client::new(config), s3: s3::client(config), names }
    }

    /// What a place is called.
    pub fn name(&self, place: Place) -> &str {
        match place {
            Place::Events | Place::ByTime => &self.names.events,
            Place::Private => &self.names.private,
            Place::Keys => &self.names.keys,
            Place::SearchKeys => &self.names.search_keys,
            Place::Index => &self.names.index,
            Place::Work => &self.names.work,
        }
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.names.bucket
    }

    /// A page (1 MB at most) of one of so many segments of a place. Strongly consistent, but for the index over time.
    pub async fn scan(
        &self,
        place: Place,
        segment: u32,
        segments: u32,
        start: Option<Position>,
    ) -> Result<(Vec<RawItem>, Option<Position>), StoreError> {
        let number = |number| i32::try_from(number).map_err(|_| unusable(DYNAMODB, "a segment beyond 2^31"));
        let call = self.dynamodb.scan().table_name(self.name(place)).set_exclusive_start_key(start.map(|at| at.0));
        let call = call.segment(number(segment)?).total_segments(number(segments)?);
        let call = match place {
            Place::ByTime => call.index_name("by_time"),
            _ => call.consistent_read(true),
        };
        let page = call.send().await.map_err(|error| unavailable(DYNAMODB, &error))?;
        let items = page.items.unwrap_or_default().into_iter().map(raw_item).collect();
        Ok((items, page.last_evaluated_key.map(Position)))
    }

    /// All items of a stream in order, strongly consistent.
    pub async fn stream(&self, stream: &StreamId) -> Result<Vec<RawItem>, StoreError> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let call = self.dynamodb.query().table_name(&self.names.events).consistent_read(true);
            let call =
                call.key_condition_expression("#stream = :stream").expression_attribute_names("#stream", "stream");
            let call = call.expression_attribute_values(":stream", AttributeValue::S(stream.to_string()));
            let page = call.set_exclusive_start_key(start).send().await;
            let page = page.map_err(|error| unavailable(DYNAMODB, &error))?;
            items.extend(page.items.unwrap_or_default().into_iter().map(raw_item));
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    /// A page of the bucket's object versions and delete markers.
    pub async fn object_versions(
        &self,
        start: Option<VersionPosition>,
    ) -> Result<(Vec<ObjectVersion>, Option<VersionPosition>), StoreError> {
        let (key, id) = start.map_or((None, None), |at| (at.key, at.id));
        let call = self.s3.list_object_versions().bucket(&self.names.bucket);
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

    /// A page of the bucket's unfinished uploads in parts.
    pub async fn unfinished_uploads(
        &self,
        start: Option<VersionPosition>,
    ) -> Result<(Vec<UnfinishedUpload>, Option<VersionPosition>), StoreError> {
        let (key, id) = start.map_or((None, None), |at| (at.key, at.id));
        let call = self.s3.list_multipart_uploads().bucket(&self.names.bucket);
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

    /// What S3 says of one version of an object; none where it is not there any more.
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

fn raw_item(item: HashMap<String, AttributeValue>) -> RawItem {
    item.into_iter().map(|(name, value)| (name, raw(value))).collect()
}

fn raw(value: AttributeValue) -> Raw {
    match value {
        AttributeValue::S(text) => Raw::Text(text),
        AttributeValue::N(digits) => Raw::Number(digits),
        AttributeValue::B(bytes) => Raw::Bytes(bytes.into_inner()),
        _ => Raw::Other,
    }
}
