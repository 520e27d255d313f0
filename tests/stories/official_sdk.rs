//! What is stored is a message of the AWS Encryption SDK: the official SDK opens header || body through KMS, knowing nothing of us. So is what the client
//! exports, with the program that docs/ENVELOPE.md prints.

use std::io::Write as _;
use std::process::{Command, Stdio};

use chartseal_cli::{DownloadOf, ExportKey, KeyFile, Silent};
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

#[test]
fn the_official_sdk_opens_what_the_client_exported() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let file = sample(300_000);
    let record = anna.keep(file.path(), &[]).record;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let key = KeyFile::generate(&path("key")).expect("written");
    let key = ExportKey::new("chartseal", "export", &key).expect("names");
    anna.export(DownloadOf::Record(record, None), &key, &path("export"), false, &Silent).expect("exported");

    let text = std::fs::read_to_string(stack.workspace.root().join("docs/ENVELOPE.md")).expect("read");
    let printed = text.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program");
    std::fs::write(path("open_export.py"), printed).expect("written");
    let output = Command::new(chartseal_tests::official::python(&stack.workspace))
        .args(["open_export.py", "export", "key", "out"])
        .current_dir(folder.path())
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{record} 1\n"));
    assert!(std::fs::read(path("out")).expect("read") == std::fs::read(file.path()).expect("read"));
}
