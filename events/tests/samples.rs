//! The invocation samples of `events/samples`: each carries a well-formed command or read token, so that a function refuses it for its age alone.

use std::path::PathBuf;

use chartseal_events::jws::ReadToken;
use chartseal_events::private::check_part;
use chartseal_events::wire::CommandRequest;
use chartseal_events::{Code, Command};
use serde_json::Value;

/// When the samples were signed, Unix milliseconds.
const SIGNED_AT_MS: u64 = 1_732_000_000_000;
const ORIGIN: &str = "chartseal.local";

fn samples() -> Vec<(String, Value)> {
    // Cargo names the package it tests; the one it was built in may be another checkout's, where two share a target folder.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let entries = std::fs::read_dir(PathBuf::from(package).join("samples")).expect("the samples");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a sample");
        (path.display().to_string(), serde_json::from_str(&text).expect("JSON"))
    };
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")).map(read).collect()
}

#[test]
fn commands_and_tokens_are_good_but_for_their_age() {
    let (mut commands, mut tokens) = (0, 0);
    for (name, sample) in samples() {
        let path = sample["rawPath"].as_str().unwrap_or_default();
        let method = sample["requestContext"]["http"]["method"].as_str().unwrap_or_default();
        if let Some(token) = sample["headers"]["authorization"].as_str() {
            ReadToken::admit(token, ORIGIN, method, path, SIGNED_AT_MS)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let late =
                ReadToken::admit(token, ORIGIN, method, path, SIGNED_AT_MS + 1_000_000).map_err(|refusal| refusal.code);
            assert_eq!(late.map(|_| ()), Err(Code::ClockSkew), "{name}");
            tokens += 1;
        }
        let body = sample["body"].as_str().unwrap_or_default();
        if body.contains("\"command\"") {
            let request = CommandRequest::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let command = Command::parse(&request.command).unwrap_or_else(|error| panic!("{name}: {error}"));
            check_part(&request.private, &command.private, command.action.private_rules())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(command.claims.iat * 1000, SIGNED_AT_MS, "{name}");
            assert_eq!(command.claims.aud, ORIGIN, "{name}");
            commands += 1;
        }
    }
    assert!(commands >= 8 && tokens >= 3, "{commands} commands, {tokens} tokens");
}
