//! Uploads that are not what was announced, or never come.

use std::time::Instant;

use chartseal_cli::{Error, NewRecord, Silent};
use chartseal_events::limits::MAX_RECORD_BODY_BYTES;
use chartseal_events::wire::PresignedCall;
use chartseal_tests::people::PATIENCE;
use chartseal_tests::{Hands, Hospital, Stack, sample};
use serde_json::json;

/// Sends bytes to a presigned address; the status.
fn put(call: &PresignedCall, body: &[u8], change: impl Fn(&mut Vec<(String, String)>)) -> u16 {
    let mut headers: Vec<_> = call.headers.clone().into_iter().collect();
    change(&mut headers);
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let mut request = agent.put(&call.url);
    for (name, value) in headers {
        if !name.eq_ignore_ascii_case("content-length") && !name.eq_ignore_ascii_case("host") {
            request = request.header(name, value);
        }
    }
    request.send(body).expect("an answer").status().as_u16()
}

#[test]
fn s3_takes_the_announced_bytes_once_and_no_others() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let created = anna.create_record().expect("created");
    let file = sample(70_000);
    let mut spooled = created.spool(std::fs::File::open(file.path()).expect("opened")).expect("encrypted");
    let announced = anna
        .announce(&created, &spooled, "text/plain", &anna.record_tokens(&[]).expect("tokens"), None)
        .expect("announced");
    let call = announced.answer.upload.as_ref().expect("one PUT");
    let mut body = Vec::new();
    std::io::Seek::rewind(&mut spooled.body).expect("rewound");
    std::io::Read::read_to_end(&mut spooled.body, &mut body).expect("read");

    let mut other = body.clone();
    other[40_000] ^= 1;
    let same = |_: &mut Vec<(String, String)>| ();
    assert!((400..500).contains(&put(call, &other, same)), "another byte");
    assert!((400..500).contains(&put(call, &body[..body.len() - 1], same)), "a byte less");
    let longer: Vec<u8> = body.iter().copied().chain([0]).collect();
    assert!((400..500).contains(&put(call, &longer, same)), "a byte more");
    let without = |name: &'static str| {
        move |headers: &mut Vec<(String, String)>| headers.retain(|(header, _)| !header.eq_ignore_ascii_case(name))
    };
    assert!((400..500).contains(&put(call, &body, without("if-none-match"))), "without If-None-Match");
    assert!((400..500).contains(&put(call, &body, without("x-amz-checksum-sha256"))), "without the checksum");
    let prefix = format!("records/{}/", created.record);
    assert!(Hands(stack).objects(&prefix).is_empty(), "nothing was stored");
    let versions = anna.record(created.record).expect("shown").view.versions;
    assert_eq!(versions[0].state, "announced", "nothing was committed");

    anna.put(call, &mut spooled, &Silent).expect("the announced bytes");
    anna.wait_uploaded(created.record, 1, &spooled.sealed.message_id).expect("committed");
    assert_eq!(put(call, &body, same), 412, "a second time");
    assert_eq!(Hands(stack).objects(&prefix).len(), 1);
}

#[test]
fn an_announcement_is_repeated_with_a_new_address_and_no_new_event() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let created = anna.create_record().expect("created");
    let spooled = created.spool(&b"a record"[..]).expect("encrypted");
    let tokens = anna.record_tokens(&[]).expect("tokens");
    let announce = || anna.announce(&created, &spooled, "text/plain", &tokens, None);
    let first = announce().expect("announced");
    // The receipt holds the first command; the client takes it because the evidence shows that it announced this very run.
    let again = announce().expect("announced again");
    assert_eq!(again.event.leaf, first.event.leaf);
    let shown = anna.record(created.record).expect("shown").sound;
    let announcements = shown.events.values().flatten().filter(|event| event.outcome.typ() == "record.announced.v1");
    assert_eq!(announcements.map(|event| event.leaf).collect::<Vec<_>>(), [first.event.leaf]);
}

#[test]
fn an_upload_that_never_comes_expires_and_one_that_is_late_is_removed() {
    let stack = Stack::hasty();
    let anna = Hospital::verified(stack, "St. Anna");
    let created = anna.create_record().expect("created");
    let mut spooled = created.spool(&b"a record"[..]).expect("encrypted");
    let tokens = anna.record_tokens(&[]).expect("tokens");
    anna.announce(&created, &spooled, "text/plain", &tokens, None).expect("announced");
    let expired = || {
        Hands(stack).invoke("sweeper", &json!({}));
        let shown = anna.record(created.record).expect("shown").sound;
        shown.events.values().flatten().any(|event| event.outcome.typ() == "record.upload-expired.v1")
    };
    let deadline = Instant::now() + PATIENCE;
    while !expired() {
        assert!(Instant::now() < deadline, "it never expired");
    }
    // The file is uploaded after all, by a new announcement of the same run.
    let again = anna.announce(&created, &spooled, "text/plain", &tokens, None).expect("announced again");
    anna.put(again.answer.upload.as_ref().expect("one PUT"), &mut spooled, &Silent).expect("sent in time");
    anna.wait_uploaded(created.record, 1, &spooled.sealed.message_id).expect("uploaded");
}

#[test]
fn a_request_that_nobody_decides_expires() {
    let stack = Stack::hasty();
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let file = sample(10);
    let new = NewRecord { path: file.path(), media_type: "text/plain", label: None, terms: &[] };
    let kept = anna.upload(&new, &Silent).expect("uploaded");
    let request = benedikt.ask(kept.record);
    let deadline = Instant::now() + PATIENCE;
    loop {
        Hands(stack).invoke("sweeper", &json!({}));
        if benedikt.request(request).expect("shown").view.state == "expired" {
            break;
        }
        assert!(Instant::now() < deadline, "it never expired");
    }
    let operator = stack.operator();
    let looked_at = operator.request(request).expect("shown");
    let error = operator.approve(&looked_at, None).expect_err("too late");
    assert_eq!(error.code(), "request-expired");
    while Hands(stack).execution(&request.to_string()) == "RUNNING" {
        assert!(Instant::now() < deadline, "the workflow never heard of it");
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_before_anything_is_created() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().set_len(MAX_RECORD_BODY_BYTES).expect("sparse");
    let new = NewRecord { path: file.path(), media_type: "text/plain", label: None, terms: &[] };
    let error = anna.upload(&new, &Silent).expect_err("too large");
    assert!(matches!(error, Error::Seal(_)), "{error}");
    assert!(anna.records(10).expect("listed").is_empty());
}
