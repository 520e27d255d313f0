//! Bodies in parts, by real HTTP calls. Parts are of S3's least size, 5 MiB, but for the last one.

use std::collections::BTreeMap;

use chartseal_events::Hash;
use chartseal_infra::ports::{
    Aborted, Blobs as _, Checksum, Completion, MAX_ABORTED, Part, PartsUpload, Presigned, StoredPart,
};

use crate::subject::{Subject, id};

const LIFE_S: u32 = 60;
const MIB: usize = 1024 * 1024;

fn key() -> String {
    format!("records/{}/1/1", id(1))
}

/// A body of two parts: 5 MiB, and what is left.
fn halves() -> [Vec<u8>; 2] {
    [vec![b'a'; 5 * MIB], b"the rest".to_vec()]
}

fn part(number: u32, bytes: &[u8]) -> Part {
    Part { number, size_bytes: bytes.len() as u64, sha256: Hash::of(&[bytes]).0 }
}

/// What S3 states of an object, computed as Amazon's documentation has it.
fn composite(halves: &[Vec<u8>]) -> Checksum {
    let digests: Vec<u8> = halves.iter().flat_map(|bytes| Hash::of(&[bytes]).0).collect();
    let parts = u32::try_from(halves.len()).expect("few");
    Checksum::Composite { sha256: Hash::of(&[&digests]).0, parts }
}

fn send(subject: &impl Subject, call: &Presigned, bytes: &[u8]) -> u16 {
    subject.http(call.method, &call.url, &call.headers, bytes).0
}

async fn presigned(subject: &impl Subject, upload: PartsUpload<'_>, part: &Part) -> Presigned {
    subject.blobs().presign_part(upload, part, subject.now_ms(), LIFE_S).await.expect("signs")
}

async fn put(subject: &impl Subject, upload: PartsUpload<'_>, number: u32, bytes: &[u8]) -> u16 {
    let call = presigned(subject, upload, &part(number, bytes)).await;
    send(subject, &call, bytes)
}

async fn begun(subject: &impl Subject) -> String {
    subject.blobs().begin_upload(&key()).await.expect("begins")
}

async fn listed(subject: &impl Subject, upload: PartsUpload<'_>) -> Option<Vec<Part>> {
    let stored = subject.blobs().stored_parts(upload, 1..=1000).await.expect("lists");
    stored.map(|stored| stored.into_iter().map(|stored| stored.part).collect())
}

async fn stored(subject: &impl Subject, upload: PartsUpload<'_>) -> Vec<StoredPart> {
    subject.blobs().stored_parts(upload, 1..=1000).await.expect("lists").expect("an upload")
}

pub async fn a_part_takes_its_own_bytes_and_no_others(subject: &impl Subject) {
    let (key, bytes) = (key(), halves()[1].clone());
    let id = begun(subject).await;
    let upload = PartsUpload { key: &key, id: &id };
    let call = presigned(subject, upload, &part(2, &bytes)).await;
    let names: Vec<&str> = call.headers.keys().map(String::as_str).collect();
    assert_eq!((call.method, names), ("PUT", vec!["content-length", "x-amz-checksum-sha256"]));
    assert_eq!(call.headers["content-length"], bytes.len().to_string());

    let mut flipped = bytes.clone();
    flipped[0] ^= 1;
    assert_eq!(send(subject, &call, &flipped), 400, "other bytes of the same size");
    assert_eq!(send(subject, &call, &bytes[1..]), 403, "fewer bytes");
    assert_eq!(send(subject, &call, &[&bytes[..], b"x"].concat()), 403, "more bytes");
    let mut without = call.clone();
    without.headers.remove("x-amz-checksum-sha256");
    assert_eq!(send(subject, &without, &bytes), 403, "without the checksum");
    let other = presigned(subject, upload, &part(2, &flipped)).await;
    let swapped = Presigned { headers: other.headers.clone(), ..call.clone() };
    assert_eq!(send(subject, &swapped, &flipped), 403, "other bytes with their own checksum");
    let third = Presigned { url: call.url.replace("partNumber=2", "partNumber=3"), ..call.clone() };
    assert_eq!(send(subject, &third, &bytes), 403, "as another part");
    assert_eq!(listed(subject, upload).await, Some(vec![]), "nothing refused left anything");

    assert_eq!(send(subject, &call, &bytes), 200);
    assert_eq!(send(subject, &call, &bytes), 200, "again, as after a lost answer");
    assert_eq!(listed(subject, upload).await, Some(vec![part(2, &bytes)]));
    assert_eq!(send(subject, &other, &flipped), 200, "and another part in its place");
    assert_eq!(listed(subject, upload).await, Some(vec![part(2, &flipped)]), "which replaces it");
    assert_eq!(subject.blobs().head(&key).await.expect("looks"), None, "parts are no object");
}

