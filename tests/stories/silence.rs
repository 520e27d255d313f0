//! Nothing of what people entrust to the vault comes out in its logs, or anywhere in the open: a whole run with planted values, mistakes and
//! malice included, and then every line that the functions wrote.

mod malice;
mod planted;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use chartseal_cli::{Client, DownloadOf, NewRecord, NewRequest, Person, Silent, Vault, Wallet};
use chartseal_events::command::ProviderSuspend;
use chartseal_events::purpose::Purpose;
use chartseal_events::{Event, Id};
use chartseal_ledger::terms::Term;
use chartseal_tests::lines::{self, Line};
use chartseal_tests::people::PATIENCE;
use chartseal_tests::scanner::find;
use chartseal_tests::{Hands, Hospital, Liar, Stack, log};

use planted::Planted;

/// The functions that the HTTP API calls.
const BEHIND_HTTP: [&str; 11] = [
    "decide",
    "download",
    "healthz",
    "issue-key",
    "ledger-api",
    "records",
    "register",
    "request",
    "search",
    "tokens",
    "uploads",
];

/// What a run leaves: what was planted, and the commands to follow.
struct Run {
    anna: Hospital,
    planted: Planted,
    asked: Id,
    approved: Id,
    announced: Id,
    abandoned: Id,
}

#[test]
fn a_whole_run_says_nothing_of_what_was_entrusted_and_can_be_followed() {
    let stack = Stack::overheard();
    let way = Liar::before(&stack.api, |_, answer| answer);
    let mut run = a_day(stack, &way);
    let anna = run.anna.clone();
    malice::everywhere(stack, &way, &anna, &mut run.planted);

    let (lines, text) = quiet_log(stack, &run);
    let heard = way.heard();
    run.planted.add_what_passed_by(&heard);
    eprintln!(
        "{} lines of {} bytes on average, {} values planted",
        lines.len(),
        text.len() / lines.len(),
        run.planted.all().len()
    );

    // None in the log, whatever it is; none of what is private in the open, either.
    let found = find(&text, &run.planted.all());
    assert!(found.is_empty(), "in the log: {found:#?}");
    let found = find(&Hands(stack).in_the_open(), &run.planted.private);
    assert!(found.is_empty(), "in the open: {found:#?}");

    // One line for each call, and each call's id in exactly one line.
    let api_path = way.api.splitn(4, '/').nth(3).expect("a path").to_owned();
    let calls: Vec<_> = heard.iter().filter(|call| call.path.trim_start_matches('/').starts_with(&api_path)).collect();
    let answered: Vec<_> = lines.iter().filter(|line| !line.text("api.request_id").is_empty()).collect();
    let ids: BTreeSet<_> = answered.iter().map(|line| line.text("api.request_id")).collect();
    assert_eq!((ids.len(), answered.len()), (calls.len(), calls.len()), "lines of calls, and calls");
    for call in &calls {
        let problem: Option<chartseal_events::wire::Problem> = serde_json::from_slice(&call.answer).ok();
        assert!(
            problem.is_none_or(|problem| ids.contains(problem.request_id.as_str())),
            "{} {}",
            call.method,
            call.path
        );
    }
    for function in BEHIND_HTTP {
        assert!(answered.iter().any(|line| line.function == function), "{function} was called");
    }

    follow(&lines, &run);
}

