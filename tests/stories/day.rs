//! A provider's day, end to end.

use chartseal_cli::{DownloadOf, Exit};
use chartseal_events::Code;
use chartseal_tests::people::PATIENCE;
use chartseal_tests::{Hands, Hospital, Stack, sample, unique};
use sha2::{Digest as _, Sha256};

#[test]
fn one_hospital_keeps_a_record_and_another_reads_it() {
    let stack = Stack::usual();
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let patient = format!("patient:{}", unique("p"));
    // A few frames, and one that is not full.
    let file = sample(3 * 1024 * 1024 + 17);
    let kept = anna.keep(file.path(), &[&patient, "type:report", "body:brain"]);
    anna.keep(sample(10).path(), &[&patient, "type:image"]);

    let found = |query: &str| {
        let hits = benedikt.search(query).expect("found").hits;
        hits.iter().map(|hit| hit.hit.record).collect::<Vec<_>>()
    };
    // The index follows the upload by milliseconds.
    let deadline = std::time::Instant::now() + PATIENCE;
    while found(&patient).len() < 2 {
        assert!(std::time::Instant::now() < deadline, "the index never came");
    }
    assert_eq!(found(&format!("{patient} AND type:report")), [kept.record]);
    assert_eq!(found(&format!("{patient} AND (type:report OR type:image)")).len(), 2);
    assert!(found(&format!("{patient} AND type:video")).is_empty());
    assert!(found(&format!("patient:{}", unique("nobody"))).is_empty());

    let request = benedikt.ask(kept.record);
    let operator = stack.operator();
    let looked_at = operator.wait_request(request, "verified", PATIENCE).expect("verified by the workflow");
    assert_eq!(looked_at.view.justification.as_ref().map(|why| why.value.as_str()), Some("the patient is here"));
    assert!(operator.requests(100).expect("listed").iter().any(|view| view.request == request));
    let early = benedikt.fetch(DownloadOf::Request(request)).0.expect_err("not approved yet");
    assert_eq!(early.code(), Code::NotApproved.name());
    operator.approve(&looked_at, Some("treatment")).expect("approved");

    let (downloaded, folder) = benedikt.fetch(DownloadOf::Request(request));
    let downloaded = downloaded.expect("downloaded");
    let plaintext = std::fs::read(folder.path().join("out")).expect("written");
    assert_eq!(plaintext, std::fs::read(file.path()).expect("read"));
    assert_eq!(downloaded.sha256.0, <[u8; 32]>::from(Sha256::digest(&plaintext)));
    assert_eq!(downloaded.sha256, kept.sha256);
    for check in ["receipt", "header", "key-release", "body-checksum", "frames-root"] {
        assert!(downloaded.checks.contains(&check), "{check} is not among {:?}", downloaded.checks);
    }
    let hands = Hands(stack);
    assert_eq!(hands.execution(&request.to_string()), "RUNNING", "it waits for the grant's end");

    // The owner needs no request.
    let (own, folder) = anna.fetch(DownloadOf::Record(kept.record, None));
    assert_eq!(own.expect("downloaded").sha256, kept.sha256);
    drop(folder);
}

#[test]
fn a_denied_request_ends_its_workflow_and_releases_nothing() {
    let stack = Stack::usual();
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let kept = anna.keep(sample(100).path(), &[]);
    let request = benedikt.ask(kept.record);
    let operator = stack.operator();
    let looked_at = operator.wait_request(request, "verified", PATIENCE).expect("verified");
    operator.deny(&looked_at, "no reason is given").expect("denied");
    let view = benedikt.request(request).expect("shown");
    assert_eq!(
        (view.view.state.as_str(), view.view.reason.as_ref().map(|why| why.value.as_str())),
        ("denied", Some("no reason is given"))
    );
    let error = benedikt.fetch(DownloadOf::Request(request)).0.expect_err("denied");
    assert_eq!(error.code(), Code::RequestDenied.name());
    assert_eq!(error.exit(), Exit::Failed);
    let hands = Hands(stack);
    let deadline = std::time::Instant::now() + PATIENCE;
    while hands.execution(&request.to_string()) != "SUCCEEDED" {
        assert!(std::time::Instant::now() < deadline, "{}", hands.execution(&request.to_string()));
    }
}

#[test]
fn a_new_version_takes_the_place_of_the_old_in_searches_and_leaves_it_readable() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let patient = format!("patient:{}", unique("p"));
    let (first, second) = (sample(1_000), sample(2_000));
    let kept = anna.keep(first.path(), &[&patient, "type:draft"]);
    let terms: Vec<_> = [patient.as_str(), "type:final"]
        .iter()
        .map(|term| chartseal_ledger::terms::Term::parse(term).expect("a term"))
        .collect();
    let new = chartseal_cli::NewRecord { path: second.path(), media_type: "text/plain", label: None, terms: &terms };
    let newer = anna.upload_version(kept.record, &new, &chartseal_cli::Silent).expect("uploaded");
    assert_eq!((newer.record, newer.version), (kept.record, 2));
    let versions =
        |query: &str| anna.search(query).expect("found").hits.iter().map(|hit| hit.hit.version).collect::<Vec<_>>();
    let deadline = std::time::Instant::now() + PATIENCE;
    while versions(&format!("{patient} AND type:final")) != [2]
        || !versions(&format!("{patient} AND type:draft")).is_empty()
    {
        assert!(std::time::Instant::now() < deadline, "the index never followed");
    }
    for (version, file) in [(1, &first), (2, &second)] {
        let (downloaded, folder) = anna.fetch(DownloadOf::Record(kept.record, Some(version)));
        downloaded.expect("downloaded");
        assert_eq!(
            std::fs::read(folder.path().join("out")).expect("written"),
            std::fs::read(file.path()).expect("read")
        );
    }
}

#[test]
fn what_is_private_is_in_no_log_and_no_event() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "Hospital of Planted Names");
    let planted = unique("planted");
    let terms = [format!("patient:{planted}"), format!("keyword:{planted}")];
    let kept = anna.keep(sample(100).path(), &[&terms[0], &terms[1]]);
    anna.search(&terms[0]).expect("searched");
    let record = anna.record(kept.record).expect("shown");
    let bodies: Vec<_> = record.view.evidence.0.values().flatten().collect();
    let logs = Hands(stack).logs();
    assert!(!logs.is_empty(), "there are logs to look through");
    for secret in [planted.as_str(), "Planted Names", "a story's file", "+43 1 1"] {
        assert!(!logs.contains(secret), "{secret} is in a log line");
        assert!(!bodies.iter().any(|body| body.contains(secret)), "{secret} is in an event");
    }
    assert_eq!(
        record.view.versions[0].label.as_ref().map(|label| label.value.as_str()),
        Some("a story's file"),
        "the owner sees the label"
    );
}
