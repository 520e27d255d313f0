//! What is stored is a message of the AWS Encryption SDK: the official SDK opens header || body through KMS, knowing nothing of us.

use std::io::Write as _;
use std::process::{Command, Stdio};

use chartseal_tests::{Hands, Hospital, Stack, sample};
use sha2::{Digest as _, Sha256};

#[test]
fn the_official_sdk_opens_a_stored_record_through_kms() {
    let stack = Stack::usual();
    let hands = Hands(stack);
    let anna = Hospital::verified(stack, "St. Anna");
    let file = sample(300_000);
    let record = anna.keep(file.path(), &[]).record;
    let object = hands.objects(&format!("records/{record}/")).remove(0);
    let mut message = hands.header(&format!("{record}/1/"));
    message.extend(hands.stored_body(&object));

    let python = chartseal_tests::official::python(&stack.workspace);
    let mut child = Command::new(python)
        .arg(stack.workspace.root().join("tests/official_sdk.py"))
        .arg(stack.output("RecordKey"))
        .envs(stack.endpoint.environment())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    child.stdin.take().expect("piped").write_all(&message).expect("given");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the official SDK opened it");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let plaintext = std::fs::read(file.path()).expect("read");
    assert_eq!(answer["sha256"], hex::encode(Sha256::digest(&plaintext)));
    assert_eq!(answer["context"]["record"], record.to_string());
    assert_eq!(answer["context"]["tenant"], stack.vault().origin());
}
