//! Bodies, by real HTTP calls.

use std::collections::BTreeMap;

use chartseal_events::Hash;
use chartseal_infra::ports::{Blobs as _, Checksum, Presigned};

use crate::subject::{Subject, id};

const LIFE_S: u32 = 60;

fn key() -> String {
    format!("records/{}/1/1", id(1))
}

fn body() -> Vec<u8> {
    (0..100_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect()
}

async fn announced(subject: &impl Subject, bytes: &[u8]) -> Presigned {
    let sha256 = Hash::of(&[bytes]).0;
    subject.blobs().presign_put(&key(), bytes.len() as u64, sha256, subject.now_ms(), LIFE_S).await.expect("signs")
}

fn send(subject: &impl Subject, call: &Presigned, bytes: &[u8]) -> u16 {
    subject.http(call.method, &call.url, &call.headers, bytes).0
}

pub async fn only_the_announced_bytes_are_taken_and_only_once(subject: &impl Subject) {
    let bytes = body();
    let sha256 = Hash::of(&[&bytes]).0;
    let call = announced(subject, &bytes).await;
    assert_eq!(call.method, "PUT");
    let names: Vec<&str> = call.headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["content-length", "if-none-match", "x-amz-checksum-sha256"]);
    assert_eq!(call.headers["content-length"], bytes.len().to_string());
    assert_eq!(call.headers["if-none-match"], "*");
    assert_eq!(subject.blobs().head(&key()).await.expect("looks"), None);

    let mut flipped = bytes.clone();
    flipped[0] ^= 1;
    assert_eq!(send(subject, &call, &flipped), 400, "other bytes of the same size");
    assert_eq!(send(subject, &call, &bytes[1..]), 403, "fewer bytes");
    assert_eq!(send(subject, &call, &[&bytes[..], b"x"].concat()), 403, "more bytes");
    for name in ["if-none-match", "x-amz-checksum-sha256"] {
        let mut without = call.clone();
        without.headers.remove(name);
        assert_eq!(send(subject, &without, &bytes), 403, "without {name}");
    }
    let other = announced(subject, &flipped).await;
    let mut swapped = call.clone();
    swapped.headers.clone_from(&other.headers);
    assert_eq!(send(subject, &swapped, &flipped), 403, "other bytes with their own checksum");
    let elsewhere = Presigned { url: call.url.replace("/1/1?", "/1/2?"), ..call.clone() };
    assert_eq!(send(subject, &elsewhere, &bytes), 403, "to another key");
    assert_eq!(subject.blobs().head(&key()).await.expect("looks"), None, "nothing refused left anything");

    assert_eq!(send(subject, &call, &bytes), 200);
    let head = subject.blobs().head(&key()).await.expect("looks").expect("it is there");
    assert_eq!((head.size_bytes, head.checksum), (bytes.len() as u64, Some(Checksum::Whole(sha256))));
    assert_eq!(send(subject, &call, &bytes), 412, "a second time");
    assert_eq!(send(subject, &other, &flipped), 412, "other bytes announced for the same key");
    assert_eq!(subject.blobs().head(&key()).await.expect("looks"), Some(head));
}

pub async fn a_presigned_call_ends(subject: &impl Subject) {
    let bytes = body();
    let (size, sha256) = (bytes.len() as u64, Hash::of(&[&bytes]).0);
    let now_ms = subject.now_ms();
    let sign = async |at_ms: u64, life_s: u32| {
        subject.blobs().presign_put(&key(), size, sha256, at_ms, life_s).await.expect("signs")
    };
    let long = sign(now_ms, 86_400).await;
    assert_eq!(long.expires_at_ms, now_ms / 1000 * 1000 + 900_000, "15 minutes at most");
    let over = sign(now_ms - 120_000, LIFE_S).await;
    assert!(over.expires_at_ms <= now_ms);
    assert_eq!(send(subject, &over, &bytes), 403, "its time is over");
    let live = sign(now_ms - 30_000, LIFE_S).await;
    assert_eq!(live.expires_at_ms, (now_ms - 30_000) / 1000 * 1000 + 60_000);
    assert_eq!(send(subject, &live, &bytes), 200);
}

pub async fn a_pinned_version_stays_what_it_was(subject: &impl Subject) {
    let bytes = body();
    let call = announced(subject, &bytes).await;
    assert_eq!(send(subject, &call, &bytes), 200);
    let head = subject.blobs().head(&key()).await.expect("looks").expect("it is there");
    let get = subject.blobs().presign_get(&key(), &head.version_id, subject.now_ms(), LIFE_S).await.expect("signs");
    assert_eq!((get.method, get.headers.is_empty()), ("GET", true), "a browser sends nothing but the URL");
    let overwrite = announced(subject, b"something else").await;
    assert_eq!(send(subject, &overwrite, b"something else"), 412);
    assert_eq!(subject.http("GET", &get.url, &BTreeMap::new(), &[]), (200, bytes));
    let other = get.url.replace(&head.version_id, "0");
    assert_eq!(subject.http("GET", &other, &BTreeMap::new(), &[]).0, 403, "another version");
}

pub async fn deleting_a_version_leaves_nothing(subject: &impl Subject) {
    let bytes = body();
    let call = announced(subject, &bytes).await;
    assert_eq!(send(subject, &call, &bytes), 200);
    let head = subject.blobs().head(&key()).await.expect("looks").expect("it is there");
    let get = subject.blobs().presign_get(&key(), &head.version_id, subject.now_ms(), LIFE_S).await.expect("signs");
    for _ in 0..2 {
        subject.blobs().delete(&key(), &head.version_id).await.expect("deletes");
        assert_eq!(subject.blobs().head(&key()).await.expect("looks"), None);
    }
    assert_eq!(subject.http("GET", &get.url, &BTreeMap::new(), &[]).0, 404);
}
