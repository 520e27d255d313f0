//! The log's files in S3, as c2sp.org/tlog-tiles lays them out: `tile/<level>/<index>` (full tiles alone) and `checkpoint`.
//!
//! A tile is written where there is none; the checkpoint in the place of the one that was seen, by its `ETag`. An `ETag` is a digest of what an object holds,
//! and a checkpoint that was followed by a larger one does not come again: so it names what is published now, and nothing that was before.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_events::Hash;
use chartseal_ledger::block::FullTile;
use chartseal_ledger::note::MAX_NOTE_BYTES;
use chartseal_ledger::tile::{TILE_BYTES, TileAddress};

use super::failure::{unavailable, unusable};
use super::s3::{SERVICE, client};
use crate::ports::{LogFiles, Published, Race, StoreError};

/// The signed head of the log.
const CHECKPOINT: &str = "checkpoint";
/// A full tile never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// A checkpoint may be kept, but not used without asking whether it is still the newest.
const ASK_AGAIN: &str = "no-cache";
/// How often a tile that is being written by somebody else is looked for.
const MAX_LOOKS: u32 = 3;

/// The bucket of the log.
#[derive(Debug, Clone)]
pub struct S3LogFiles {
    client: Client,
    bucket: String,
}

/// What S3 said to a write that has a condition.
enum Written {
    Done,
    /// The condition does not hold, or somebody else is writing: what stands there says who won.
    Refused,
}

impl S3LogFiles {
    /// On this bucket.
    pub fn new(config: &SdkConfig, bucket: impl Into<String>) -> Self {
        Self { client: client(config), bucket: bucket.into() }
    }

    /// What a key holds, at most so many bytes, with its `ETag`.
    async fn get(&self, key: &str, most_bytes: usize) -> Result<Option<(Vec<u8>, String)>, StoreError> {
        let answer = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(answer) => answer,
            // S3 says so only to those who may list the bucket; a 403 is not taken for "nothing there".
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(unavailable(SERVICE, &error)),
        };
        let GetObjectOutput { body, content_length, e_tag, .. } = answer;
        let length = content_length.and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or_else(|| unusable(SERVICE, "an object without a length"))?;
        if length > most_bytes {
            return Err(StoreError::Damaged { what: format!("{key} has {length} bytes") });
        }
        let bytes = body.collect().await.map_err(|error| unusable(SERVICE, error.to_string()))?.to_vec();
        let etag = e_tag.ok_or_else(|| unusable(SERVICE, "an object without an ETag"))?;
        Ok(Some((bytes, etag)))
    }

    /// A call that writes these bytes, with their digest: S3 refuses others, and asks for one where objects are locked.
    fn put(&self, key: &str, bytes: &[u8], kind: &str, caching: &str) -> PutObjectFluentBuilder {
        let call = self.client.put_object().bucket(&self.bucket).key(key).content_type(kind).cache_control(caching);
        call.checksum_sha256(STANDARD.encode(Hash::of(&[bytes]).0)).body(ByteStream::from(bytes.to_vec()))
    }
}

async fn written(call: PutObjectFluentBuilder) -> Result<Written, StoreError> {
    match call.send().await {
        Ok(_) => Ok(Written::Done),
        Err(error) => match error.code() {
            // The last: `If-Match` where there is nothing.
            Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey") => Ok(Written::Refused),
            _ => Err(unavailable(SERVICE, &error)),
        },
    }
}

fn hashes_of(key: &str, bytes: &[u8]) -> Result<Vec<Hash>, StoreError> {
    let (hashes, after) = bytes.as_chunks::<32>();
    if bytes.len() != TILE_BYTES || !after.is_empty() {
        return Err(StoreError::Damaged { what: format!("{key} has {} bytes", bytes.len()) });
    }
    Ok(hashes.iter().copied().map(Hash).collect())
}

impl LogFiles for S3LogFiles {
    async fn tile(&self, address: &TileAddress) -> Result<Option<Vec<Hash>>, StoreError> {
        let key = address.to_string();
        let found = self.get(&key, TILE_BYTES).await?;
        found.map(|(bytes, _)| hashes_of(&key, &bytes)).transpose()
    }

    async fn put_tile(&self, tile: &FullTile) -> Result<(), StoreError> {
        let key = tile.address.to_string();
        let bytes: Vec<u8> = tile.hashes.iter().flat_map(|hash| hash.0).collect();
        for _ in 0..MAX_LOOKS {
            let call = self.put(&key, &bytes, "application/octet-stream", FOR_EVER).if_none_match("*");
            if let Written::Done = written(call).await? {
                return Ok(());
            }
            match self.tile(&tile.address).await? {
                Some(kept) if kept == tile.hashes => return Ok(()),
                Some(_) => return Err(StoreError::Damaged { what: key }),
                // Somebody else was writing it when we asked, and may not have come to an end.
                None => {}
            }
        }
        Err(unusable(SERVICE, format!("{key} is neither taken nor there")))
    }

    async fn published(&self) -> Result<Option<Published>, StoreError> {
        let Some((bytes, version)) = self.get(CHECKPOINT, MAX_NOTE_BYTES).await? else { return Ok(None) };
        let note = String::from_utf8(bytes);
        let note = note.map_err(|_| StoreError::Damaged { what: format!("{CHECKPOINT} is no text") })?;
        Ok(Some(Published { note, version }))
    }

    async fn publish(&self, note: &str, instead_of: Option<&Published>) -> Result<Race, StoreError> {
        let call = self.put(CHECKPOINT, note.as_bytes(), "text/plain; charset=utf-8", ASK_AGAIN);
        let call = match instead_of {
            Some(seen) => call.if_match(&seen.version),
            None => call.if_none_match("*"),
        };
        if let Written::Done = written(call).await? {
            return Ok(Race::Won);
        }
        // An attempt of ours whose answer was lost has won, too.
        let published = self.published().await?;
        Ok(if published.is_some_and(|published| published.note == note) { Race::Won } else { Race::Lost })
    }
}
