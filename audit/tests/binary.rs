//! The binary where there is no store: it says so, and judges nothing.

use std::process::{Command, Output};

fn start(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chartseal-audit"));
    command.env_clear().envs([
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ]);
    command.args(arguments).output().expect("it runs")
}

#[test]
fn which_stack_must_be_said() {
    let ended = start(&["--events", "events"]);
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains("PrivateTable, KeysTable") && !said.contains("EventsTable"), "{said}");
}

#[test]
fn a_store_that_does_not_answer_is_not_a_sound_one() {
    let names =
        ["events", "private", "keys", "search-keys", "index", "work", "blocks", "sealed", "bucket", "ledger-bucket"];
    let options = names.map(|name| format!("--{name}=x"));
    let ended = start(&options.each_ref().map(String::as_str));
    assert_eq!(ended.status.code(), Some(4), "{ended:?}");
    assert!(ended.stdout.is_empty());
    assert!(String::from_utf8_lossy(&ended.stderr).contains("nothing was judged"));
}
