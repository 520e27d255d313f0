//! The object store under `/s3/`: whole objects, multipart uploads, ranges. What it takes is what was announced, as S3's checksums see to it.

use std::collections::BTreeMap;

use chartseal_envelope::{PART_BYTES, parts_root};
use chartseal_events::state::Announced;
use chartseal_events::wire::{CompleteRequest, PartCall, PartsRequest, PartsResponse, PresignedCall};
use chartseal_events::{Bytes, Code, Hash, Id, Observation, Refusal};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Store;
use super::routes::Reply;
use super::server::Request;
use super::store::Multipart;

/// Leave to upload an announced body.
pub fn leave(place: (Id, u32), body_bytes: u64, base: &str) -> Value {
    if body_bytes > PART_BYTES {
        return json!({ "parts": { "part_bytes": PART_BYTES, "count": body_bytes.div_ceil(PART_BYTES) } });
    }
    json!({ "upload": presigned("PUT", &format!("{base}/s3/{}/{}", place.0, place.1), body_bytes) })
}

pub fn presigned(method: &str, url: &str, length: u64) -> PresignedCall {
    let mut headers = BTreeMap::from([("host".to_owned(), "somewhere".to_owned())]);
    if method == "PUT" {
        headers.insert("content-length".to_owned(), length.to_string());
        headers.insert("if-none-match".to_owned(), "*".to_owned());
    }
    PresignedCall {
        method: method.to_owned(),
        url: format!("{url}?X-Amz-Signature=secret"),
        headers,
        expires_at: u64::MAX,
    }
}

pub fn handle(store: &mut Store, request: &Request, place: &str) -> Reply {
    let words: Vec<&str> = place.split('/').collect();
    if store.uploads_expired && request.method == "PUT" {
        return Reply::of(403, Vec::new());
    }
    if let ["parts", upload_id, number, sha256] = words[..] {
        let Some(multipart) = store.multiparts.get_mut(upload_id) else { return Reply::of(404, Vec::new()) };
        if Hash(Sha256::digest(&request.body).into()).to_string() != sha256 {
            return Reply::of(400, Vec::new());
        }
        multipart.parts.insert(number.parse().expect("ours"), request.body.clone());
        return Reply::of(200, Vec::new());
    }
    let [record, version] = words[..] else { panic!("not ours: {place}") };
    let (record, version): (Id, u32) = (record.parse().expect("ours"), version.parse().expect("ours"));
    if request.method == "GET" {
        get(&store.blobs[&(record, version)], request.from)
    } else {
        put(store, request, record, version)
    }
}

fn get(blob: &[u8], from: Option<usize>) -> Reply {
    let total = blob.len();
    match from {
        None => Reply::of(200, blob.to_vec()),
        Some(from) if from >= total => Reply { status: 416, body: Vec::new(), range: Some(format!("bytes */{total}")) },
        Some(from) => {
            let range = Some(format!("bytes {from}-{}/{total}", total - 1));
            Reply { status: 206, body: blob[from..].to_vec(), range }
        }
    }
}

fn put(store: &mut Store, request: &Request, record: Id, version: u32) -> Reply {
    if store.blobs.contains_key(&(record, version)) {
        return Reply::of(412, Vec::new());
    }
    let view = store.view();
    let runs = &view.record(record).expect("created").version(version).expect("created").announced;
    let sha256 = Hash(Sha256::digest(&request.body).into());
    let announced = |(_, run): &(&u64, &Announced)| {
        sha256 == run.announcement.parts_root && request.body.len() as u64 == run.announcement.body_bytes
    };
    let Some((seq, _)) = runs.iter().rfind(announced) else { return Reply::of(400, Vec::new()) };
    arrived(store, record, version, *seq, request.body.clone());
    Reply::of(200, Vec::new())
}

fn arrived(store: &mut Store, record: Id, version: u32, announced: u64, body: Vec<u8>) {
    store.blobs.insert((record, version), body);
    let found = Observation::ObjectFound { record, announced, version_id: "v1".to_owned() };
    if store.commits_at.is_some() {
        store.not_found_yet.push(found);
    } else {
        store.observe(&found).expect("it was announced");
    }
}

/// The announced run of this message id, with its place in the record's stream.
fn run_of(store: &Store, record: Id, version: u32, message_id: &Bytes<32>) -> Result<(u64, Announced), Refusal> {
    let view = store.view();
    let version = view.record(record).and_then(|record| record.version(version)).ok_or(Code::NotFound)?;
    let run = version.announced.iter().rfind(|(_, run)| run.announcement.message_id == *message_id);
    let (seq, run) = run.ok_or(Code::NotAnnounced)?;
    if run.announcement.body_bytes <= PART_BYTES {
        return Err(Code::NotInParts.into());
    }
    Ok((*seq, run.clone()))
}

pub fn parts(store: &mut Store, record: Id, asked: &PartsRequest, base: &str) -> Result<Value, Refusal> {
    let (_, run) = run_of(store, record, asked.version, &asked.message_id)?;
    if let (true, Some(upload_id)) = (store.blobs.contains_key(&(record, asked.version)), &asked.upload_id) {
        // It was put together: nothing is missing.
        let parts = asked.parts.iter().map(|part| PartCall { number: part.number, call: None }).collect();
        return Ok(json!(PartsResponse { upload_id: upload_id.clone(), parts }));
    }
    assert!((1..=100).contains(&asked.parts.len()) && asked.parts.is_sorted_by_key(|part| part.number));
    let upload_id = match &asked.upload_id {
        Some(id) if store.multiparts.contains_key(id) => id.clone(),
        Some(_) => return Err(Code::UploadUnknown.into()),
        None => {
            store.begun_multiparts += 1;
            let id = format!("multipart-{}", store.begun_multiparts);
            store.multiparts.insert(id.clone(), Multipart { place: (record, asked.version), parts: BTreeMap::new() });
            id
        }
    };
    let kept = &store.multiparts[&upload_id].parts;
    let call = |number: u32, sha256: Hash| {
        let there = kept.get(&number).is_some_and(|bytes| Hash(Sha256::digest(bytes).into()) == sha256);
        let left = run.announcement.body_bytes - u64::from(number - 1) * PART_BYTES;
        let url = format!("{base}/s3/parts/{upload_id}/{number}/{sha256}");
        PartCall { number, call: (!there).then(|| presigned("PUT", &url, left.min(PART_BYTES))) }
    };
    let parts = asked.parts.iter().map(|part| call(part.number, part.sha256)).collect();
    Ok(json!(PartsResponse { upload_id, parts }))
}

pub fn complete(store: &mut Store, record: Id, asked: &CompleteRequest) -> Result<Value, Refusal> {
    let (seq, run) = run_of(store, record, asked.version, &asked.message_id)?;
    let stored = json!({ "state": "stored" });
    if store.blobs.contains_key(&(record, asked.version)) {
        return Ok(stored);
    }
    let multipart = store.multiparts.get(&asked.upload_id).ok_or(Code::UploadUnknown)?;
    assert_eq!(multipart.place, (record, asked.version));
    let digests: Vec<[u8; 32]> = multipart.parts.values().map(|part| Sha256::digest(part).into()).collect();
    if parts_root(&digests) != run.announcement.parts_root.0 {
        return Err(Code::UploadIncomplete.into());
    }
    let multipart = store.multiparts.remove(&asked.upload_id).ok_or(Code::UploadUnknown)?;
    let body = multipart.parts.into_values().collect::<Vec<_>>().concat();
    arrived(store, record, asked.version, seq, body);
    Ok(stored)
}
