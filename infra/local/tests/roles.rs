//! What template.yaml grants: DESIGN's promise that nobody who can open data keys can read blobs, kept by reading the policies.
//! (That the deployed roles are enforced is the end-to-end stories' to show.)

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use chartseal_local::{FUNCTIONS, Workspace};

/// The text of each function's resource, by the function's name.
fn functions() -> BTreeMap<String, String> {
    let template = fs::read_to_string(Workspace::find().unwrap().template()).unwrap();
    let mut functions = BTreeMap::new();
    // Functions are separated by blank lines.
    for block in template.split("\n\n").filter(|block| block.contains("Type: AWS::Serverless::Function")) {
        let (_, rest) = block.split_once("Binary: ").unwrap();
        let name = rest.split('}').next().unwrap();
        functions.insert(name.to_owned(), block.to_owned());
    }
    functions
}

/// The functions whose policies mention all of these.
fn granted(needles: &[&str]) -> Vec<String> {
    functions()
        .into_iter()
        .filter(|(_, text)| statements(text).iter().any(|one| needles.iter().all(|needle| one.contains(needle))))
        .map(|(name, _)| name)
        .collect()
}

/// A policy's statements, each as one text.
fn statements(function: &str) -> Vec<String> {
    let policy = function.split_once("          Statement:\n").map_or("", |(_, policy)| policy);
    let mut statements: Vec<String> = Vec::new();
    for line in policy.lines().take_while(|line| line.starts_with("            ")) {
        match statements.last_mut() {
            Some(last) if !line.starts_with("            - ") => last.push_str(line),
            _ => statements.push(line.to_owned()),
        }
    }
    statements
}

#[test]
fn every_function_is_read() {
    assert_eq!(functions().into_keys().collect::<Vec<_>>(), FUNCTIONS);
    assert!(functions().values().all(|text| !statements(text).is_empty()));
}

#[test]
fn only_issue_key_opens_data_keys_and_it_cannot_read_blobs() {
    assert_eq!(granted(&["kms:Decrypt", "RecordKey"]), ["issue-key"]);
    assert!(!granted(&["s3:"]).contains(&"issue-key".to_owned()));
    assert_eq!(granted(&["'s3:GetObject", "BlobBucket"]), ["commit", "download", "records", "sweeper", "uploads"]);
}

#[test]
fn whoever_begins_uploads_writes_no_table_and_only_the_sweeper_ends_what_others_began() {
    assert_eq!(granted(&["s3:ListMultipartUploadParts"]), ["uploads"]);
    assert_eq!(granted(&["s3:ListBucketMultipartUploads"]), ["sweeper", "uploads"]);
    for action in ["s3:AbortMultipartUpload", "s3:DeleteObject"] {
        assert_eq!(granted(&[action]), ["sweeper"], "{action}");
    }
    let functions = functions();
    let statements = statements(&functions["uploads"]);
    let actions: Vec<&str> = statements.iter().filter_map(|one| one.split("Resource").next()).collect();
    for forbidden in ["kms:", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "states:"] {
        assert!(!actions.iter().any(|one| one.contains(forbidden)), "uploads has {forbidden}");
    }
}

#[test]
fn only_tokens_opens_the_search_key() {
    assert_eq!(granted(&["kms:Decrypt", "SearchKey"]), ["tokens"]);
}

#[test]
fn nobody_deletes_or_changes_what_is_kept() {
    for action in ["dynamodb:DeleteItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"] {
        for table in ["EventsTable", "BlocksTable", "SealedTable", "PrivateTable", "KeysTable", "SearchKeysTable"] {
            assert_eq!(granted(&[action, table]), [""; 0], "{action} {table}");
        }
    }
}

