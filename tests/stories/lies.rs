//! A vault, a network or a bucket that lies: each lie is noticed by the client, and it says what was changed. Nothing is written.

use std::sync::Mutex;

use chartseal_cli::{DownloadOf, Exit, Wallet};
use chartseal_envelope::DataKey;
use chartseal_envelope::key_release::{self, Binding};
use chartseal_events::Id;
use chartseal_tests::{Hospital, Liar, Stack, sample};
use serde_json::Value;

struct Scene {
    stack: &'static Stack,
    benedikt: Hospital,
    record: Id,
    request: Id,
}

fn scene() -> Scene {
    let stack = Stack::usual();
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let record = anna.keep(sample(600_000).path(), &[]).record;
    let request = benedikt.granted(stack, record);
    Scene { stack, benedikt, record, request }
}

impl Scene {
    /// What a download comes to when answers are changed; the error's code. Nothing may be left behind.
    fn told(&self, lie: impl Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> String {
        let liar = Liar::before(&self.stack.api, lie);
        let client = self.benedikt.by_way_of(self.stack.vault_at(&liar.api));
        let (outcome, folder) = client.fetch(DownloadOf::Request(self.request));
        let left = std::fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(left, usize::from(outcome.is_ok()), "nothing but a whole file is left");
        match outcome {
            Ok(_) => "ok".to_owned(),
            Err(error) => {
                assert_eq!(error.exit(), Exit::Tampering, "{error}");
                error.code().into_owned()
            }
        }
    }
}

/// Changes the JSON answer of a path that ends so.
fn json(
    ending: &'static str,
    change: impl Fn(&mut Value) + Send + Sync,
) -> impl Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync {
    move |path, body| {
        if !path.ends_with(ending) {
            return body;
        }
        let mut value = serde_json::from_slice(&body).expect("JSON");
        change(&mut value);
        serde_json::to_vec(&value).expect("JSON")
    }
}

fn flip_text(value: &mut Value, index: usize) {
    let text = value.as_str().expect("text");
    let old = text.as_bytes()[index];
    let new = if old == b'A' { "B" } else { "A" };
    *value = format!("{}{new}{}", &text[..index], &text[index + 1..]).into();
}

#[test]
fn an_honest_go_between_changes_nothing() {
    assert_eq!(scene().told(|_, body| body), "ok");
}

#[test]
fn a_flipped_byte_in_the_body_is_noticed() {
    for index in [0, 300_000, 600_000] {
        let code = scene().told(move |path, mut body| {
            if path.contains("/records/") && body.len() > 600_000 {
                body[index] ^= 1;
            }
            body
        });
        assert_eq!(code, "body-tampered", "byte {index}");
    }
}

#[test]
fn a_shortened_or_lengthened_body_is_noticed() {
    let shorter = scene().told(|_, mut body| {
        if body.len() > 600_000 {
            body.pop();
        }
        body
    });
    let longer = scene().told(|_, mut body| {
        if body.len() > 600_000 {
            body.push(0);
        }
        body
    });
    assert_eq!([shorter.as_str(), longer.as_str()], ["body-tampered"; 2]);
}

#[test]
fn a_flipped_byte_in_the_header_is_noticed_wherever_it_is() {
    let scene = scene();
    let mut codes = std::collections::BTreeSet::new();
    for index in [1, 5, 30, 100, 200, 250] {
        codes.insert(scene.told(json("/download", move |answer| flip_text(&mut answer["header"], index))));
    }
    assert!(!codes.contains("ok"), "{codes:?}");
    let known = ["header-tampered", "header-exchanged", "wrapped-key-exchanged"];
    assert!(codes.iter().all(|code| known.contains(&code.as_str())), "{codes:?}");
}

#[test]
fn a_changed_event_in_the_evidence_is_noticed() {
    let scene = scene();
    for kind in ["record/", "request/", "provider/", "staff/", "vault"] {
        let code = scene.told(json("/download", move |answer| {
            let streams = answer["evidence"].as_object_mut().expect("streams");
            let (_, bodies) =
                streams.iter_mut().find(|(stream, _)| stream.starts_with(kind)).expect("a stream of the kind");
            let body = bodies[0].as_str().expect("text").replacen(r#""nonce":""#, r#""nonce":"A"#, 1);
            // One character more, one less: the length stays.
            let at = body.find(r#""nonce":"A"#).expect("there") + 31;
            bodies[0] = format!("{}{}", &body[..at], &body[at + 1..]).into();
        }));
        assert_eq!(code, "event-tampered", "{kind}");
    }
}

#[test]
fn evidence_that_is_left_out_is_noticed() {
    let scene = scene();
    for kind in ["record/", "request/", "provider/", "staff/", "vault"] {
        let code = scene.told(json("/download", move |answer| {
            let streams = answer["evidence"].as_object_mut().expect("streams");
            streams.retain(|stream, _| !stream.starts_with(kind));
        }));
        assert_ne!(code, "ok", "{kind}");
    }
}

#[test]
fn a_receipt_that_lies_is_noticed() {
    let scene = scene();
    let code = scene.told(json("/key", |answer| {
        let leaf = answer["event"]["leaf"].as_str().expect("hex");
        let other = if leaf.starts_with('0') { "1" } else { "0" };
        answer["event"]["leaf"] = format!("{other}{}", &leaf[1..]).into();
    }));
    assert_eq!(code, "receipt-hash");
    let code = scene.told(json("/key", |answer| {
        let body = answer["event"]["body"].as_str().expect("text").replace("key.issued.v1", "key.issued.v2");
        answer["event"]["body"] = body.into();
    }));
    assert_eq!(code, "receipt-hash");
}

#[test]
fn another_requests_answer_is_noticed() {
    let scene = scene();
    let other = scene.benedikt.granted(scene.stack, scene.record);
    // The liar keeps the first answer and gives it again for the second request.
    let kept: Mutex<Option<Vec<u8>>> = Mutex::new(None);
    let liar = Liar::before(&scene.stack.api, move |path, body| {
        if !path.ends_with("/download") {
            return body;
        }
        kept.lock().expect("no panic").get_or_insert(body).clone()
    });
    let client = scene.benedikt.by_way_of(scene.stack.vault_at(&liar.api));
    client.fetch(DownloadOf::Request(scene.request)).0.expect("the first is honest");
    let error = client.fetch(DownloadOf::Request(other)).0.expect_err("the second is a replay");
    assert_eq!(error.exit(), Exit::Tampering, "{error}");
}

/// What the emulator's KMS would give for a wrapped key that somebody changed, if the vault opened one: noise, which is sealed as it should be.
#[test]
fn a_key_that_is_not_the_records_is_noticed_by_its_commitment() {
    let scene = scene();
    let wallet = &scene.benedikt.wallet;
    let (origin, recipient) = (scene.stack.vault().origin().to_owned(), wallet.seal_key());
    let [record, request, person] = [scene.record.to_string(), scene.request.to_string(), wallet.kid().to_string()];
    let code = scene.told(json("/key", move |answer| {
        let binding =
            Binding { tenant: &origin, record: &record, version: 1, request: Some(&request), requester: &person };
        let sealed = key_release::seal(&DataKey::from_bytes([7; 32]), &recipient.0, &binding).expect("sealed");
        answer["sealed_key"] = serde_json::to_value(sealed).expect("JSON");
    }));
    assert_eq!(code, "wrong-key");
}

#[test]
fn a_wrong_key_opens_nothing() {
    let scene = scene();
    // The sealed key is exchanged for bytes that no wallet can open.
    let code = scene.told(json("/key", |answer| flip_text(&mut answer["sealed_key"]["ciphertext"], 3)));
    assert_eq!(code, "sealed-key-tampered");
    // A thief has the signing key, but not the key that opens what is sealed.
    let thief = Wallet::generate().expect("a wallet");
    let opened = scene.benedikt.wallet.recipient_secret().public_key().expect("a key");
    assert_ne!(opened, thief.recipient_secret().public_key().expect("a key"));
}

#[test]
fn a_vault_with_another_genesis_is_not_the_pinned_one() {
    let (usual, hasty) = (Stack::usual(), Stack::hasty());
    let hospital = Hospital::verified(usual, "St. Anna");
    let astray = hospital.by_way_of(usual.vault_at(&hasty.api));
    let error = astray.vault.genesis().expect_err("another vault");
    assert_eq!(error.code(), "other-vault");
    assert_eq!(error.exit(), Exit::Tampering);
}
