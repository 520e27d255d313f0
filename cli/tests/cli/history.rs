//! What happened to a record, and what differs between its versions.

use chartseal_cli::{DownloadOf, Silent};

use crate::day::{PLAINTEXT_BYTES, Shared};
use crate::fake::FakeVault;
use crate::usage::Desk;

#[test]
fn an_owner_looks_through_a_record_and_compares_its_versions() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    let anna = desk.hospital("anna");
    desk.hospital("river");
    let write = |text: &str| std::fs::write(desk.path("bundle.json"), text).expect("written");
    write(r#"{"resourceType":"Bundle","entry":[{"id":"a"},{"id":"b","value":1.0}]}"#);
    let uploaded = desk.done("anna", &["record", "upload", "bundle.json", "--term", "type:bundle"]).json();
    let record = uploaded["records"][0]["record"].as_str().expect("an id").to_owned();
    let alone = desk.run("anna", &["record", "diff", &record]);
    assert_eq!(alone.code, 2, "there is one version: {}", alone.stdout);
    write(r#"{"entry":[{"id":"a"},{"id":"b","value":1.00},{"id":"c"}],"resourceType":"Bundle"}"#);
    desk.done("anna", &["record", "version", &record, "bundle.json", "--term", "type:bundle"]);

    let latest = desk.done("anna", &["record", "diff", &record]).json();
    assert_eq!((latest["same"].as_bool(), latest["kind"].as_str()), (Some(false), Some("json")), "{latest}");
    assert_eq!(latest["before"]["version"], 1);
    let said = desk.bare(&["--wallet", "anna", "--passphrase-file", "passphrase", "record", "diff", &record]);
    let lines: Vec<_> = said.stdout.lines().skip(2).collect();
    assert_eq!(lines, ["- /entry/1/value: 1.0", "+ /entry/1/value: 1.00", r#"+ /entry/2: {"id":"c"}"#]);
    let one = format!("{record}@1");
    let same = desk.done("anna", &["record", "diff", &one, &one]).json();
    assert_eq!((same["same"].as_bool(), same["kind"].as_str()), (Some(true), Some("none")));
    assert!(
        std::fs::read_dir(desk.path("state")).map_or(true, |mut kept| !kept
            .any(|entry| { entry.is_ok_and(|entry| entry.path().join("body").exists()) })),
        "nothing of it is kept"
    );

    let create = ["request", "create", &record, "--purpose", "TREAT", "--justification", "a fall", "--wait-verified"];
    let request = desk.done("river", &create).text("request");
    let history = desk.done("anna", &["record", "history", &record]).json();
    let types = |document: &serde_json::Value| -> Vec<String> {
        let events = document["events"].as_array().expect("events");
        events.iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
    };
    let version = ["record.created.v1", "record.announced.v1", "record.uploaded.v1"];
    assert_eq!(types(&history)[..6], [&version[..], &version[..]].concat(), "{history}");
    assert_eq!(history["events"][0]["provider"], anna.as_str());
    assert_eq!(history["events"][2]["by"], serde_json::Value::Null, "the vault saw the object");
    let all = desk.done("anna", &["record", "history", &record, "--requests"]).json();
    let stream = format!("request/{request}");
    let of_request: Vec<_> =
        all["events"].as_array().expect("events").iter().filter(|event| event["stream"] == stream.as_str()).collect();
    assert_eq!(of_request.len(), 2, "asked and verified: {all}");
}

#[test]
fn content_is_had_without_a_file_and_only_as_far_as_there_is_room() {
    let day = Shared::new();
    let of = DownloadOf::Record(day.uploaded.record, None);
    let whole = day.ann.content(of, PLAINTEXT_BYTES as u64 + 4_096, &Silent).expect("decrypted");
    assert_eq!(whole.bytes.as_deref().map(Vec::as_slice), Some(day.plaintext.as_slice()));
    let short = day.ann.content(of, 1_000, &Silent).expect("checked");
    assert!(short.bytes.is_none());
    assert_eq!((short.download.sha256, short.download.bytes), (whole.download.sha256, PLAINTEXT_BYTES as u64));
    let theirs = day.bob.content(DownloadOf::Request(day.request), 1 << 20, &Silent).expect("decrypted");
    assert_eq!(theirs.download.sha256, whole.download.sha256);
}