/// A command's trace leads through all that it set in motion.
fn follow(lines: &[Line], run: &Run) {
    let through = |trace: Id| -> BTreeMap<&str, Vec<&Line>> {
        let mut found: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.is_about(&trace.to_string())) {
            found.entry(line.function.as_str()).or_default().push(line);
        }
        found
    };
    let asked = through(run.asked);
    assert_eq!(asked["request"].len(), 1);
    assert_eq!(asked["request"][0].text("operation"), "POST /records/{id}/requests");
    assert_eq!(asked["request"][0].number("events.appended"), 1);
    assert!(asked.contains_key("consumer"), "{:?}", asked.keys());
    // The last task comes when a grant is over: `workflow.rs`.
    let tasks: BTreeSet<_> = asked["workflow"].iter().map(|line| line.text("operation")).collect();
    assert_eq!(tasks, BTreeSet::from(["await", "verify"]));

    let approved = through(run.approved);
    assert_eq!(approved["decide"].len(), 1);
    assert!(approved["consumer"].iter().any(|line| line.is_about(&run.asked.to_string())), "of the request, too");

    let announced = through(run.announced);
    assert_eq!(announced["records"][0].text("operation"), "POST /records/{id}/upload");
    assert!(announced["commit"].iter().any(|line| line.text("upload.settled") == "uploaded"));
    assert!(announced.contains_key("consumer"), "{:?}", announced.keys());

    let abandoned = through(run.abandoned);
    assert!(abandoned["sweeper"].iter().any(|line| line.number("uploads.expired") == 1), "{abandoned:#?}");
}

/// Waits until everything that was set in motion has been logged, then reads it all: every line, and their whole text.
fn quiet_log(stack: &Stack, run: &Run) -> (Vec<Line>, String) {
    let documented = lines::documented(stack);
    let hands = Hands(stack);
    let deadline = Instant::now() + 3 * PATIENCE;
    loop {
        hands.invoke_all(&[("sweeper", serde_json::json!({}))]);
        let invocations = hands.invocations();
        let read: Result<Vec<_>, _> =
            invocations.iter().map(|invocation| lines::read(invocation, &documented)).collect();
        let read = read.unwrap_or_else(|wrong| panic!("{wrong}"));
        let is_swept = |line: &Line| line.number("uploads.expired") > 0 && line.is_about(&run.abandoned.to_string());
        if read.iter().any(is_swept) {
            let text: Vec<_> = invocations.into_iter().flat_map(|invocation| invocation.lines).collect();
            return (read, text.join("\n"));
        }
        assert!(Instant::now() < deadline, "the sweeper never ended the upload that nobody sent");
    }
}

fn trace_of(event: &Event) -> Id {
    event.command.as_ref().expect("of a command").trace()
}