#[test]
fn only_seal_signs_and_writes_the_log_and_nobody_deletes_of_it() {
    for needles in [["kms:Sign", "LogKey"], ["dynamodb:PutItem", "BlocksTable"]] {
        assert_eq!(granted(&needles), ["seal"], "{needles:?}");
    }
    // Beside what follows from the blocks there is what witnesses have said, which is written by another function; of that alone.
    assert_eq!(granted(&["dynamodb:PutItem", "SealedTable"]), ["cosign", "seal"]);
    assert_eq!(granted(&["dynamodb:PutItem", "SealedTable", "'witness/*', 'cosigned'"]), ["cosign"]);
    assert!(!granted(&["kms:"]).contains(&"cosign".to_owned()), "it signs nothing");
    assert_eq!(granted(&["s3:PutObject", "LedgerBucket"]), ["seal"]);
    for action in ["s3:Delete", "s3:Bypass", "s3:PutObjectRetention", "s3:*"] {
        assert_eq!(granted(&[action, "LedgerBucket"]), [""; 0], "{action}");
    }
    assert_eq!(granted(&["kms:Sign", "ClockKey"]), ["ledger-api"]);
    let functions = functions();
    let rights = statements(&functions["seal"]).concat();
    for other in ["PrivateTable", "KeysTable", "BlobBucket", "RecordKey", "SearchKey", "WorkTable", "IndexTable"] {
        assert!(!rights.contains(other), "seal has rights on {other}");
    }
}

/// Every right of every function, each on a line. A right more or less is a change of this file, for whoever reviews it: the roles' story holds what is deployed to
/// the template, and this holds the template to what was meant. `CHARTSEAL_WRITE_RIGHTS=1 cargo test -p chartseal-local --test roles` writes it anew.
#[test]
fn rights_are_those_that_were_meant() {
    let mut rights =
        String::from("# What each function may do: tests/roles.rs writes this file and holds template.yaml to it.\n");
    for (name, text) in functions() {
        for statement in statements(&text) {
            let words: Vec<&str> = statement.split_whitespace().collect();
            let _ = writeln!(rights, "{name}: {}", words.join(" ").trim_start_matches("- "));
        }
    }
    let path = Workspace::find().unwrap().scripts_dir().join("tests/rights.txt");
    if std::env::var_os("CHARTSEAL_WRITE_RIGHTS").is_some() {
        fs::write(&path, &rights).unwrap();
    }
    let meant = fs::read_to_string(&path).unwrap();
    let other: Vec<&str> = rights.lines().filter(|line| !meant.lines().any(|known| known == *line)).collect();
    assert!(rights == meant, "not what tests/rights.txt says: {other:#?}");
}

#[test]
fn whoever_writes_events_writes_to_streams_of_its_own_kinds() {
    let kinds = ["'vault'", "'provider/*'", "'staff/*'", "'record/*'", "'request/*'", "'search/*'"];
    let writes = |text: &str| {
        let of_events = |one: &&String| one.contains("dynamodb:PutItem") && one.contains("EventsTable");
        statements(text).iter().filter(of_events).cloned().collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    for (name, text) in functions() {
        for statement in writes(&text) {
            assert!(
                statement.contains("StreamBound") && statement.contains("dynamodb:LeadingKeys"),
                "{name}: {statement}"
            );
            found.push((name.clone(), kinds.map(|kind| statement.contains(kind))));
        }
    }
    let of = |kind: &str| {
        let index = kinds.iter().position(|known| *known == kind).unwrap();
        found.iter().filter(|(_, may)| may[index]).map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of("'vault'"), ["genesis", "register"]);
    assert_eq!(of("'staff/*'"), ["register"]);
    assert_eq!(of("'provider/*'"), ["register"]);
    assert_eq!(of("'search/*'"), ["search"]);
    assert_eq!(of("'record/*'"), ["commit", "issue-key", "records", "sweeper"]);
    assert_eq!(of("'request/*'"), ["decide", "download", "issue-key", "request", "sweeper", "workflow"]);
}

#[test]
fn no_right_is_on_everything_but_by_the_emulators_parameter() {
    for (name, text) in functions() {
        for statement in statements(&text).iter().filter(|one| one.contains("'*'")) {
            assert!(statement.contains("!If [StrictTasks"), "{name}: {statement}");
        }
        assert!(!text.contains(":*"), "{name} has a wildcard action");
    }
}
