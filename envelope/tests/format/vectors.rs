//! The frozen vectors: what they say happens, and they stay what they are.
//!
//! `CHARTSEAL_WRITE_VECTORS=1 cargo test -p chartseal-envelope --test format` writes the files anew, when a vector is added. An old vector never changes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chartseal_envelope::key_release::{self, RecipientSecret};
use chartseal_envelope::vector_hooks::{release_with_ephemeral, seal_into_with_message_id, seal_with_message_id};
use chartseal_envelope::{
    Announcement, DataKey, FrameRange, Header, Opening, RangeProof, Sealing, Threads, body_bytes, open, open_into,
    open_range,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::shape::{AnnouncementShape, Golden, MustFail, Release, counting_bytes, sha256_hex};
use crate::{range_cases, release_cases, vector_cases};

/// The vectors of a file, which must be exactly the ones that are made here.
fn frozen<V: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(file: &str, made: &[V]) -> Vec<V> {
    // Cargo names the package it tests; the one it was built in may be another checkout's, where two share a target folder.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let path = PathBuf::from(package).join("vectors").join(file);
    if std::env::var_os("CHARTSEAL_WRITE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(made).unwrap() + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let frozen: Vec<V> = serde_json::from_str(&text).unwrap();
    assert_eq!(frozen.len(), made.len(), "{file} has other vectors than are made");
    for (frozen, made) in frozen.iter().zip(made) {
        assert_eq!(frozen, made, "{file} is not what is made now");
    }
    frozen
}

#[test]
fn golden_messages_are_written_and_opened() {
    for vector in frozen("golden.json", &vector_cases::goldens()) {
        let plaintext = counting_bytes(vector.plaintext_bytes);
        let body = written(&vector, &plaintext);
        assert_eq!(sha256_hex(&body), vector.body_sha256, "{}", vector.name);
        opened(&vector, &body, &plaintext);
    }
}

/// The body as our writer makes it, or as the file has it when the message is not ours.
fn written(vector: &Golden, plaintext: &[u8]) -> Vec<u8> {
    if !vector.ours {
        return vector.body.clone().unwrap().0;
    }
    let announcement = vector.announcement.announcement();
    let sealing = Sealing {
        key: &DataKey::from_bytes(vector.data_key.array()),
        context: &vector.context.context(),
        wrapped_key: &vector.wrapped_key.wrapped_key(),
        frame_bytes: announcement.frame_bytes,
    };
    let mut body = Vec::new();
    let sealed = seal_with_message_id(&sealing, announcement.message_id, plaintext, &mut body).unwrap();
    let mut in_memory = Vec::new();
    let again =
        seal_into_with_message_id(Threads::new(2), &sealing, announcement.message_id, plaintext, &mut in_memory);
    assert_eq!(again.unwrap(), sealed, "{}", vector.name);
    assert!(in_memory == body, "{}: another body in memory", vector.name);
    assert_eq!(sealed.header, vector.header.0, "{}", vector.name);
    assert_eq!(sealed.announcement(), announcement, "{}", vector.name);
    assert_eq!(sealed.parts_root == Sha256::digest(&body)[..], sealed.parts.len() == 1, "{}", vector.name);
    assert_eq!(sealed.body_bytes, body_bytes(plaintext.len() as u64, announcement.frame_bytes));
    if let Some(expected) = &vector.body {
        assert_eq!(body, expected.0, "{}", vector.name);
    }
    body
}

fn opened(vector: &Golden, body: &[u8], plaintext: &[u8]) {
    let announcement = vector.announcement.announcement();
    let header = Header::parse(&vector.header.0).unwrap();
    assert_eq!(
        Announcement::measure(&header, announcement.frame_bytes, body).unwrap(),
        announcement,
        "{}",
        vector.name
    );
    assert_eq!(announcement.plaintext_bytes(), Some(plaintext.len() as u64), "{}", vector.name);
    header.check_wrapped_key(&vector.wrapped_key.wrapped_key()).unwrap();
    let opening = Opening {
        key: &DataKey::from_bytes(vector.data_key.array()),
        header: &vector.header.0,
        context: &vector.context.context(),
        announcement: &announcement,
    };
    let mut out = Vec::new();
    let opened = open(&opening, body, &mut out).unwrap_or_else(|error| panic!("{}: {error}", vector.name));
    assert_eq!(opened.plaintext_bytes, plaintext.len() as u64);
    assert!(out == plaintext, "{}: another plaintext", vector.name);
    let mut out = Vec::new();
    assert_eq!(open_into(Threads::new(2), &opening, body, &mut out).unwrap(), opened, "{}", vector.name);
    assert!(out == plaintext, "{}: another plaintext in memory", vector.name);
}

#[test]
fn hostile_messages_fail_as_they_say() {
    let vectors = frozen("must-fail.json", &vector_cases::must_fail());
    for vector in &vectors {
        let opening = Opening {
            key: &DataKey::from_bytes(vector.data_key.array()),
            header: &vector.header.0,
            context: &vector.context.context(),
            announcement: &vector.announcement.announcement(),
        };
        let error = open(&opening, &vector.body.0[..], std::io::sink()).expect_err(&vector.name);
        assert_eq!(error.code(), vector.failure, "{}: {error}", vector.name);
        let mut out = vec![1; vector.body.0.len()];
        let error = open_into(Threads::new(2), &opening, &vector.body.0, &mut out).expect_err(&vector.name);
        assert_eq!(error.code(), vector.failure, "{} in memory: {error}", vector.name);
        assert!(out.is_empty(), "{}: plaintext stays in memory", vector.name);
    }
    let names: BTreeSet<_> = vectors.iter().map(|vector: &MustFail| &vector.name).collect();
    assert_eq!(names.len(), vectors.len(), "two vectors have one name");
}

#[test]
fn ranges_are_proven_or_fail_as_they_say() {
    let goldens = [vector_cases::one_byte(), vector_cases::many_frames()];
    for vector in frozen("ranges.json", &range_cases::ranges()) {
        let golden = goldens.iter().find(|golden| golden.name == vector.message).expect("a golden message");
        let announcement = vector.announcement.as_ref().unwrap_or(&golden.announcement).announcement();
        let range = FrameRange::of_plaintext(&announcement, vector.plaintext_from..vector.plaintext_to).unwrap();
        assert_eq!(range.frames(), vector.frames_from..vector.frames_to, "{}", vector.name);
        assert_eq!(range.body_bytes(), vector.body_from..vector.body_to, "{}", vector.name);
        let opening = Opening {
            key: &DataKey::from_bytes(golden.data_key.array()),
            header: &golden.header.0,
            context: &golden.context.context(),
            announcement: &announcement,
        };
        let proof = RangeProof::from_bytes(&vector.proof.0).unwrap();
        let mut out = Vec::new();
        let opened = open_range(&opening, &range, &proof, &vector.body.0[..], &mut out);
        if let Some(failure) = &vector.failure {
            assert_eq!(opened.expect_err(&vector.name).code(), failure, "{}", vector.name);
            continue;
        }
        opened.unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        let got = range.plaintext_bytes();
        let [from, to] = [got.start, got.end].map(|at| usize::try_from(at).unwrap());
        assert_eq!(out, counting_bytes(golden.plaintext_bytes)[from..to], "{}", vector.name);
    }
}

#[test]
fn released_keys_open_only_where_they_should() {
    for vector in frozen("key-release.json", &release_cases::releases()) {
        let secret = RecipientSecret::from_bytes(vector.recipient_secret.array());
        assert_eq!(secret.public_key().unwrap().to_vec(), vector.recipient_public.0);
        let opened = key_release::open(&vector.sealed, &secret, &vector.binding());
        match &vector.failure {
            None => assert_eq!(opened.unwrap().expose().to_vec(), vector.data_key.0, "{}", vector.name),
            Some(failure) => assert_eq!(opened.expect_err(&vector.name).code(), failure, "{}", vector.name),
        }
        resealed(&vector);
    }
}

fn resealed(vector: &Release) {
    let Some(seed) = &vector.ephemeral_seed else { return };
    let key = DataKey::from_bytes(vector.data_key.array());
    let sealed =
        release_with_ephemeral(&seed.array(), &key, &vector.recipient_public.array(), &vector.binding()).unwrap();
    assert_eq!(sealed, vector.sealed, "{}", vector.name);
}

#[test]
fn announcements_have_one_json_form() {
    let vector = vector_cases::smallest_vault_frame();
    let announcement = vector.announcement.announcement();
    let json = serde_json::to_value(&announcement).unwrap();
    assert_eq!(json, serde_json::to_value(AnnouncementShape::of(&announcement)).unwrap());
    assert_eq!(serde_json::from_value::<Announcement>(json.clone()).unwrap(), announcement);
    for (field, bad) in [
        ("suite", serde_json::json!(0x0478)),
        ("suite", serde_json::json!("0x478")),
        ("suite", serde_json::json!("478")),
        ("frame_bytes", serde_json::json!(64)),
        ("frame_bytes", serde_json::json!(100_000)),
        ("frames_root", serde_json::json!(vector.announcement.frames_root.to_uppercase())),
        ("message_id", serde_json::json!("HR0d")),
        ("extra", serde_json::json!(1)),
    ] {
        let mut changed = json.clone();
        changed[field] = bad;
        assert!(serde_json::from_value::<Announcement>(changed).is_err(), "{field}");
    }
}