/// Everything that people do with a vault, each text a planted one.
fn a_day(stack: &Stack, way: &Liar) -> Run {
    let mut planted = Planted::default();
    let vault = Vault::discover(&way.api).expect("the vault answers");
    let operator = Client::new(vault.clone(), stack.operator_wallet().clone());
    planted.wallet("the operator", &operator.wallet);
    vault.health().expect("it answers");
    log::begun(&vault);

    let hospital = |planted: &mut Planted, name: &str| {
        let invited = operator.invite(Some(&planted.text(&format!("{name}: invitation's note"))), 1).expect("invited");
        let wallet = Wallet::generate().expect("a wallet");
        planted.wallet(name, &wallet);
        let mut client = Client::new(vault.clone(), wallet);
        let [organisation, person] = ["organisation", "name"].map(|what| planted.text(&format!("{name}: {what}")));
        let [phone, email] = ["phone", "email"].map(|what| planted.word(&format!("{name}: {what}")));
        let email = format!("{email}@planted.example");
        let person = Person { organisation: &organisation, name: &person, phone: &phone, email: Some(&email) };
        client.register(&invited.invitation, &person).expect("registered");
        let looked_at = operator.show_provider(client.provider().expect("registered")).expect("shown");
        operator.verify_provider(&looked_at).expect("verified");
        Hospital { client }
    };
    let (anna, benedikt) = (hospital(&mut planted, "St. Anna"), hospital(&mut planted, "St. Benedikt"));

    // A record, found by planted terms, in two versions.
    let patient = planted.word("a term's value");
    let terms: Vec<Term> = [format!("patient:{patient}"), format!("keyword:{}", planted.word("another term's value"))]
        .iter()
        .map(|term| Term::parse(term).expect("a term"))
        .collect();
    let (folder, name) = (tempfile::TempDir::new().expect("a folder"), planted.word("a file's name"));
    let path = folder.path().join(format!("{name}.dcm"));
    std::fs::write(&path, planted.text("a file's content").repeat(500)).expect("written");
    let label = planted.text("a label");
    let new = NewRecord { path: &path, media_type: "application/dicom", label: Some(&label), terms: &terms };
    let kept = anna.upload(&new, &Silent).expect("uploaded");
    anna.upload_version(kept.record, &new, &Silent).expect("a second version");
    anna.records(10).expect("listed");
    let shown = anna.record(kept.record).expect("shown");
    let announced = shown.view.evidence.0.values().flatten().find_map(|body| announcement(body)).expect("announced");
    anna.fetch(DownloadOf::Record(kept.record, None)).0.expect("downloaded");

    // Found, asked for, approved, downloaded.
    let deadline = Instant::now() + PATIENCE;
    while benedikt.search(&format!("patient:{patient}")).expect("found").hits.is_empty() {
        assert!(Instant::now() < deadline, "the index never came");
    }
    let ask = |justification: &str| {
        let grant_seconds = 3_600;
        let purpose = Purpose::Treatment;
        let new = NewRequest { record: kept.record, version: 2, purpose, grant_seconds, justification };
        benedikt.request_access(&new).expect("requested")
    };
    let (request, asked) = ask(&planted.text("a justification"));
    let looked_at = operator.wait_request(request, "verified", PATIENCE).expect("verified by the workflow");
    let approved = operator.approve(&looked_at, Some(&planted.text("a comment"))).expect("approved");
    benedikt.fetch(DownloadOf::Request(request)).0.expect("downloaded");
    benedikt.requests(10).expect("listed");

    // Asked for and denied.
    let (denied, _) = ask(&planted.text("another justification"));
    let looked_at = operator.wait_request(denied, "verified", PATIENCE).expect("verified by the workflow");
    operator.deny(&looked_at, &planted.text("a reason for denying")).expect("denied");

    // Announced, and never sent.
    let created = anna.create_record().expect("created");
    let spooled = created.spool(planted.text("a body that is not sent").as_bytes()).expect("encrypted");
    planted.private("a data key", created.key.expose().as_slice());
    let tokens = anna.record_tokens(&terms).expect("tokens");
    let label = planted.text("a label of nothing");
    let abandoned = anna.announce(&created, &spooled, "text/plain", &tokens, Some(&label)).expect("announced");

    // Operators come and go, and a provider is suspended.
    let other = Wallet::generate_operator().expect("a wallet");
    operator.add_operator(other.sign_key()).expect("added");
    operator.remove_operator(other.thumbprint(), &planted.text("a reason for removing")).expect("removed");
    let auditor = Client::new(vault.clone(), Wallet::generate_operator().expect("a wallet"));
    planted.wallet("the auditor", &auditor.wallet);
    operator.add_auditor(auditor.wallet.sign_key()).expect("added");
    auditor.block_events(0).expect("read").expect("a stack begins with a block");
    operator
        .remove_auditor(auditor.wallet.thumbprint(), &planted.text("a reason for ending an audit"))
        .expect("removed");
    auditor.block_events(0).expect_err("an auditor no more");
    operator.suspend_provider(benedikt.id(), &planted.text("a reason for suspending")).expect("suspended");
    let again =
        benedikt.sign(ProviderSuspend { provider: anna.id() }, &[("reason", &planted.text("a refused reason"))]);
    let path = format!("/providers/{}/suspend", anna.id());
    benedikt.post(&path, &again.expect("signed"), None).expect("an answer");
    Run {
        anna,
        planted,
        asked: trace_of(&asked),
        approved: trace_of(&approved),
        announced,
        abandoned: trace_of(&abandoned.event),
    }
}

/// The trace of an event's command, if it announces an upload.
fn announcement(body: &str) -> Option<Id> {
    let value: serde_json::Value = serde_json::from_str(body).ok()?;
    let command = value["command"].as_str().filter(|_| value["type"] == "record.announced.v1")?;
    Some(chartseal_events::Command::parse(command).expect("a command").trace())
}