pub async fn a_parts_address_ends(subject: &impl Subject) {
    let (key, bytes) = (key(), halves()[1].clone());
    let id = begun(subject).await;
    let upload = PartsUpload { key: &key, id: &id };
    let now_ms = subject.now_ms();
    let long = subject.blobs().presign_part(upload, &part(1, &bytes), now_ms, 86_400).await.expect("signs");
    assert_eq!(long.expires_at_ms, now_ms / 1000 * 1000 + 900_000, "15 minutes at most");
    let over = subject.blobs().presign_part(upload, &part(1, &bytes), now_ms - 120_000, LIFE_S).await.expect("signs");
    assert_eq!(send(subject, &over, &bytes), 403);
}

pub async fn parts_are_listed_by_number(subject: &impl Subject) {
    let key = key();
    let id = begun(subject).await;
    let upload = PartsUpload { key: &key, id: &id };
    for number in [7, 3, 1, 4] {
        assert_eq!(put(subject, upload, number, format!("part {number}").as_bytes()).await, 200);
    }
    let of = async |numbers| {
        let stored = subject.blobs().stored_parts(upload, numbers).await.expect("lists").expect("an upload");
        stored.into_iter().map(|stored| stored.part.number).collect::<Vec<_>>()
    };
    assert_eq!(of(1..=1000).await, [1, 3, 4, 7]);
    assert_eq!(of(3..=4).await, [3, 4]);
    assert_eq!(of(2..=2).await, [0; 0]);
    assert_eq!(of(5..=1004).await, [7]);
    assert_eq!(of(9_000..=10_000).await, [0; 0]);
}

pub async fn a_body_is_put_together_of_its_parts_once(subject: &impl Subject) {
    let (key, halves) = (key(), halves());
    let id = begun(subject).await;
    let upload = PartsUpload { key: &key, id: &id };
    // In any order.
    assert_eq!(put(subject, upload, 2, &halves[1]).await, 200);
    assert_eq!(put(subject, upload, 1, &halves[0]).await, 200);
    let parts = stored(subject, upload).await;
    let blobs = subject.blobs();
    assert_eq!(blobs.complete_upload(upload, &parts).await.expect("completes"), Completion::Done);

    let head = blobs.head(&key).await.expect("looks").expect("it is there");
    assert_eq!((head.size_bytes, head.checksum), (5 * MIB as u64 + 8, Some(composite(&halves))));
    let get = blobs.presign_get(&key, &head.version_id, subject.now_ms(), LIFE_S).await.expect("signs");
    assert_eq!(subject.http("GET", &get.url, &BTreeMap::new(), &[]), (200, halves.concat()));
    assert_eq!(listed(subject, upload).await, None, "the upload is over");
    assert_eq!(put(subject, upload, 2, &halves[1]).await, 404, "and takes nothing more");
    let again = blobs.complete_upload(upload, &parts).await.expect("an answer");
    assert!(matches!(again, Completion::Done | Completion::NoUpload), "{again:?}");
    assert_eq!(blobs.head(&key).await.expect("looks"), Some(head), "nothing has changed");
}

pub async fn an_object_that_is_there_stays_what_it_was(subject: &impl Subject) {
    let (key, halves) = (key(), halves());
    let blobs = subject.blobs();
    let small = b"one PUT".to_vec();
    let call = blobs.presign_put(&key, 7, Hash::of(&[&small]).0, subject.now_ms(), LIFE_S).await.expect("signs");
    assert_eq!(send(subject, &call, &small), 200);
    let head = blobs.head(&key).await.expect("looks").expect("it is there");

    let id = begun(subject).await;
    let upload = PartsUpload { key: &key, id: &id };
    assert_eq!(put(subject, upload, 1, &halves[1]).await, 200);
    let parts = stored(subject, upload).await;
    assert_eq!(blobs.complete_upload(upload, &parts).await.expect("an answer"), Completion::Exists);
    assert_eq!(blobs.head(&key).await.expect("looks"), Some(head));
}

pub async fn one_part_is_not_one_put(subject: &impl Subject) {
    let (key, bytes) = (key(), halves()[1].clone());
    let id = begun(subject).await;
    let upload = PartsUpload { key: &key, id: &id };
    assert_eq!(put(subject, upload, 1, &bytes).await, 200);
    let parts = stored(subject, upload).await;
    assert_eq!(subject.blobs().complete_upload(upload, &parts).await.expect("completes"), Completion::Done);
    let head = subject.blobs().head(&key).await.expect("looks").expect("it is there");
    assert_eq!(head.checksum, Some(composite(&[bytes])));
}

