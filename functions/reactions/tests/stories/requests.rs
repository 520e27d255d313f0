//! Requests for access and their workflow: the stream decides, the workflow reminds.

use chartseal_events::command::{AccessApprove, AccessDeny};
use chartseal_events::{Id, StreamId};
use chartseal_http::testing::{Stage, Wallet};
use chartseal_infra::ports::IndexList;
use serde_json::json;

use crate::workers::{DEADLINE_MS, HOUR_MS, MINUTE_MS, ask, consume_everything, listed, sweep, sweep_for, task, world};

/// Two hospitals, and a record of the first one.
async fn cast() -> (Stage, Wallet, Wallet, Id) {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let bob = stage.hospital("St. Paul").await;
    let scan = stage.uploaded(&ann, b"a scan").await.record;
    (stage, ann, bob, scan)
}

fn types(stage: &Stage, request: Id) -> Vec<&'static str> {
    stage.vault.types(StreamId::Request(request))
}

async fn verify(stage: &Stage, request: Id) -> serde_json::Value {
    task(stage, json!({"task": "verify", "request": request})).await
}

async fn wait(stage: &Stage, request: Id, token: &str) {
    task(stage, json!({"task": "await", "request": request, "token": token})).await;
}

async fn wait_over(stage: &Stage, request: Id) {
    task(stage, json!({"task": "wait-over", "request": request})).await;
}

async fn approve(stage: &Stage, request: Id) {
    let head = stage.head(StreamId::Request(request)).await;
    stage.taken(&stage.operator, AccessApprove { request, head }, &[]).await;
}

async fn deny(stage: &Stage, request: Id) {
    let head = stage.head(StreamId::Request(request)).await;
    stage.taken(&stage.operator, AccessDeny { request, head }, &[("reason", "no need")]).await;
}

#[tokio::test]
async fn a_request_starts_its_workflow_once_and_is_listed_for_its_parties() {
    let (stage, ann, bob, scan) = cast().await;
    let request = ask(&stage, &bob, scan).await;
    let lists = [IndexList::Requests, IndexList::RequestsOf(ann.provider()), IndexList::RequestsOf(bob.provider())];
    assert!(consume_everything(&stage).await.batch_item_failures.is_empty());
    assert_eq!(stage.vault.workflow_starts(), [request]);
    for list in &lists {
        assert_eq!(listed(&stage, list).await.len(), 1);
    }
    let before = world(&stage, &lists).await;
    for _ in 0..3 {
        consume_everything(&stage).await;
        assert_eq!(world(&stage, &lists).await, before);
    }
}

#[tokio::test]
async fn a_day_of_a_request() {
    let (stage, _, bob, scan) = cast().await;
    let request = ask(&stage, &bob, scan).await;
    consume_everything(&stage).await;
    assert_eq!(verify(&stage, request).await, json!({"verified": true}));
    assert_eq!(verify(&stage, request).await, json!({"verified": true}), "again");
    wait(&stage, request, "token-1").await;
    assert!(stage.vault.told().is_empty());

    approve(&stage, request).await;
    consume_everything(&stage).await;
    // The clock of the stage begins on 2026-11-23, and grants last two hours here.
    let told = json!({"decision": "approved", "until": "2026-11-23T02:00:00Z"});
    assert_eq!(stage.vault.told(), [("token-1".to_owned(), told)]);

    stage.vault.advance(HOUR_MS);
    wait_over(&stage, request).await;
    assert_eq!(types(&stage, request).last(), Some(&"access.approved.v1"), "not due yet");
    stage.vault.advance(HOUR_MS);
    for _ in 0..3 {
        wait_over(&stage, request).await;
    }
    let whole = ["access.requested.v1", "access.verified.v1", "access.approved.v1", "access.expired.v1"];
    assert_eq!(types(&stage, request), whole);
    consume_everything(&stage).await;
    sweep_for(&stage, 5 * MINUTE_MS).await;
    assert_eq!(types(&stage, request), whole);
    assert_eq!(stage.vault.told().len(), 1);
    assert_eq!(verify(&stage, request).await, json!({"verified": true}), "a late repetition reads the stream");
}

#[tokio::test]
async fn the_workflow_hears_of_a_decision_whichever_side_is_first() {
    for denied in [false, true] {
        let (stage, _, bob, scan) = cast().await;
        let request = ask(&stage, &bob, scan).await;
        consume_everything(&stage).await;
        verify(&stage, request).await;
        if denied {
            deny(&stage, request).await;
        } else {
            approve(&stage, request).await;
        }
        consume_everything(&stage).await;
        assert!(stage.vault.told().is_empty(), "nobody waits yet");
        wait(&stage, request, "late").await;
        let told = stage.vault.told();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].1["decision"], if denied { "denied" } else { "approved" });
        consume_everything(&stage).await;
        assert_eq!(stage.vault.told().len(), 1);
    }
}

