//! Functions that an event wakes: payload in, result out, and one line, also for a payload that cannot be read.

use std::future::Future;

use chartseal_infra::telemetry::{Arrival, TimeIsUp, Work, invocation, note};
use lambda_http::lambda_runtime::{Context, LambdaEvent, run};
use lambda_http::service_fn;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::Error;

/// Why an invocation did not come to a result. It is said in the line; Lambda, which keeps errors of its own, gets no more than this.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// The payload is not what the function is for. What is wrong with it is not said: it could hold anything.
    #[error("the payload is not what this function is for")]
    Payload,
    /// There is no time left.
    #[error(transparent)]
    TimeIsUp(#[from] TimeIsUp),
    /// It failed.
    #[error("{0}")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

/// Serves invocations until Lambda ends the process. A failure that `handle` gives is noted here; what it has noted itself (of an item, say) it
/// need not give.
pub async fn wake<T, R, E, F, W>(handle: F) -> Result<(), Error>
where
    T: DeserializeOwned + Send,
    R: Serialize + Send,
    E: std::error::Error + Send + Sync + 'static,
    F: Fn(T) -> W + Sync,
    W: Future<Output = Result<R, E>> + Send,
{
    let handle = &handle;
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        let work: Work<'_, Result<R, Unanswered>> = Box::pin(async {
            let payload = read(&event.payload)?;
            handle(payload).await.map_err(|error| {
                note::failed(None, &error);
                Unanswered::Failed(Box::new(error))
            })
        });
        let result = invocation(arrival(&event.context), work).await.unwrap_or_else(|over| Err(over.into()));
        Ok::<R, Error>(result?)
    }))
    .await
}

/// Reads a payload here and not in the runtime, whose words for what is wrong quote it.
fn read<T: DeserializeOwned>(payload: &RawValue) -> Result<T, Unanswered> {
    serde_json::from_str(payload.get()).map_err(|_| {
        note::failed(None, &Unanswered::Payload);
        Unanswered::Payload
    })
}

pub(crate) fn arrival(context: &Context) -> Arrival {
    Arrival {
        request_id: context.request_id.clone(),
        xray: context.xray_trace_id.clone(),
        deadline_ms: context.deadline,
    }
}
