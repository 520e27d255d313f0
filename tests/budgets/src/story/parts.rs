//! A body in parts: of 65 MiB, which is two.

use aws_sdk_s3::primitives::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_events::Hash;
use chartseal_events::command::RecordCreate;
use chartseal_events::limits::PART_BYTES;
use chartseal_events::wire::{
    AnnouncedUpload, CompleteRequest, CompletedUpload, CreatedRecord, PartDigest, PartsRequest, PartsResponse,
};
use chartseal_http::Incoming;
use chartseal_infra::BlobKey;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::records::sealed;
use super::{People, tokens};
use crate::vault::Vault;

/// Bytes of the last part.
const REST: usize = 1024 * 1024;

/// Announces, asks where to send, sends, completes.
pub async fn sent(vault: &Vault, people: &People) {
    let (stage, owner, uploads) = (&vault.stage, &people.owner, vault.uploads());
    let parts = [vec![0x5A; usize::try_from(PART_BYTES).expect("64 MiB")], vec![0x5A; REST]];
    let digests = parts.each_ref().map(|part| <[u8; 32]>::from(Sha256::digest(part)));

    let asked = stage.post(owner, "/records", RecordCreate {}, &[]);
    let created: CreatedRecord = vault.send(&vault.records(), &asked, 201).await;
    let record = created.record;
    // The header is of a small body: the vault cannot know.
    let body = sealed(&created);
    let mut announcement = body.announcement.clone();
    announcement.body_bytes = parts.iter().map(|part| part.len() as u64).sum();
    announcement.parts_root = Hash(Sha256::digest(digests.concat()).into());
    let message_id = announcement.message_id;
    let path = format!("/records/{record}/upload");
    let asked = stage.post_with_header(owner, &path, announcement, &[("tokens", &tokens())], &body.header_text());
    let name = ("POST /records/{id}/upload, in parts", "a body of 2 parts; 8 terms; the record's stream has 1 event");
    let announced: AnnouncedUpload = vault.measure_call(name, &vault.records(), &asked, 201).await;

    let call = |what: &str, body: Vec<u8>| -> Incoming {
        stage.signed(owner, stage.send("POST", &format!("/records/{record}/upload/{what}"), body))
    };
    let of = |digests: &[[u8; 32]]| {
        (1u32..).zip(digests).map(|(number, sha256)| PartDigest { number, sha256: Hash(*sha256) }).collect()
    };
    let asked = PartsRequest { version: 1, message_id, upload_id: None, parts: of(&digests) };
    let name = ("POST /records/{id}/upload/parts", "a new upload; 2 parts");
    let begun: PartsResponse = vault.measure_call(name, &uploads, &call("parts", json(&asked)), 200).await;

    let key = BlobKey { record, version: 1, announced: announced.event.seq }.to_string();
    for (number, (part, digest)) in (1..).zip(parts.into_iter().zip(&digests)) {
        let call = vault.bucket.upload_part().bucket(&vault.ground.name).key(&key).upload_id(&begun.upload_id);
        let call = call.part_number(number).checksum_sha256(STANDARD.encode(digest)).body(ByteStream::from(part));
        call.send().await.expect("S3 takes it");
    }
    let asked = PartsRequest { upload_id: Some(begun.upload_id.clone()), ..asked };
    let name = ("POST /records/{id}/upload/parts, resumed", "an upload that S3 has 2 parts of; 2 parts");
    let _: PartsResponse = vault.measure_call(name, &uploads, &call("parts", json(&asked)), 200).await;
    let asked = CompleteRequest { version: 1, message_id, upload_id: begun.upload_id };
    let name = ("POST /records/{id}/upload/complete", "2 parts");
    let _: CompletedUpload = vault.measure_call(name, &uploads, &call("complete", json(&asked)), 200).await;
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("JSON")
}
