use chartseal_events::command::{AccessApprove, AccessDeny, OperatorAdd};
use chartseal_events::wire::Accepted;
use chartseal_events::{Id, StreamId};
use chartseal_http::testing::{ORIGIN, Stage, Wallet, call, document, refused};
use chartseal_infra::memory::MemoryVault;

use super::*;

fn service(stage: &Stage) -> Decide<MemoryVault, MemoryVault> {
    Decide { origin: ORIGIN.to_owned(), events: stage.vault.clone(), clock: stage.vault.clone() }
}

/// A request for another hospital's record, verified and open.
async fn asked() -> (Stage, Wallet, Id) {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let bob = stage.hospital("St. Paul").await;
    let scan = stage.uploaded(&ann, b"a scan").await.record;
    let request = stage.requested(&bob, scan, 3600).await;
    (stage, bob, request)
}

async fn approval(stage: &Stage, request: Id) -> AccessApprove {
    AccessApprove { request, head: stage.head(StreamId::Request(request)).await }
}

async fn denial(stage: &Stage, request: Id) -> AccessDeny {
    AccessDeny { request, head: stage.head(StreamId::Request(request)).await }
}

fn types(stage: &Stage, request: Id) -> Vec<&'static str> {
    stage.vault.types(StreamId::Request(request))
}

#[tokio::test]
async fn an_operator_approves_and_repeating_it_changes_nothing() {
    let (stage, _, request) = asked().await;
    let path = format!("/requests/{request}/approve");
    let (command, private) = stage.command(&stage.operator, approval(&stage, request).await, &[("comment", "urgent")]);
    let post = stage.submit(&path, &command, &private, None);
    let first: Accepted = document(&call(&service(&stage), &post).await, 201);
    for _ in 0..2 {
        let again: Accepted = document(&call(&service(&stage), &post).await, 200);
        assert_eq!(again, first);
    }
    assert_eq!(types(&stage, request)[2..], ["access.approved.v1"]);
    assert_eq!(stage.private(first.event.stored().at).await, [("comment".to_owned(), "urgent".to_owned())]);

    let other = stage.post(&stage.operator, &path, approval(&stage, request).await, &[]);
    assert_eq!(refused(&call(&service(&stage), &other).await), Code::AlreadyDecided);
    let deny = stage.post(
        &stage.operator,
        &format!("/requests/{request}/deny"),
        denial(&stage, request).await,
        &[("reason", "second thoughts")],
    );
    assert_eq!(refused(&call(&service(&stage), &deny).await), Code::AlreadyDecided);
}

#[tokio::test]
async fn an_operator_denies_with_a_reason() {
    let (stage, _, request) = asked().await;
    let path = format!("/requests/{request}/deny");
    let without = stage.post(&stage.operator, &path, denial(&stage, request).await, &[]);
    assert_eq!(refused(&call(&service(&stage), &without).await), Code::MalformedCommand);
    let post = stage.post(&stage.operator, &path, denial(&stage, request).await, &[("reason", "no relation")]);
    document::<Accepted>(&call(&service(&stage), &post).await, 201);
    assert_eq!(types(&stage, request)[2..], ["access.denied.v1"]);
}

#[tokio::test]
async fn only_operators_decide_and_nobody_on_their_own_request() {
    let (stage, bob, request) = asked().await;
    let path = format!("/requests/{request}/approve");
    let post = stage.post(&bob, &path, approval(&stage, request).await, &[]);
    assert_eq!(refused(&call(&service(&stage), &post).await), Code::NotOperator);

    // The requester's key becomes an operator's.
    stage.taken(&stage.operator, OperatorAdd { sign_key: bob.sign_key() }, &[]).await;
    let operator = Wallet { kid: chartseal_events::Kid::Key(bob.thumbprint()), act: None, ..bob.clone() };
    let post = stage.post(&operator, &path, approval(&stage, request).await, &[]);
    assert_eq!(refused(&call(&service(&stage), &post).await), Code::ApproverIsRequester);
    assert_eq!(types(&stage, request).len(), 2);
}

#[tokio::test]
async fn a_decision_is_on_what_the_request_is_now() {
    let (stage, _, request) = asked().await;
    let path = format!("/requests/{request}/approve");
    let outdated = AccessApprove { request, head: chartseal_events::Hash([3; 32]) };
    let post = stage.post(&stage.operator, &path, outdated, &[]);
    assert_eq!(refused(&call(&service(&stage), &post).await), Code::HeadMoved);

    let elsewhere = format!("/requests/{}/approve", Id::from_parts(1, [1; 10]));
    let post = stage.post(&stage.operator, &elsewhere, approval(&stage, request).await, &[]);
    assert_eq!(refused(&call(&service(&stage), &post).await), Code::PathMismatch);
    let wrong = stage.post(&stage.operator, &path, denial(&stage, request).await, &[("reason", "x")]);
    assert_eq!(refused(&call(&service(&stage), &wrong).await), Code::WrongCommand);

    stage.vault.advance(3_600_000);
    let late = stage.post(&stage.operator, &path, approval(&stage, request).await, &[]);
    assert_eq!(refused(&call(&service(&stage), &late).await), Code::RequestExpired);
}

#[tokio::test]
async fn a_request_whose_requester_is_still_being_verified_waits() {
    use chartseal_events::Facts;
    use chartseal_events::command::AccessRequest;
    use chartseal_events::purpose::Purpose;

    let (stage, bob, other) = asked().await;
    let record =
        chartseal_infra::road::look(&stage.vault, [StreamId::Request(other)], stage.now_ms()).await.expect("memory");
    let record = record.request(other).expect("asked").asked.record;
    let ask = AccessRequest { record, version: 1, purpose: Purpose::Emergency, grant_seconds: 60 };
    let facts = Facts { expires_at_ms: Some(stage.now_ms() + 1000), ..Facts::default() };
    let taken = stage.taken_with(&bob, ask, &[("justification", "now")], facts, Vec::new()).await;
    let StreamId::Request(request) = taken.event.at.stream else { panic!("a request begins its own stream") };
    let post =
        stage.post(&stage.operator, &format!("/requests/{request}/approve"), approval(&stage, request).await, &[]);
    assert_eq!(refused(&call(&service(&stage), &post).await), Code::NotVerifiedYet);
}