#[tokio::test]
async fn a_workflow_that_waits_anew_is_told_anew() {
    let (stage, _, bob, scan) = cast().await;
    let request = ask(&stage, &bob, scan).await;
    verify(&stage, request).await;
    wait(&stage, request, "first").await;
    wait(&stage, request, "second").await;
    deny(&stage, request).await;
    consume_everything(&stage).await;
    assert_eq!(stage.vault.told(), [("second".to_owned(), json!({"decision": "denied"}))]);
}

#[tokio::test]
async fn a_token_that_comes_late_does_not_replace_a_newer_one() {
    let (stage, _, bob, scan) = cast().await;
    let request = ask(&stage, &bob, scan).await;
    consume_everything(&stage).await;
    verify(&stage, request).await;
    let attempt = async |retries: u32| {
        let entered = "2026-11-23T00:00:00.000Z";
        let token = format!("token-{retries}");
        let waits =
            json!({"task": "await", "request": request, "token": token, "entered": entered, "retries": retries});
        task(&stage, waits).await;
    };
    attempt(2).await;
    attempt(10).await;
    // Its answer was lost, so the task was tried again; now it lands.
    attempt(1).await;
    approve(&stage, request).await;
    consume_everything(&stage).await;
    let told: Vec<String> = stage.vault.told().into_iter().map(|(token, _)| token).collect();
    assert_eq!(told, ["token-10"]);
}

#[tokio::test]
async fn a_requester_who_was_suspended_is_not_verified() {
    let (stage, _, bob, scan) = cast().await;
    let request = ask(&stage, &bob, scan).await;
    stage.suspended(bob.provider()).await;
    assert_eq!(verify(&stage, request).await, json!({"verified": false}));
    assert_eq!(verify(&stage, request).await, json!({"verified": false}), "again");
    assert_eq!(types(&stage, request), ["access.requested.v1", "access.denied.v1"]);
    consume_everything(&stage).await;
    assert!(stage.vault.workflow_starts().is_empty(), "no workflow begins for what has been decided");
}

#[tokio::test]
async fn a_request_that_nobody_decides_expires_and_its_workflow_is_told() {
    let (stage, _, bob, scan) = cast().await;
    let request = ask(&stage, &bob, scan).await;
    consume_everything(&stage).await;
    verify(&stage, request).await;
    wait(&stage, request, "token-1").await;
    sweep_for(&stage, DEADLINE_MS - MINUTE_MS).await;
    assert_eq!(types(&stage, request).len(), 2, "not before its time");
    sweep_for(&stage, 3 * MINUTE_MS).await;
    assert_eq!(types(&stage, request)[2..], ["access.expired.v1"]);
    assert_eq!(stage.vault.told(), [("token-1".to_owned(), json!({"decision": "expired"}))]);
}

#[tokio::test]
async fn a_grant_ends_though_its_workflow_is_dead() {
    let (stage, _, bob, scan) = cast().await;
    let request = ask(&stage, &bob, scan).await;
    consume_everything(&stage).await;
    verify(&stage, request).await;
    approve(&stage, request).await;
    consume_everything(&stage).await;
    sweep_for(&stage, 2 * HOUR_MS).await;
    assert_eq!(types(&stage, request).last(), Some(&"access.expired.v1"));
}

#[tokio::test]
async fn the_sweeper_does_what_lost_stream_records_asked_for() {
    let (stage, ann, bob, scan) = cast().await;
    let request = ask(&stage, &bob, scan).await;
    sweep(&stage).await;
    assert!(stage.vault.workflow_starts().is_empty(), "the consumer has half a minute");
    sweep_for(&stage, MINUTE_MS).await;
    assert_eq!(stage.vault.workflow_starts(), [request]);
    for list in [IndexList::Requests, IndexList::RequestsOf(ann.provider()), IndexList::RequestsOf(bob.provider())] {
        assert_eq!(listed(&stage, &list).await.len(), 1);
    }
    assert_eq!(listed(&stage, &IndexList::Records).await.len(), 1);

    verify(&stage, request).await;
    wait(&stage, request, "token-1").await;
    approve(&stage, request).await;
    sweep_for(&stage, 2 * MINUTE_MS).await;
    assert_eq!(stage.vault.told().len(), 1);
    assert_eq!(stage.vault.workflow_starts(), [request], "and once");

    let before = world(&stage, &[IndexList::Requests]).await;
    consume_everything(&stage).await;
    sweep(&stage).await;
    assert_eq!(world(&stage, &[IndexList::Requests]).await, before);
}

#[tokio::test]
async fn a_sweeper_that_was_away_goes_on_where_it_stopped() {
    let (stage, _, bob, scan) = cast().await;
    stage.vault.advance(MINUTE_MS);
    sweep(&stage).await;
    let request = ask(&stage, &bob, scan).await;
    stage.vault.advance(50 * MINUTE_MS);
    sweep(&stage).await;
    assert_eq!(stage.vault.workflow_starts(), [request]);
}
