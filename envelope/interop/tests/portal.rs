//! Our own second reader, TypeScript on WebCrypto: its tests, and messages that our writer has just made.

use std::path::PathBuf;

use chartseal_interop::Party;
use chartseal_interop::exchange::{Exchange, Row};
use chartseal_local::{Node, Workspace};

/// A count that Node's test runner prints, such as `# pass 102`.
fn count(report: &str, name: &str) -> Option<u64> {
    report.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(name)?.trim().parse().ok())
}

#[test]
fn its_tests_pass() {
    let workspace = Workspace::find().unwrap();
    let node = Node::install(&workspace).unwrap();
    let folder = workspace.root().join("portal/envelope/tests");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".test.ts"));
    files.sort();
    assert!(!files.is_empty(), "no tests in {}", folder.display());
    let output = node.command().args(["--test", "--test-reporter=tap"]).args(&files).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    let failures: String =
        report.lines().filter(|line| !line.trim_start().starts_with("ok ")).collect::<Vec<_>>().join("\n");
    assert!(output.status.success(), "{failures}\n{}", String::from_utf8_lossy(&output.stderr));
    // A run that left something out is not a run that passed.
    for name in ["fail", "cancelled", "skipped", "todo"] {
        assert_eq!(count(&report, name), Some(0), "{name}: {failures}");
    }
    assert!(count(&report, "pass").is_some_and(|passed| passed >= 80), "{failures}");
}

#[test]
fn it_opens_what_we_write_now_and_refuses_what_was_changed() {
    let workspace = Workspace::find().unwrap();
    let oracle = Party::Webcrypto.start(&workspace).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let rows = Exchange::new(Party::Webcrypto, oracle, folder.path()).all(false);
    // 3 frame lengths of 8 plaintexts each, and 6 changes.
    assert_eq!(rows.len(), 3 * 8 + 6);
    let failed: Vec<&Row> = rows.iter().filter(|row| row.outcome.is_err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