pub async fn parts_that_are_not_there_make_no_object(subject: &impl Subject) {
    let (key, halves) = (key(), halves());
    let id = begun(subject).await;
    let upload = PartsUpload { key: &key, id: &id };
    assert_eq!(put(subject, upload, 1, &halves[0]).await, 200);
    assert_eq!(put(subject, upload, 2, &halves[1]).await, 200);
    let parts = stored(subject, upload).await;
    // Somebody sends another second part in between.
    assert_eq!(put(subject, upload, 2, b"another end").await, 200);
    let mut third = parts.clone();
    third[1].part.number = 3;
    for (what, parts) in [("a part that was replaced", parts), ("a part that never came", third)] {
        let completion = subject.blobs().complete_upload(upload, &parts).await.expect("an answer");
        assert_eq!(completion, Completion::OtherParts, "{what}");
    }
    assert_eq!(subject.blobs().head(&key).await.expect("looks"), None);
    assert_eq!(listed(subject, upload).await.expect("it goes on").len(), 2);
}

pub async fn an_upload_is_of_one_key(subject: &impl Subject) {
    let (key, elsewhere, bytes) = (key(), format!("{}1", key()), halves()[1].clone());
    let id = begun(subject).await;
    let upload = PartsUpload { key: &key, id: &id };
    assert_eq!(put(subject, upload, 1, &bytes).await, 200);
    let parts = stored(subject, upload).await;
    for other in [PartsUpload { key: &elsewhere, id: &id }, PartsUpload { key: &key, id: "no-such-upload" }] {
        assert_eq!(listed(subject, other).await, None);
        assert_eq!(put(subject, other, 1, &bytes).await, 404);
        let completion = subject.blobs().complete_upload(other, &parts).await.expect("an answer");
        assert_eq!(completion, Completion::NoUpload);
    }
    assert_eq!(subject.blobs().head(&elsewhere).await.expect("looks"), None);
}

pub async fn aborting_ends_every_upload_of_exactly_this_key(subject: &impl Subject) {
    let (key, longer) = (key(), format!("{}0", key()));
    let blobs = subject.blobs();
    let ids = [begun(subject).await, begun(subject).await];
    assert_ne!(ids[0], ids[1], "each beginning is another upload");
    assert_eq!(put(subject, PartsUpload { key: &key, id: &ids[0] }, 1, b"begun").await, 200);
    let neighbour = blobs.begin_upload(&longer).await.expect("begins");

    assert_eq!(blobs.abort_uploads(&key).await.expect("aborts"), Aborted { count: 2, more: false });
    for id in &ids {
        let upload = PartsUpload { key: &key, id };
        assert_eq!(listed(subject, upload).await, None);
        assert_eq!(put(subject, upload, 2, b"late").await, 404);
    }
    assert_eq!(
        listed(subject, PartsUpload { key: &longer, id: &neighbour }).await,
        Some(vec![]),
        "not the neighbour's"
    );
    assert_eq!(blobs.abort_uploads(&key).await.expect("aborts"), Aborted { count: 0, more: false });
    assert_eq!(blobs.abort_uploads(&longer).await.expect("aborts"), Aborted { count: 1, more: false });
}

pub async fn uploads_of_exactly_this_key_are_counted_as_far_as_asked(subject: &impl Subject) {
    let (key, longer) = (key(), format!("{}0", key()));
    let blobs = subject.blobs();
    let count = async |key, most| blobs.count_uploads(key, most).await.expect("counts");
    assert_eq!(count(&key, 3).await, 0);
    for _ in 0..2 {
        blobs.begin_upload(&longer).await.expect("begins");
    }
    assert_eq!((count(&key, 3).await, count(&longer, 3).await), (0, 2), "not the neighbour's");
    for _ in 0..4 {
        begun(subject).await;
    }
    assert_eq!((count(&key, 3).await, count(&key, 4).await, count(&key, 17).await), (3, 4, 4));
}

pub async fn one_abort_takes_so_many_uploads_and_says_that_there_are_more(subject: &impl Subject) {
    let key = key();
    let blobs = subject.blobs();
    for _ in 0..=MAX_ABORTED {
        begun(subject).await;
    }
    blobs.begin_upload(&format!("{key}0")).await.expect("begins");
    assert_eq!(blobs.abort_uploads(&key).await.expect("aborts"), Aborted { count: MAX_ABORTED, more: true });
    assert_eq!(blobs.abort_uploads(&key).await.expect("aborts"), Aborted { count: 1, more: false });
    for _ in 0..MAX_ABORTED {
        begun(subject).await;
    }
    let all = Aborted { count: MAX_ABORTED, more: false };
    assert_eq!(blobs.abort_uploads(&key).await.expect("aborts"), all, "the neighbour's is not one more of it");
}
