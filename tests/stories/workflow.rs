//! The approval workflow as it is deployed, through every state on the way of a grant. A grant lasts a minute at least, and its execution waits as long;
//! so executions are started and told by hand here, beside those that the vault started for the same requests.

use std::time::Instant;

use chartseal_events::Id;
use chartseal_tests::lines::{self, Line};
use chartseal_tests::people::PATIENCE;
use chartseal_tests::{Hands, Hospital, Stack, sample};
use serde_json::{Value, json};

/// How long the grant is that the execution is told of.
const GRANT_S: u64 = 3;
/// The states from the check of the requester to the end of the grant.
const TO_THE_END: [&str; 6] = ["Verify", "IsVerified", "AwaitDecision", "IsApproved", "WaitUntilOver", "EndWait"];

/// Runs an execution with this input for a request of its own; the states that it came to, and the lines of its tasks.
fn run(people: &[Hospital; 2], more: &Value) -> (Vec<String>, Vec<Line>) {
    let (stack, hands) = (Stack::usual(), Hands(Stack::usual()));
    let record = people[0].keep(sample(1_000).path(), &["body:knee"]).record;
    let request = people[1].ask(record).to_string();
    let token_after = |before: Option<&str>| {
        let began = Instant::now();
        loop {
            let token = hands.task_token(&request).filter(|token| Some(token.as_str()) != before);
            if let Some(token) = token {
                return token;
            }
            assert!(began.elapsed() < PATIENCE, "no execution waits for {request}");
        }
    };
    let of_vault = token_after(None);

    let mut input = json!({ "request": request });
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let execution = hands.start_execution(&format!("by-hand-{request}"), &input);
    hands.approve_task(&token_after(Some(&of_vault)), GRANT_S);
    let began = Instant::now();
    let states = loop {
        let (status, passed) = hands.passed(&execution);
        if status != "RUNNING" {
            assert_eq!(status, "SUCCEEDED", "{passed:?}");
            break passed;
        }
        assert!(began.elapsed() < PATIENCE, "{passed:?}");
    };
    let entered = |name: &str| states.iter().find(|(state, _)| state == name).expect(name).1;
    let waited_s = entered("EndWait") - entered("WaitUntilOver");
    assert!(waited_s > 1.0, "it waited {waited_s} s for the end of {GRANT_S} s: {states:?}");

    let documented = lines::documented(stack);
    let about = |invocation: &lines::Invocation| invocation.lines.iter().any(|line| line.contains(&request));
    let invocations = hands.invocations_of("workflow").into_iter().filter(about);
    let lines =
        invocations.map(|invocation| lines::read(&invocation, &documented).unwrap_or_else(|wrong| panic!("{wrong}")));
    (states.into_iter().map(|(state, _)| state).collect(), lines.collect())
}

#[test]
fn an_execution_goes_to_the_end_of_a_grant_with_and_without_a_trace() {
    let people = ["St. Anna", "St. Benedikt"].map(|name| Hospital::verified(Stack::usual(), name));
    // No command's: where it is in a line, it came with the execution's input.
    let trace = Id::from_parts(1, [0x5a; 10]).to_string();
    // As the vault starts it: each task is given the trace, the last one, too.
    let (states, lines) = run(&people, &json!({ "trace": trace }));
    let with = [&["HasTrace"][..], &TO_THE_END].concat();
    assert_eq!(states, with);
    for task in ["verify", "await", "wait-over"] {
        let is_told = |line: &&Line| line.text("operation") == task && line.is_about(&trace);
        assert_eq!(lines.iter().filter(is_told).count(), 1, "{task}: {lines:#?}");
    }
    // As functions started it before there was one; and as they do for an event without a command. The emulator takes a path to nothing for null, where AWS
    // ends the execution: so the way around it must be seen to be taken.
    let without = [&["HasTrace", "WithoutTrace"][..], &TO_THE_END].concat();
    for input in [json!({}), json!({ "trace": null })] {
        let (states, lines) = run(&people, &input);
        assert!(states == without || (input != json!({}) && states == with), "{input}: {states:?}");
        let over: Vec<_> = lines.iter().filter(|line| line.text("operation") == "wait-over").collect();
        assert!(over.len() == 1 && over[0].text("outcome") == "ok", "{lines:#?}");
        assert!(!lines.iter().any(|line| line.is_about(&trace)), "{lines:#?}");
    }
}
