//! S3: versioned objects, and calls that are signed for exactly these bytes. Uploads in parts are in `parts`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_events::Hash;

use super::parts::Assembled;
use super::{MemoryVault, World};
use crate::layout::{MAX_PRESIGN_S, SHA256_HEADER};
use crate::ports::{Aborted, BlobHead, Blobs, Completion, Part, PartsUpload, Presigned, StoreError, StoredPart};

const SCHEME: &str = "memory://blobs/";
/// What makes a signature; a constant, since nobody attacks a test.
const SECRET: &[u8] = b"chartseal/memory/presign\0";

#[derive(Clone)]
pub(super) struct Blob {
    pub(super) version_id: String,
    pub(super) bytes: Vec<u8>,
    /// What S3 states of it, where it was put together of parts.
    pub(super) assembled: Option<Assembled>,
}

/// What S3 answers to an HTTP call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The body of a GET that was allowed; empty otherwise.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    pub(super) fn new(status: u16) -> Self {
        Self { status, body: Vec::new() }
    }
}

impl MemoryVault {
    /// What a client does with a presigned call: sends it with the headers that it names, and a body.
    pub fn send(&self, presigned: &Presigned, body: &[u8]) -> HttpAnswer {
        self.http(presigned.method, &presigned.url, &presigned.headers, body)
    }

    /// An HTTP call to S3, with whatever headers. As S3 does, it takes the content length from the body that was sent.
    pub fn http(&self, method: &str, url: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> HttpAnswer {
        let Some((key, query)) = url.strip_prefix(SCHEME).and_then(|rest| rest.split_once('?')) else {
            return HttpAnswer::new(400);
        };
        let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let field = |name: &str| query.get(name).copied().unwrap_or_default();
        let expires_at_ms: u64 = field("expires").parse().unwrap_or(0);
        let sent: BTreeMap<String, &str> =
            headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
        let header = |name: &str| sent.get(name).copied().unwrap_or_default();
        let upload = PartsUpload { key, id: field("uploadId") };
        let number = field("partNumber").parse().unwrap_or(0);
        let signed = match method {
            "PUT" if number > 0 => {
                part_line(upload, number, &body.len().to_string(), header(SHA256_HEADER), expires_at_ms)
            }
            "PUT" => {
                put_line(key, &body.len().to_string(), header(SHA256_HEADER), header("if-none-match"), expires_at_ms)
            }
            "GET" => get_line(key, field("version"), expires_at_ms),
            _ => return HttpAnswer::new(405),
        };
        if field("signature") != signature(&signed) || self.world().now_ms >= expires_at_ms {
            return HttpAnswer::new(403);
        }
        if method == "GET" {
            return self.get(key, field("version"));
        }
        if header(SHA256_HEADER) != STANDARD.encode(Hash::of(&[body]).0) {
            return HttpAnswer::new(400);
        }
        if number > 0 {
            return self.take_part(upload, number, body);
        }
        if self.blob(key).is_some() {
            return HttpAnswer::new(412);
        }
        self.put_blob(key, body);
        HttpAnswer::new(200)
    }

    fn get(&self, key: &str, version_id: &str) -> HttpAnswer {
        let world = self.world();
        let found = world.blobs.get(key).into_iter().flatten().find(|blob| blob.version_id == version_id);
        found.map_or(HttpAnswer::new(404), |blob| HttpAnswer { status: 200, body: blob.bytes.clone() })
    }

    /// Puts an object, or a new version of it, past every check; gives its version id.
    pub fn put_blob(&self, key: &str, bytes: &[u8]) -> String {
        self.world().store_blob(key, bytes.to_vec(), None)
    }

    /// The bytes of an object's newest version.
    pub fn blob(&self, key: &str) -> Option<Vec<u8>> {
        self.world().blobs.get(key).and_then(|versions| versions.last()).map(|blob| blob.bytes.clone())
    }

    /// What a damaged or hostile disk would do: other bytes under the same version id.
    ///
    /// # Panics
    /// Where there is no object.
    pub fn tamper_blob(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.world();
        let blob = world.blobs.get_mut(key).and_then(|versions| versions.last_mut());
        change(&mut blob.unwrap_or_else(|| panic!("no object at {key}")).bytes);
    }

    /// The keys of all objects.
    pub fn blob_keys(&self) -> Vec<String> {
        self.world().blobs.iter().filter(|(_, versions)| !versions.is_empty()).map(|(key, _)| key.clone()).collect()
    }
}

impl World {
    pub(super) fn store_blob(&mut self, key: &str, bytes: Vec<u8>, assembled: Option<Assembled>) -> String {
        self.blob_versions += 1;
        let version_id = format!("version-{}", self.blob_versions);
        let blob = Blob { version_id: version_id.clone(), bytes, assembled };
        self.blobs.entry(key.to_owned()).or_default().push(blob);
        version_id
    }
}

fn put_line(key: &str, size: &str, sha256: &str, if_none_match: &str, expires_at_ms: u64) -> String {
    format!("PUT\0{key}\0{size}\0{sha256}\0{if_none_match}\0{expires_at_ms}")
}

fn part_line(upload: PartsUpload<'_>, number: u32, size: &str, sha256: &str, expires_at_ms: u64) -> String {
    format!("PART\0{}\0{}\0{number}\0{size}\0{sha256}\0{expires_at_ms}", upload.key, upload.id)
}

fn get_line(key: &str, version_id: &str, expires_at_ms: u64) -> String {
    format!("GET\0{key}\0{version_id}\0{expires_at_ms}")
}

fn signature(line: &str) -> String {
    Hash::of(&[SECRET, line.as_bytes()]).to_string()
}

fn expiry(now_ms: u64, life_s: u32) -> u64 {
    // S3's times have whole seconds.
    now_ms / 1000 * 1000 + u64::from(life_s.min(MAX_PRESIGN_S)) * 1000
}

impl Blobs for MemoryVault {
    async fn presign_put(
        &self,
        key: &str,
        size_bytes: u64,
        sha256: [u8; 32],
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        let expires_at_ms = expiry(now_ms, life_s);
        let (size, sha256) = (size_bytes.to_string(), STANDARD.encode(sha256));
        let signature = signature(&put_line(key, &size, &sha256, "*", expires_at_ms));
        Ok(Presigned {
            method: "PUT",
            url: format!("{SCHEME}{key}?expires={expires_at_ms}&signature={signature}"),
            headers: BTreeMap::from([
                ("content-length".to_owned(), size),
                ("if-none-match".to_owned(), "*".to_owned()),
                (SHA256_HEADER.to_owned(), sha256),
            ]),
            expires_at_ms,
        })
    }

