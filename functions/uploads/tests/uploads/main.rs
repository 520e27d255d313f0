//! The function of uploads in parts, in stories: sending, completing, refusing. Bodies are mostly only said to be there: no test holds a gigabyte.

mod completing;
mod refusing;
mod sending;

use std::collections::BTreeMap;

use chartseal_events::command::{Announcement, SUITE};
use chartseal_events::encoding::base64url;
use chartseal_events::limits::PART_BYTES;
use chartseal_events::wire::{CompleteRequest, CompletedUpload, PartDigest, PartsRequest, PartsResponse};
use chartseal_events::{Bytes, Code, Facts, Hash, Id, Observation};
use chartseal_http::testing::{ORIGIN, Stage, Wallet, call, document, refused};
use chartseal_http::{Answer, Incoming};
use chartseal_infra::BlobKey;
use chartseal_infra::faulty::{Call, Faulty};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{Checksum, KeyItem, Part, PartsUpload};
use chartseal_uploads::Uploads;

/// How long an upload is waited for in these stories.
const WINDOW_MS: u64 = 3_600_000;
/// Bytes of a body's last part.
const REST: u64 = 1_000_000;

/// The function on a vault in memory, a bucket that can fail, and a hospital.
struct Story {
    stage: Stage,
    blobs: Faulty<MemoryVault>,
    function: Uploads<MemoryVault, Faulty<MemoryVault>, MemoryVault>,
    owner: Wallet,
}

/// A body that was announced.
#[derive(Debug, Clone)]
struct Body {
    record: Id,
    message_id: Bytes<32>,
    digests: Vec<[u8; 32]>,
    seq: u64,
}

impl Body {
    fn key(&self) -> String {
        BlobKey { record: self.record, version: 1, announced: self.seq }.to_string()
    }

    fn path(&self, what: &str) -> String {
        format!("/records/{}/upload/{what}", self.record)
    }

    /// A part as S3 has it when it was sent.
    fn part(&self, number: u32) -> Part {
        let count = u32::try_from(self.digests.len()).expect("few");
        let size_bytes = if number == count { REST } else { PART_BYTES };
        Part { number, size_bytes, sha256: self.digests[number as usize - 1] }
    }

    /// A request for the addresses of these parts.
    fn ask(&self, numbers: impl IntoIterator<Item = u32>, upload_id: Option<&str>) -> PartsRequest {
        let digest = |number| PartDigest { number, sha256: Hash(self.digests[number as usize - 1]) };
        PartsRequest {
            version: 1,
            message_id: self.message_id,
            upload_id: upload_id.map(str::to_owned),
            parts: numbers.into_iter().map(digest).collect(),
        }
    }

    fn complete(&self, upload_id: &str) -> CompleteRequest {
        CompleteRequest { version: 1, message_id: self.message_id, upload_id: upload_id.to_owned() }
    }
}

/// Different digests for so many parts.
fn digests(count: u32) -> Vec<[u8; 32]> {
    (0..count).map(|number| Hash::of(&[&number.to_be_bytes()]).0).collect()
}

impl Story {
    async fn begin() -> Self {
        let stage = Stage::new().await;
        let owner = stage.hospital("St. Mary").await;
        let vault = || stage.vault.clone();
        let blobs = Faulty::new(vault());
        let function = Uploads { origin: ORIGIN.to_owned(), events: vault(), blobs: blobs.clone(), clock: vault() };
        Self { stage, blobs, function, owner }
    }

    /// A record whose body of these parts was announced.
    async fn announced(&self, digests: Vec<[u8; 32]>) -> Body {
        let (record, ..) = self.stage.created(&self.owner).await;
        self.announced_of(record, 0, digests).await
    }

