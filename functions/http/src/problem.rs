//! The one place where a failure becomes an answer (RFC 9457). What a 5xx is about goes to the log, once, and never to the caller.

use chartseal_events::wire::Problem;
use chartseal_events::{Code, Refusal};
use chartseal_infra::ports::StoreError;
use chartseal_infra::telemetry::note;

use crate::{Answer, Cache, Failure};

/// The problem that a failure is answered with.
pub fn problem(failure: &Failure, request_id: &str) -> Answer {
    let refusal = refusal_of(failure);
    let code = refusal.code;
    if code.status() >= 500 {
        note::failed(Some(code), failure);
    } else {
        note::refused(refusal);
    }
    let mut document = Problem::new(refusal, request_id);
    document.trace = note::current_trace().map(|trace| trace.to_string());
    // A problem has strings and a number: it always serialises.
    let json = serde_json::to_string(&document).unwrap_or_default();
    Answer { status: code.status(), json, problem: Some(code), file: None, cache: Cache::Never }
}

fn refusal_of(failure: &Failure) -> Refusal {
    match failure {
        Failure::Refused(refusal) => *refusal,
        Failure::Store(StoreError::Conflict(_)) => Code::Conflict.into(),
        Failure::Store(StoreError::Damaged { .. }) => Code::Internal.into(),
        Failure::Store(StoreError::Unavailable { .. }) => Code::Unavailable.into(),
    }
}

#[cfg(test)]
mod tests {
    use chartseal_infra::telemetry::{fields, recorded};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("connection reset by secret-host")]
    struct Secret;

    #[tokio::test]
    async fn what_a_service_said_stays_in_the_log() {
        let failure = Failure::Store(StoreError::Unavailable { service: "DynamoDB", source: Box::new(Secret) });
        let (answer, line) = recorded(async { problem(&failure, "id-1") }).await;
        assert_eq!(line.get(&fields::ERROR), Some(&"DynamoDB failed: connection reset by secret-host".into()));
        assert_eq!(line.get(&fields::CODE), Some(&"unavailable".into()));
        assert_eq!((answer.status, answer.problem), (503, Some(Code::Unavailable)));
        assert!(!answer.json.contains("secret-host") && !answer.json.contains("DynamoDB"));
        let document: Problem = serde_json::from_str(&answer.json).expect("a problem");
        assert_eq!(document.request_id, "id-1");

        let damaged = Failure::Store(StoreError::Damaged { what: "record/x#1".to_owned() });
        let answer = problem(&damaged, "id-2");
        assert_eq!((answer.status, answer.problem), (500, Some(Code::Internal)));
        assert!(!answer.json.contains("record/x"));
    }

    #[test]
    fn the_member_at_fault_is_named() {
        let answer = problem(&Failure::Refused(Refusal::field(Code::BadField, "expires_at")), "id");
        let document: Problem = serde_json::from_str(&answer.json).expect("a problem");
        assert_eq!(document.field.as_deref(), Some("expires_at"));
        assert_eq!((document.status, document.code.as_str()), (400, "bad-field"));
        assert_eq!(answer.media_type(), "application/problem+json");
    }
}
