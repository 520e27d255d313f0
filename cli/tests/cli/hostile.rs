//! A vault that lies, an object store that was tampered with: each change is noticed, by name, and nothing is written.

use std::io::{Cursor, Seek as _, SeekFrom, Write as _};

use chartseal_cli::{DownloadOf, Error, Exit, NewRequest, Silent, Vault, VaultPin};
use chartseal_events::encoding::{base64url, from_base64url};
use chartseal_events::event::leaf_hash;
use chartseal_events::purpose::Purpose;
use chartseal_events::{Hash, StreamId};
use serde_json::{Value, json};

use crate::day::Shared;
use crate::fake::FakeVault;

/// The error is tampering of this name.
fn noticed<T: std::fmt::Debug>(outcome: Result<T, Error>, code: &str) {
    let error = outcome.expect_err(code);
    assert_eq!((error.code().as_ref(), error.exit()), (code, Exit::Tampering), "{error}");
}

/// Changes one character of a base64url text at this byte.
fn flip(value: &mut Value, byte: usize) {
    let mut bytes = from_base64url(value.as_str().expect("text")).expect("base64url");
    bytes[byte] ^= 1;
    *value = json!(base64url(&bytes));
}

/// Changes the body of a receipt, with a hash that fits.
fn rewrite(receipt: &mut Value, change: impl Fn(String) -> String) {
    let body = change(receipt["body"].as_str().expect("text").to_owned());
    receipt["leaf"] = json!(leaf_hash(body.as_bytes()));
    receipt["body"] = json!(body);
}

