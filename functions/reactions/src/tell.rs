//! Telling a waiting workflow what was decided. Two sides meet: whoever appends a decision reads the task token afterwards, and whoever keeps
//! a task token reads the stream afterwards. Reads are consistent, so at least one of them sees both, and telling twice does no harm.

use chartseal_events::state::{Request, RequestState};
use chartseal_events::stream::day_of;
use chartseal_events::{Id, StreamId};
use chartseal_infra::ports::{EventStore, StoreError, WorkList, Workflow};
use serde_json::{Value, json};

use crate::look;

/// What the workflow of a request is told: `{"decision": "approved", "until": RFC 3339}`, `denied` or `expired`; none while it is open.
pub fn decision(request: &Request) -> Option<Value> {
    match request.state {
        RequestState::Requested | RequestState::Verified => None,
        RequestState::Approved { until_ms } => Some(json!({"decision": "approved", "until": rfc3339(until_ms)})),
        RequestState::Denied => Some(json!({"decision": "denied"})),
        // A grant that is over before its workflow heard of it needs no timer any more.
        RequestState::Undecided | RequestState::Over => Some(json!({"decision": "expired"})),
    }
}

/// Tells a request's workflow, if one waits and there is something to tell. Says whether somebody listened.
pub async fn tell<E: EventStore, W: WorkList, F: Workflow>(
    events: &E,
    work: &W,
    workflow: &F,
    request: Id,
) -> Result<bool, StoreError> {
    match work.task_token(request).await? {
        Some(task_token) => tell_waiting(events, workflow, request, &task_token).await,
        None => Ok(false),
    }
}

/// The same for whoever has just kept the task token.
pub async fn tell_waiting<E: EventStore, F: Workflow>(
    events: &E,
    workflow: &F,
    request: Id,
    task_token: &str,
) -> Result<bool, StoreError> {
    let view = look(events, StreamId::Request(request)).await?;
    match view.request(request).and_then(decision) {
        Some(output) => workflow.tell(task_token, &output).await,
        None => Ok(false),
    }
}

/// A time as RFC 3339 in UTC, rounded up to the second: a timer that rings early would find nothing to do.
fn rfc3339(at_ms: u64) -> String {
    let whole_s = at_ms.div_ceil(1000);
    let (day, second) = (day_of(whole_s * 1000), whole_s % 86_400);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        day / 10_000,
        day / 100 % 100,
        day % 100,
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_to_the_second() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_795_392_000_000), "2026-11-23T00:00:00Z");
        assert_eq!(rfc3339(1_795_391_999_001), "2026-11-23T00:00:00Z", "into the next day");
        assert_eq!(rfc3339(951_868_799_000), "2000-02-29T23:59:59Z");
    }
}
