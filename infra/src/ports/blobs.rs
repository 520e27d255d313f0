//! Bodies in S3, whole and in parts. In scope: what the vault asks of the bucket, and what S3 says of an object. Out of scope: which part
//! of a body is which, and who may send it (the functions).

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::RangeInclusive;

use chartseal_events::Hash;
use chartseal_events::command::Announcement;

use super::StoreError;

/// A call that S3 takes without further credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presigned {
    /// The HTTP method.
    pub method: &'static str,
    /// The URL.
    pub url: String,
    /// Headers that are signed and must be sent.
    pub headers: BTreeMap<String, String>,
    /// The URL's end, Unix milliseconds.
    pub expires_at_ms: u64,
}

/// The SHA-256 checksum that S3 states of an object. The two kinds are never equal: how an object was stored is part of what was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Of an object that one PUT stored: over its bytes.
    Whole([u8; 32]),
    /// Of an object that was put together of parts: over the SHA-256 values of the parts, in order.
    Composite {
        /// The value.
        sha256: [u8; 32],
        /// How many parts.
        parts: u32,
    },
}

impl Checksum {
    /// What S3 must state of an announced body.
    pub fn announced(announcement: &Announcement) -> Self {
        let sha256 = announcement.parts_root.0;
        announcement.parts().map_or(Self::Whole(sha256), |parts| Self::Composite { sha256, parts })
    }

    /// What S3 states of an object that is put together of parts with these SHA-256 values.
    pub fn of_parts(digests: &[[u8; 32]]) -> Self {
        let values: Vec<&[u8]> = digests.iter().map(<[u8; 32]>::as_slice).collect();
        Self::Composite { sha256: Hash::of(&values).0, parts: u32::try_from(digests.len()).unwrap_or(u32::MAX) }
    }
}

/// What S3 says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobHead {
    /// Its size.
    pub size_bytes: u64,
    /// S3's own checksum of it; none where the object was stored without.
    pub checksum: Option<Checksum>,
    /// Its version id.
    pub version_id: String,
}

impl BlobHead {
    /// Whether this is the announced body.
    pub fn holds(&self, announcement: &Announcement) -> bool {
        self.size_bytes == announcement.body_bytes && self.checksum == Some(Checksum::announced(announcement))
    }
}

/// An unfinished upload in parts. S3 knows it by the object's key and its own id together: the id of one key is unknown under another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartsUpload<'a> {
    /// The key of the object to be.
    pub key: &'a str,
    /// S3's id of the upload.
    pub id: &'a str,
}

/// A part that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// From 1 to 10,000.
    pub number: u32,
    /// Its size.
    pub size_bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

/// A part that S3 has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    /// Its number, size and S3's own SHA-256 of it.
    pub part: Part,
    /// S3's name for these bytes, which completing must show.
    pub etag: String,
}

/// Most uploads that one [`Blobs::abort_uploads`] aborts.
pub const MAX_ABORTED: usize = 100;

/// What came of aborting a key's unfinished uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted {
    /// How many were aborted.
    pub count: usize,
    /// Whether there are more, for another call.
    pub more: bool,
}

/// What came of completing an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// The object is there now.
    Done,
    /// There was an object of this key already; nothing was changed.
    Exists,
    /// S3 has not these parts, or no longer.
    OtherParts,
    /// There is no such upload: it was aborted, or completed already.
    NoUpload,
}

/// Bodies in S3. Keys are `records/<record>/<version>/<seq of the announcement>`.
pub trait Blobs: Send + Sync {
    /// A PUT that takes exactly these bytes, once.
    fn presign_put(
        &self,
        key: &str,
        size_bytes: u64,
        sha256: [u8; 32],
        now_ms: u64,
        life_s: u32,
    ) -> impl Future<Output = Result<Presigned, StoreError>> + Send;

    /// A GET of one version of an object.
    fn presign_get(
        &self,
        key: &str,
        version_id: &str,
        now_ms: u64,
        life_s: u32,
    ) -> impl Future<Output = Result<Presigned, StoreError>> + Send;

    /// What is there; none where nothing is.
    fn head(&self, key: &str) -> impl Future<Output = Result<Option<BlobHead>, StoreError>> + Send;

    /// Deletes one version of an object for good.
    fn delete(&self, key: &str, version_id: &str) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How many unfinished uploads there are of exactly this key, as far as `most` (1,000 at most). One call of S3.
    fn count_uploads(&self, key: &str, most: usize) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// Begins an upload in parts, each with its SHA-256, and gives its id. Every call begins another one: where the answer is lost, an upload is left
    /// that nobody knows the id of, until [`Blobs::abort_uploads`].
    fn begin_upload(&self, key: &str) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// A PUT that takes exactly this part's bytes, any number of times; the last one that was sent counts.
    fn presign_part(
        &self,
        upload: PartsUpload<'_>,
        part: &Part,
        now_ms: u64,
        life_s: u32,
    ) -> impl Future<Output = Result<Presigned, StoreError>> + Send;

    /// The parts that S3 has of these numbers, by rising number; none where there is no such upload. Parts without a SHA-256 are left out. One call of
    /// S3 for 1,000 numbers; of more, those behind the first 1,000 parts may be missing.
    fn stored_parts(
        &self,
        upload: PartsUpload<'_>,
        numbers: RangeInclusive<u32>,
    ) -> impl Future<Output = Result<Option<Vec<StoredPart>>, StoreError>> + Send;

    /// Puts the object together of these parts, unless there is one of this key. All parts but the last must have 5 MiB at least; the twin in memory
    /// and the emulator do not look. Done once more, it is done, or there is no such upload.
    fn complete_upload(
        &self,
        upload: PartsUpload<'_>,
        parts: &[StoredPart],
    ) -> impl Future<Output = Result<Completion, StoreError>> + Send;

    /// Aborts unfinished uploads of exactly this key, at most [`MAX_ABORTED`], so that a call's length is bounded; and says whether there are more. A
    /// part that is on its way may arrive after that and keep its upload's bytes: do it again when no URL is alive.
    fn abort_uploads(&self, key: &str) -> impl Future<Output = Result<Aborted, StoreError>> + Send;
}
