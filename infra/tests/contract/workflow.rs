//! The approval workflow.

use std::time::{Duration, Instant};

use chartseal_infra::ports::Workflow as _;
use serde_json::json;

use crate::subject::{Subject, comes_to, id};

pub async fn a_request_has_one_workflow(subject: &impl Subject) {
    for _ in 0..2 {
        subject.workflow().start(id(1), Some(id(2))).await.expect("starts");
        comes_to("one execution", 1, async || subject.started(id(1)).await).await;
    }
    assert_eq!(subject.started(id(2)).await, 0);
}

pub async fn a_workflow_is_told_once(subject: &impl Subject) {
    let token = subject.waiting(id(1)).await;
    let output = json!({"decision": "approved", "until": "2026-11-24T00:00:00Z"});
    assert!(!subject.workflow().tell("no token of ours", &output).await.expect("answers"));
    assert!(subject.workflow().tell(&token, &output).await.expect("answers"));
    // A service may take an answer twice before the execution goes on; then nobody waits any more.
    let deadline = Instant::now() + Duration::from_secs(10);
    while subject.workflow().tell(&token, &output).await.expect("answers") {
        assert!(Instant::now() < deadline, "it still waits");
    }
}