#[test]
fn receipts_that_lie_are_refused() {
    type Lie = fn(&mut Value);
    let lies: [(&str, Lie); 8] = [
        ("receipt-hash", |answer| answer["event"]["leaf"] = json!(Hash([7; 32]))),
        ("receipt-event", |answer| rewrite(&mut answer["event"], |_| "{}".to_owned())),
        ("receipt-event", |answer| answer["event"]["seq"] = json!(1)),
        ("receipt-outcome", |answer| {
            rewrite(&mut answer["event"], |body| body.replace(r#""version":1"#, r#""version":2"#));
        }),
        ("receipt-command", |answer| {
            rewrite(&mut answer["event"], |body| {
                let (before, rest) = body.split_once(r#""command":""#).expect("a command");
                let (_, after) = rest.split_once(r#"","#).expect("its end");
                format!("{before}{after}")
            });
        }),
        ("wrapped-key-exchanged", |answer| flip(&mut answer["wrapped_key"], 0)),
        ("answer-differs", |answer| answer["context"]["tenant"] = json!("elsewhere")),
        ("sealed-key-tampered", |answer| flip(&mut answer["sealed_key"]["ciphertext"], 0)),
    ];
    let vault = FakeVault::start();
    let ann = vault.hospital("St. Anna");
    for (code, lie) in lies {
        vault.twist(move |path, answer| {
            if path == "/records" {
                lie(answer);
            }
        });
        noticed(ann.create_record(), code);
    }
}

#[test]
fn the_receipt_of_another_command_is_refused() {
    let vault = FakeVault::start();
    let ann = vault.hospital("St. Anna");
    let mut earlier: Option<Value> = None;
    vault.twist(move |path, answer| {
        if path == "/records" {
            match &earlier {
                Some(earlier) => answer.clone_from(earlier),
                None => earlier = Some(answer.clone()),
            }
        }
    });
    ann.create_record().expect("genuine");
    noticed(ann.create_record(), "receipt-command");
}

#[test]
fn a_download_that_was_tampered_with_is_noticed_by_name() {
    type Lie = fn(&mut Value);
    let lies: [(&str, &str, Lie); 10] = [
        ("event-tampered", "/download", |answer| {
            change_event(answer, "record/", r#""frame_bytes""#, r#""frame_bytez""#);
        }),
        ("event-tampered", "/download", |answer| change_event(answer, "request/", "GrantOver", "x")),
        ("event-tampered", "/download", |answer| {
            answer["evidence"].as_object_mut().expect("streams").retain(|stream, _| !stream.starts_with("staff/"));
        }),
        ("event-tampered", "/download", |answer| {
            answer["evidence"].as_object_mut().expect("streams").remove("vault");
        }),
        ("evidence-missing", "/download", |answer| {
            let streams = answer["evidence"].as_object_mut().expect("streams");
            let (_, events) = streams.iter_mut().find(|(stream, _)| stream.starts_with("request/")).expect("there");
            events.as_array_mut().expect("bodies").truncate(1);
        }),
        ("header-tampered", "/download", |answer| answer["header"] = json!("AAAA")),
        // The last 16 bytes are the header's tag; the message id begins at byte 3.
        ("header-tampered", "/download", |answer| {
            let last = from_base64url(answer["header"].as_str().expect("text")).expect("base64url").len() - 1;
            flip(&mut answer["header"], last);
        }),
        ("header-exchanged", "/download", |answer| flip(&mut answer["header"], 3)),
        ("sealed-key-tampered", "/key", |answer| flip(&mut answer["sealed_key"]["enc"], 0)),
        ("wrapped-key-exchanged", "/key", |answer| flip(&mut answer["wrapped_key"], 0)),
    ];
    let day = Shared::new();
    for (code, route, lie) in lies {
        day.vault.twist(move |path, answer| {
            if path.ends_with(route) {
                lie(answer);
            }
        });
        noticed(day.download(), code);
        assert!(!day.folder.path().join("out").exists(), "{code}");
    }
}

/// Changes the text of every event of a kind of stream; where the text is not there, the first event's nonce.
fn change_event(answer: &mut Value, kind: &str, from: &str, to: &str) {
    let streams = answer["evidence"].as_object_mut().expect("streams");
    for (_, events) in streams.iter_mut().filter(|(stream, _)| stream.starts_with(kind)) {
        for event in events.as_array_mut().expect("bodies") {
            let body = event.as_str().expect("text");
            let changed = body.replace(from, to);
            let changed = if changed == body { body.replacen(r#""nonce":""#, r#""nonce":"A"#, 1) } else { changed };
            *event = json!(changed);
        }
    }
}

#[test]
fn a_body_that_was_tampered_with_is_noticed() {
    let day = Shared::new();
    let place = (day.uploaded.record, 1);
    let genuine = day.vault.store().blobs[&place].clone();
    let changes: [fn(&mut Vec<u8>); 5] = [
        |body| body[0] ^= 1,
        |body| *body.last_mut().expect("bytes") ^= 1,
        |body| body.truncate(body.len() - 1),
        |body| body.push(0),
        Vec::clear,
    ];
    for change in changes {
        let mut body = genuine.clone();
        change(&mut body);
        day.vault.store().blobs.insert(place, body);
        noticed(day.download(), "body-tampered");
        assert!(!day.folder.path().join("out").exists());
    }
    day.vault.store().blobs.insert(place, genuine);
    day.download().expect("the genuine body is good");
}

#[test]
fn a_wrong_key_is_noticed_before_a_byte_is_decrypted() {
    let day = Shared::new();
    let place = (day.uploaded.record, 1);
    day.vault.store().keys.get_mut(&place).expect("a key").0[0] ^= 1;
    noticed(day.download(), "wrong-key");
    noticed(
        day.ann.download(DownloadOf::Record(day.uploaded.record, None), &day.folder.path().join("out"), false, &Silent),
        "wrong-key",
    );
}

#[test]
fn a_grant_that_is_over_by_our_own_clock_releases_nothing() {
    let day = Shared::new();
    let new = NewRequest {
        record: day.uploaded.record,
        version: 1,
        purpose: Purpose::Treatment,
        grant_seconds: 60,
        justification: "short",
    };
    let (request, _) = day.bob.request_access(&new).expect("asked");
    day.vault.operator.approve(&day.vault.operator.request(request).expect("shown"), None).expect("approved");
    // Within the skew that a vault takes, past the grant's end.
    day.bob.vault.set_clock_offset_ms(100_000);
    noticed(day.bob.download(DownloadOf::Request(request), &day.folder.path().join("out"), false, &Silent), "no-grant");
}

#[test]
fn other_bytes_than_announced_are_refused_and_nothing_is_committed() {
    let vault = FakeVault::start();
    let ann = vault.hospital("St. Anna");
    let created = ann.create_record().expect("created");
    let mut spooled = created.spool(Cursor::new(b"a record")).expect("sealed");
    let tokens = ann.record_tokens(&[]).expect("tokens");
    let announced = ann.announce(&created, &spooled, "text/plain", &tokens, None).expect("announced");
    spooled.body.seek(SeekFrom::Start(30)).and_then(|_| spooled.body.write_all(b"!")).expect("written");
    let refused = ann.put(announced.answer.upload.as_ref().expect("one PUT"), &mut spooled, &Silent);
    assert!(matches!(refused, Err(Error::SpoolDamaged)), "{refused:?}");
    let record = ann.record(created.record).expect("shown");
    assert!(record.record().expect("proven").latest_uploaded().is_none());
}

#[test]
fn another_records_header_and_body_are_noticed() {
    let day = Shared::new();
    let other = crate::day::upload(&day.ann, day.folder.path(), b"another record").expect("uploaded");
    {
        let mut store = day.vault.store();
        let header = store.headers[&(other.record, 1)].clone();
        store.headers.insert((day.uploaded.record, 1), header);
    }
    noticed(day.download(), "header-exchanged");
}

#[test]
fn views_that_differ_from_their_evidence_are_refused() {
    type Lie = fn(&mut Value);
    let day = Shared::new();
    let lie = |prefix: &'static str, lie: Lie| {
        day.vault.twist(move |path, answer| {
            if path.starts_with(prefix) {
                lie(answer);
            }
        });
    };
    lie("/requests/", |answer| answer["state"] = json!("denied"));
    noticed(day.bob.request(day.request), "answer-differs");
    lie("/requests/", |answer| answer["record"] = answer["request"].clone());
    noticed(day.download(), "answer-differs");
    lie("/requests/", |answer| answer["until"] = json!(u64::MAX));
    noticed(day.bob.request(day.request), "answer-differs");
    lie("/providers/", |answer| answer["seal_key"] = answer["sign_key"].clone());
    noticed(day.vault.operator.show_provider(day.bob.provider().expect("registered")), "answer-differs");
    lie("/providers/", |answer| answer["status"] = json!("pending"));
    noticed(day.vault.operator.show_provider(day.bob.provider().expect("registered")), "answer-differs");
    lie("/records/", |answer| answer["versions"][0]["media_type"] = json!("image/png"));
    noticed(day.ann.record(day.uploaded.record), "answer-differs");
}

#[test]
fn hits_and_tokens_that_lie_are_refused() {
    type Lie = fn(&mut Value);
    let day = Shared::new();
    let lies: [(&str, &str, Lie); 6] = [
        ("hit-false", "/search", |answer| answer["hits"][0]["media_type"] = json!("image/png")),
        ("hit-false", "/search", |answer| answer["hits"][0]["body_bytes"] = json!(1)),
        ("hit-false", "/search", |answer| answer["hits"][0]["owner"] = answer["hits"][0]["record"].clone()),
        ("receipt-hash", "/search", |answer| answer["hits"][0]["event"]["leaf"] = json!(Hash([7; 32]))),
        ("answer-differs", "/search", |answer| answer["hits"] = json!([])),
        ("tokens-false", "/tokens", |answer| flip(&mut answer["proof"], 0)),
    ];
    for (code, route, lie) in lies {
        day.vault.twist(move |path, answer| {
            if path == route {
                lie(answer);
            }
        });
        noticed(day.bob.search("modality:mri"), code);
    }
    day.vault.store().twist = None;
    day.vault.store().search_key = chartseal_ledger::terms::SearchKey::generate(&mut chartseal_ledger::terms::OsRng);
    noticed(day.bob.search("modality:mri"), "tokens-false");
}

#[test]
fn another_vault_at_the_same_address_is_noticed() {
    let (one, two) = (FakeVault::start(), FakeVault::start());
    let pin = VaultPin { api: two.api.clone(), ..one.operator.vault.pin().clone() };
    noticed(Vault::new(pin.clone()).expect("an address").genesis(), "other-vault");
    two.twist(move |path, answer| {
        if path == "/healthz" {
            answer["genesis"] = json!(pin.genesis);
        }
    });
    let pin = VaultPin { api: two.api.clone(), ..one.operator.vault.pin().clone() };
    noticed(Vault::new(pin).expect("an address").genesis(), "event-tampered");
}

#[test]
fn a_vault_cannot_pass_a_request_of_another_for_ours() {
    let day = Shared::new();
    let carol = day.vault.hospital("Third");
    let out = day.folder.path().join("out");
    let refused = carol.download(DownloadOf::Request(day.request), &out, false, &Silent);
    // The fake vault shows a request to anybody; the decision refuses to release anything on it.
    assert_eq!(refused.expect_err("not carol's").code(), "not-found");
    assert!(day.vault.store().streams.contains_key(&StreamId::Request(day.request)));
}

#[test]
fn names_and_reasons_are_those_that_were_signed() {
    type Lie = fn(&mut Value);
    let day = Shared::new();
    let request = day.request;
    let lies: [Lie; 5] = [
        |answer| answer["parties"]["owner"]["private"]["organisation"]["value"] = json!("St. Elsewhere"),
        |answer| answer["parties"]["requester"]["private"]["name"]["salt"] = json!(base64url(&[7; 16])),
        |answer| {
            let name = answer["parties"]["requester"]["private"]["name"].clone();
            answer["parties"]["owner"]["private"]["nickname"] = name;
        },
        |answer| answer["justification"]["value"] = json!("out of curiosity"),
        |answer| answer["reason"] = answer["justification"].clone(),
    ];
    for lie in lies {
        day.vault.twist(move |path, answer| {
            if path.starts_with("/requests/") {
                lie(answer);
            }
        });
        noticed(day.ann.request(request), "private-value-exchanged");
    }
    day.vault.twist(move |path, answer| {
        if path.starts_with("/requests/") {
            answer["parties"]["owner"] = answer["parties"]["requester"].clone();
        }
    });
    noticed(day.ann.request(request), "answer-differs");
    let anna = day.ann.wallet.provider().expect("a provider");
    day.vault.twist(move |path, answer| {
        if path.starts_with("/providers/") {
            answer["private"]["phone"]["value"] = json!("0900");
        }
    });
    noticed(day.vault.operator.show_provider(anna), "private-value-exchanged");
    day.vault.twist(|_, _| {});
    let known = day.bob.request(request).expect("genuine").owner;
    assert_eq!((known.organisation.as_deref(), known.sign_key), (Some("St. Anna"), day.ann.wallet.sign_key()));
    assert!(known.verified.is_some_and(|event| event.command.is_some()));
}
