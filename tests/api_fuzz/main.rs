//! API fuzzing: Schemathesis makes up calls from docs/openapi.json, a small signer brings them past authentication, and every answer is held to
//! the document (docs/TESTING.md). A stack of its own, because operators come and go there.
//!
//! In scope: running it, and the people and objects it needs. What is made up, signed and checked is Python beside this file. `cargo xtask api-fuzz`
//! sets the variables below; without them this is the bounded run of `cargo xtask test`, always with the same seed.

mod cast;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use chartseal_local::{Environment, Operation, Workspace, operations};
use chartseal_tests::{Hands, Stack};
use tempfile::TempDir;

/// The seed, a number; the same one makes up the same calls.
const SEED: &str = "CHARTSEAL_FUZZ_SEED";
/// Calls that are made up for each operation.
const EXAMPLES: &str = "CHARTSEAL_FUZZ_EXAMPLES";
/// How long to go on, seconds, whatever the number of calls.
const SECONDS: &str = "CHARTSEAL_FUZZ_SECONDS";

/// The bounded run's seed and number of calls.
const BOUNDED: (&str, &str) = ("20261125", "30");

/// Schemathesis's own checks that are asked for. (Another method is a 404 here, not a 405: a route is a method and a path.)
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      response_headers_conformance,problems_are_documented,nothing_is_cached";

/// Installs the pinned Schemathesis; its program.
fn schemathesis(workspace: &Workspace, here: &Path) -> PathBuf {
    let folder = workspace.local_dir().join("venv-api-fuzz");
    let requirements = here.join("requirements.txt");
    let environment = Environment { folder: &folder, requirements: &requirements, what: "Schemathesis (about 60 MB)" };
    environment.install(workspace).expect("Schemathesis is installed");
    folder.join("bin/schemathesis")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The call of Schemathesis.
fn command(program: &Path, stack: &Stack, here: &Path, scratch: &Path) -> Command {
    let seed = variable(SEED).unwrap_or_else(|| BOUNDED.0.to_owned());
    let mut command = Command::new(program);
    command
        .arg("--config-file")
        .arg(here.join("schemathesis.toml"))
        .arg("run")
        .arg(stack.workspace.root().join("docs/openapi.json"));
    command.args(["--url", &stack.api, "--checks", CHECKS, "--phases", "coverage,fuzzing", "--mode", "all"]);
    command.args([
        "--seed",
        &seed,
        "--generation-database",
        "none",
        "--suppress-health-check",
        "all",
        "--workers",
        "2",
    ]);
    command.args(["--request-timeout", "30", "--warnings", "off", "--no-color", "--continue-on-failure"]);
    match variable(SECONDS) {
        Some(seconds) => command.args(["--max-time", &seconds]),
        None => command.args(["--max-examples", &variable(EXAMPLES).unwrap_or_else(|| BOUNDED.1.to_owned())]),
    };
    command.current_dir(scratch).env("PYTHONPATH", here).env("SCHEMATHESIS_HOOKS", "hooks");
    command.env("PYTHONDONTWRITEBYTECODE", "1").env(SEED, &seed);
    command.env("CHARTSEAL_FUZZ_CAST", scratch.join("cast.json"));
    command.env("CHARTSEAL_FUZZ_COUNTS", scratch.join("counts.json"));
    eprintln!("seed {seed}; the same calls again: cargo xtask api-fuzz --seed {seed}");
    command
}

#[test]
fn whatever_is_sent_the_answer_is_a_documented_one() {
    let stack = Stack::rough();
    let here = stack.workspace.root().join("tests/api_fuzz");
    let program = schemathesis(&stack.workspace, &here);
    let scratch = TempDir::new().expect("a folder");
    fs::write(scratch.path().join("cast.json"), cast::gathered(stack).to_string()).expect("written");

    let started = Instant::now();
    let outcome = command(&program, stack, &here, scratch.path()).status().expect("Schemathesis runs");
    let counts = fs::read_to_string(scratch.path().join("counts.json")).expect("what came of each operation");
    let counts: Counts = serde_json::from_str(&counts).expect("counts");
    let calls: u64 = counts.values().flat_map(BTreeMap::values).sum();
    for (operation, outcomes) in &counts {
        eprintln!("{operation}: {outcomes:?}");
    }
    eprintln!("{calls} calls of {} operations in {:.1?}", counts.len(), started.elapsed());
    assert!(outcome.success(), "what Schemathesis found is above, with the calls that show it; {outcome}");
    let document = fs::read_to_string(stack.workspace.root().join("docs/openapi.json")).expect("the document");
    got_past_the_door(&named(&document), &counts);
    assert!(Hands(stack).inventory()["objects"].as_u64().is_some(), "the vault stands");
    stack.vault().health().expect("and answers");
}

/// What came of the calls of each operation.
type Counts = BTreeMap<String, BTreeMap<String, u64>>;

/// The operations of a document, as they are counted.
fn named(document: &str) -> Vec<String> {
    operations(document).expect("an OpenAPI document").iter().map(Operation::name).collect()
}

/// The operations of which no call was ever good: also one that was never called, which nobody has counted.
fn shut<'a>(operations: &'a [String], counts: &Counts) -> Vec<&'a String> {
    let done = |name: &String| {
        let Some(outcomes) = counts.get(name) else { return false };
        // Completing takes 64 MiB that were sent; the stories send them.
        let missing = name.ends_with("/upload/complete") && outcomes.contains_key("upload-incomplete");
        // The stack has no witnesses; the story `witnessed` has.
        let missing = missing || name == "GET /ledger/cosigned" && outcomes.contains_key("not-found");
        missing || outcomes.keys().any(|outcome| outcome.starts_with('2'))
    };
    operations.iter().filter(|name| !done(name)).collect()
}

/// A run whose calls were all refused at the door would prove nothing: every operation was done at least once, and limits were met.
fn got_past_the_door(operations: &[String], counts: &Counts) {
    let shut = shut(operations, counts);
    assert!(shut.is_empty(), "no call of these was ever good: {shut:?}");
    for limit in ["body-too-large", "too-many-terms", "bad-field"] {
        assert!(counts.values().any(|outcomes| outcomes.contains_key(limit)), "nothing came to {limit}");
    }
}

#[test]
fn an_operation_that_is_never_called_or_never_good_is_noticed() {
    let document = r#"{"paths": {"/a": {"get": {}, "post": {}}, "/b": {"get": {}}}}"#;
    let operations = named(document);
    let counted = |name: &str, outcome: &str| (name.to_owned(), BTreeMap::from([(outcome.to_owned(), 1)]));
    let mut counts = Counts::from([counted("GET /a", "200"), counted("POST /a", "not-member")]);
    assert_eq!(shut(&operations, &counts), ["POST /a", "GET /b"]);
    counts.extend([counted("POST /a", "201"), counted("GET /b", "200")]);
    assert!(shut(&operations, &counts).is_empty());
}