    /// An encryption run that was announced for a record, or announced again.
    async fn announced_of(&self, record: Id, run: u8, digests: Vec<[u8; 32]>) -> Body {
        let Checksum::Composite { sha256, .. } = Checksum::of_parts(&digests) else { panic!("of parts") };
        let before = digests.len() as u64 - 1;
        let seq = self.announce(record, run, before * PART_BYTES + REST, Hash(sha256)).await;
        Body { record, message_id: Bytes([run; 32]), digests, seq }
    }

    async fn announce(&self, record: Id, run: u8, body_bytes: u64, parts_root: Hash) -> u64 {
        let message_id = Bytes([run; 32]);
        let announcement = Announcement {
            record,
            version: 1,
            media_type: "application/dicom".to_owned(),
            suite: SUITE.to_owned(),
            message_id,
            commitment: Bytes([7; 32]),
            frame_bytes: 64 * 1024,
            body_bytes,
            frames_root: Hash([7; 32]),
            parts_root,
        };
        let facts = Facts { expires_at_ms: Some(self.stage.now_ms() + WINDOW_MS), ..Facts::default() };
        let header = KeyItem::Header { record, version: 1, message_id, header: vec![1] };
        // Of a run that is announced again, the header is kept already.
        let kept = self.stage.vault.keys().contains(&header);
        let headers = if kept { vec![] } else { vec![header] };
        let private = [("tokens", &*base64url(&[1; 32]))];
        self.stage.taken_with(&self.owner, announcement, &private, facts, headers).await.event.at.seq
    }

    fn request(&self, wallet: &Wallet, path: &str, body: impl Into<Vec<u8>>) -> Incoming {
        self.stage.signed(wallet, self.stage.send("POST", path, body))
    }

    async fn ask(&self, body: &Body, asked: &PartsRequest) -> Answer {
        let json = serde_json::to_vec(asked).expect("JSON");
        call(&self.function, &self.request(&self.owner, &body.path("parts"), json)).await
    }

    async fn finish(&self, body: &Body, upload_id: &str) -> Answer {
        let json = serde_json::to_vec(&body.complete(upload_id)).expect("JSON");
        call(&self.function, &self.request(&self.owner, &body.path("complete"), json)).await
    }

    /// Begins an upload, and says that S3 has these parts of it.
    async fn with_parts(&self, body: &Body, numbers: impl IntoIterator<Item = u32>) -> String {
        let begun: PartsResponse = document(&self.ask(body, &body.ask([1], None)).await, 200);
        for number in numbers {
            self.has(body, &begun.upload_id, body.part(number));
        }
        self.blobs.plan().take_calls();
        begun.upload_id
    }

    fn has(&self, body: &Body, upload_id: &str, part: Part) {
        self.stage.vault.say_part(PartsUpload { key: &body.key(), id: upload_id }, part);
    }

    /// commit finds the object.
    async fn committed(&self, body: &Body) {
        let found =
            Observation::ObjectFound { record: body.record, announced: body.seq, version_id: "version-1".to_owned() };
        self.stage.observed(found).await;
    }

    /// How many calls of S3 there were since this was asked last.
    fn calls<const N: usize>(&self, expected: [(Call, usize); N]) {
        let mut counts = BTreeMap::new();
        for call in self.blobs.plan().take_calls().into_iter().filter(|call| !call.is_signing()) {
            *counts.entry(call).or_default() += 1;
        }
        assert_eq!(counts, BTreeMap::from(expected));
    }

    async fn refused(&self, incoming: &Incoming) -> Code {
        let before = self.left();
        let code = refused(&call(&self.function, incoming).await);
        assert_eq!(self.left(), before, "a refused call leaves nothing behind");
        code
    }

    /// Everything that a call could leave behind.
    fn left(&self) -> (usize, Vec<String>, Vec<(String, String)>) {
        let vault = &self.stage.vault;
        (vault.events().len(), vault.blob_keys(), vault.unfinished_uploads())
    }
}

fn stored(answer: &Answer) {
    let completed: CompletedUpload = document(answer, 200);
    assert_eq!(completed.state, "stored");
}
