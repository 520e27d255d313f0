//! A function that panics, and one whose time is over, as processes of a deployed vault: what the log has of it, and what the caller gets.
//!
//! `tests/panics` is such a function; it is wired like those of the vault and is no part of it. It is built for release, as they are: there a panic
//! ends the process.

use chartseal_cli::{Client, Patience, SignedCommand, Wallet};
use chartseal_events::Id;
use chartseal_events::command::ProviderSuspend;
use chartseal_local::build_beside;
use chartseal_tests::lines::{self, Line};
use chartseal_tests::scanner::{Plant, find};
use chartseal_tests::{Hands, Stack, unique};
use serde_json::{Value, json};

/// How long its invocations may take.
const TIMEOUT_S: u64 = 2;

/// A deployed function that panics.
struct Panics {
    stack: &'static Stack,
    name: String,
}

impl Panics {
    fn deploy(called_by: &str) -> Self {
        let stack = Stack::usual();
        let program = build_beside(&stack.workspace, "chartseal-panics", "panics").expect("it builds");
        let name = unique("panics");
        let hands = Hands(stack);
        hands.put_function(&name, &program, &json!({"CALLED_BY": called_by, "ORIGIN": "panics.local"}), TIMEOUT_S);
        Self { stack, name }
    }

    /// Somebody who calls it as they would call the vault.
    fn caller(&self) -> Client {
        let vault = self.stack.vault_at(&Hands(self.stack).put_api(&self.name));
        Client::new(vault.with_patience(Patience::NONE), Wallet::generate_operator().expect("a wallet"))
    }

    /// Its lines: one for each invocation, as docs/LOGGING.md says, and in none of them anything that was sent.
    fn lines(&self, planted: &[Plant]) -> Vec<Line> {
        let documented = lines::documented(self.stack);
        let invocations = Hands(self.stack).invocations_as("panics", &self.name);
        let text: Vec<_> = invocations.iter().flat_map(|invocation| invocation.lines.clone()).collect();
        let found = find(&text.join("\n"), planted);
        assert!(found.is_empty(), "in the log: {found:#?}");
        let read = invocations.iter().map(|invocation| lines::read(invocation, &documented));
        read.collect::<Result<_, _>>().unwrap_or_else(|wrong| panic!("{wrong}"))
    }
}

/// A command with a private value, and what must never be seen of it.
fn command(client: &Client) -> (SignedCommand, Vec<Plant>) {
    let reason = unique("a reason that is nobody's business");
    let provider = Id::from_parts(1, [7; 10]);
    let signed = client.sign(ProviderSuspend { provider }, &[("reason", &reason)]).expect("signed");
    let body: Value = serde_json::from_slice(&signed.body(None)).expect("JSON");
    let jws = body["command"].as_str().expect("a command");
    let signature = jws.rsplit('.').next().expect("a signature");
    let planted =
        [("the reason", reason.as_str()), ("the signature", signature), ("the provider", &provider.to_string())];
    (signed, planted.map(|(what, value)| Plant::new(what, value)).into())
}

#[test]
fn a_panic_leaves_one_line_and_the_caller_an_answer_without_a_word_of_it() {
    let panics = Panics::deploy("http");
    let caller = panics.caller();
    let (signed, planted) = command(&caller);
    let answer = caller.post("/panic", &signed, None).expect("an answer");
    // API Gateway's own, or here the emulator's: no problem document, because nobody was left to write one.
    assert!(answer.status >= 500 && answer.code().is_none(), "{answer:?}");
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(find(&text, &planted).is_empty() && !text.contains("panic"), "{text}");

    let lines = panics.lines(&planted);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let line = &lines[0];
    let texts = ["outcome", "level", "operation", "trace"].map(|name| line.text(name));
    assert_eq!(texts, ["panicked", "ERROR", "POST /panic", &signed.command.trace().to_string()]);
    assert!(line.text("panic.at").starts_with("tests/panics/src/main.rs:"), "{}", line.text("panic.at"));
    assert_eq!(line.number("failed"), 1);
    assert!(!line.text("api.request_id").is_empty() && line.members["cold_start"] == true);
    for none in ["error", "code", "http.status"] {
        assert!(!line.members.contains_key(none), "{none}: {line:#?}");
    }

    // The process is gone, and another one answers the next call.
    let (signed, _) = command(&caller);
    assert_eq!(caller.post("/answer", &signed, None).expect("an answer").status, 200);
    let lines = panics.lines(&planted);
    let next = lines.iter().find(|line| line.text("operation") == "POST /answer").expect("its line");
    assert!(lines.len() == 2 && next.members["cold_start"] == true && next.text("outcome") == "ok", "{lines:#?}");
}

#[test]
fn a_function_whose_time_is_over_says_so_itself() {
    let panics = Panics::deploy("http");
    let caller = panics.caller();
    let (signed, planted) = command(&caller);
    let answer = caller.post("/hang", &signed, None).expect("an answer");
    assert_eq!((answer.status, answer.code()), (503, Some(chartseal_events::Code::Unavailable)), "{answer:?}");
    let lines = panics.lines(&planted);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let texts = ["outcome", "level", "operation", "trace"].map(|name| lines[0].text(name));
    assert_eq!(texts, ["timed-out", "ERROR", "POST /hang", &signed.command.trace().to_string()]);
}

#[test]
fn a_panic_of_a_function_that_an_event_wakes_leaves_one_line() {
    let panics = Panics::deploy("event");
    let (words, trace) = (unique("words of an event"), Id::from_parts(1, [9; 10]));
    let planted = [Plant::new("the words", words.as_str())];
    let call = |words: &str| Hands(panics.stack).call(&panics.name, &json!({"trace": trace, "words": words}));
    let (error, payload) = call(&words);
    // Whoever woke it learns that the process ended, and wakes it again.
    assert_eq!(error.as_deref(), Some("Unhandled"), "{payload}");
    assert!(find(&payload, &planted).is_empty() && !payload.contains("panic"), "{payload}");
    assert_eq!(call("").0, None);

    let lines = panics.lines(&planted);
    let (panicked, ok): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.text("outcome") == "panicked");
    assert_eq!((panicked.len(), ok.len()), (1, 1), "{lines:#?}");
    for line in &lines {
        assert!(line.text("trace") == trace.to_string() && line.members["cold_start"] == true, "{line:#?}");
    }
}