    async fn presign_get(
        &self,
        key: &str,
        version_id: &str,
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        let expires_at_ms = expiry(now_ms, life_s);
        let signature = signature(&get_line(key, version_id, expires_at_ms));
        let url = format!("{SCHEME}{key}?version={version_id}&expires={expires_at_ms}&signature={signature}");
        Ok(Presigned { method: "GET", url, headers: BTreeMap::new(), expires_at_ms })
    }

    async fn head(&self, key: &str) -> Result<Option<BlobHead>, StoreError> {
        Ok(self.world().blobs.get(key).and_then(|versions| versions.last()).map(Blob::head))
    }

    async fn delete(&self, key: &str, version_id: &str) -> Result<(), StoreError> {
        if let Some(versions) = self.world().blobs.get_mut(key) {
            versions.retain(|blob| blob.version_id != version_id);
        }
        Ok(())
    }

    async fn count_uploads(&self, key: &str, most: usize) -> Result<usize, StoreError> {
        Ok(self.number_of_uploads(key).min(most))
    }

    async fn begin_upload(&self, key: &str) -> Result<String, StoreError> {
        Ok(self.new_upload(key))
    }

    async fn presign_part(
        &self,
        upload: PartsUpload<'_>,
        part: &Part,
        now_ms: u64,
        life_s: u32,
    ) -> Result<Presigned, StoreError> {
        let expires_at_ms = expiry(now_ms, life_s);
        let (size, sha256) = (part.size_bytes.to_string(), STANDARD.encode(part.sha256));
        let signature = signature(&part_line(upload, part.number, &size, &sha256, expires_at_ms));
        let (PartsUpload { key, id }, number) = (upload, part.number);
        Ok(Presigned {
            method: "PUT",
            url: format!(
                "{SCHEME}{key}?partNumber={number}&uploadId={id}&expires={expires_at_ms}&signature={signature}"
            ),
            headers: BTreeMap::from([("content-length".to_owned(), size), (SHA256_HEADER.to_owned(), sha256)]),
            expires_at_ms,
        })
    }

    async fn stored_parts(
        &self,
        upload: PartsUpload<'_>,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<StoredPart>>, StoreError> {
        Ok(self.parts_of(upload, numbers))
    }

    async fn complete_upload(&self, upload: PartsUpload<'_>, parts: &[StoredPart]) -> Result<Completion, StoreError> {
        Ok(self.assemble(upload, parts))
    }

    async fn abort_uploads(&self, key: &str) -> Result<Aborted, StoreError> {
        self.drop_uploads(key)
    }
}
