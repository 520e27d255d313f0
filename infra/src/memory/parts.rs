//! S3: uploads in parts, from the first part to the object that is put together of them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chartseal_events::Hash;

use super::MemoryVault;
use super::blobs::HttpAnswer;
use crate::layout::MAX_LISTED_PARTS;
use crate::ports::{Aborted, Checksum, Completion, MAX_ABORTED, Part, PartsUpload, StoreError, StoredPart};

/// An unfinished upload.
#[derive(Clone)]
pub(super) struct Upload {
    key: String,
    parts: BTreeMap<u32, Held>,
}

#[derive(Clone)]
struct Held {
    stored: StoredPart,
    /// Its bytes; none of a part that a test only says to be there.
    bytes: Vec<u8>,
}

/// What S3 states of an object that was put together of parts.
#[derive(Debug, Clone)]
pub(super) struct Assembled {
    pub(super) size_bytes: u64,
    pub(super) checksum: Checksum,
}

impl MemoryVault {
    /// The unfinished uploads: the key of each and its id, in the order of their beginnings.
    pub fn unfinished_uploads(&self) -> Vec<(String, String)> {
        let world = self.world();
        world.uploads.iter().map(|(number, upload)| (upload.key.clone(), upload_id(*number))).collect()
    }

    /// Says that a part is there, past every check and without its bytes: an object put together of such parts has the right size and checksum, and
    /// the bytes of the others alone. For bodies that no test can hold.
    ///
    /// # Panics
    /// Where there is no such upload.
    pub fn say_part(&self, upload: PartsUpload<'_>, part: Part) {
        assert!(self.keep_part(upload, part, Vec::new()), "there is no such upload of {}", upload.key);
    }

    pub(super) fn new_upload(&self, key: &str) -> String {
        let mut world = self.world();
        world.upload_count += 1;
        let number = world.upload_count;
        world.uploads.insert(number, Upload { key: key.to_owned(), parts: BTreeMap::new() });
        upload_id(number)
    }

    /// A part that was sent, and has the SHA-256 that was signed.
    pub(super) fn take_part(&self, upload: PartsUpload<'_>, number: u32, bytes: &[u8]) -> HttpAnswer {
        let part = Part { number, size_bytes: bytes.len() as u64, sha256: Hash::of(&[bytes]).0 };
        HttpAnswer::new(if self.keep_part(upload, part, bytes.to_vec()) { 200 } else { 404 })
    }

    fn keep_part(&self, upload: PartsUpload<'_>, part: Part, bytes: Vec<u8>) -> bool {
        let mut world = self.world();
        let Some(number) = number_of(upload.id) else { return false };
        let Some(found) = world.uploads.get_mut(&number).filter(|found| found.key == upload.key) else { return false };
        let stored = StoredPart { part, etag: format!("\"{}\"", Hash(part.sha256)) };
        found.parts.insert(part.number, Held { stored, bytes });
        true
    }

    pub(super) fn parts_of(&self, upload: PartsUpload<'_>, numbers: RangeInclusive<u32>) -> Option<Vec<StoredPart>> {
        let world = self.world();
        let found = world.uploads.get(&number_of(upload.id)?).filter(|found| found.key == upload.key)?;
        let parts = found.parts.range(numbers).take(MAX_LISTED_PARTS);
        Some(parts.map(|(_, held)| held.stored.clone()).collect())
    }

    pub(super) fn assemble(&self, upload: PartsUpload<'_>, parts: &[StoredPart]) -> Completion {
        let mut world = self.world();
        let exists = world.blobs.get(upload.key).is_some_and(|versions| !versions.is_empty());
        let number = number_of(upload.id).unwrap_or(0);
        let Some(found) = world.uploads.get_mut(&number).filter(|found| found.key == upload.key) else {
            return Completion::NoUpload;
        };
        if exists {
            return Completion::Exists;
        }
        let rising = parts.windows(2).all(|pair| pair[0].part.number < pair[1].part.number);
        let held =
            |stored: &StoredPart| found.parts.get(&stored.part.number).is_some_and(|held| held.stored == *stored);
        if parts.is_empty() || !rising || !parts.iter().all(held) {
            return Completion::OtherParts;
        }
        let mut bytes = Vec::new();
        for stored in parts {
            bytes.extend(found.parts.remove(&stored.part.number).into_iter().flat_map(|held| held.bytes));
        }
        world.uploads.remove(&number);
        let digests: Vec<[u8; 32]> = parts.iter().map(|stored| stored.part.sha256).collect();
        let size_bytes = parts.iter().map(|stored| stored.part.size_bytes).sum();
        world.store_blob(upload.key, bytes, Some(Assembled { size_bytes, checksum: Checksum::of_parts(&digests) }));
        Completion::Done
    }

    pub(super) fn number_of_uploads(&self, key: &str) -> usize {
        self.world().uploads.values().filter(|upload| upload.key == key).count()
    }

    pub(super) fn drop_uploads(&self, key: &str) -> Result<Aborted, StoreError> {
        let mut world = self.world();
        let ours = world.uploads.iter().filter(|(_, upload)| upload.key == key).map(|(number, _)| *number);
        let ours: Vec<u64> = ours.take(MAX_ABORTED + 1).collect();
        let count = ours.len().min(MAX_ABORTED);
        let (landing, outcome) = world.cut.meet(count);
        for number in &ours[landing] {
            world.uploads.remove(number);
        }
        outcome.map(|()| Aborted { count, more: ours.len() > count })
    }
}

fn upload_id(number: u64) -> String {
    format!("upload-{number}")
}

fn number_of(id: &str) -> Option<u64> {
    id.strip_prefix("upload-")?.parse().ok()
}
