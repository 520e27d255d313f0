//! A function as a whole: its routes, its handlers, and the way of a call to its answer, logged in one line.

use std::future::Future;
use std::time::Instant;

use chartseal_events::Code;
use chartseal_events::limits::MAX_BODY_BYTES;

use crate::route::{PathValues, Route, find};
use crate::{Answer, Failure, Incoming, problem};

/// A function behind the HTTP API.
pub trait Service: Send + Sync {
    /// What can be called.
    type Call: Copy + Send + Sync + 'static;

    /// Its routes.
    const ROUTES: &'static [Route<Self::Call>];

    /// Takes a call.
    fn handle(
        &self,
        call: Self::Call,
        incoming: &Incoming,
        path: &PathValues,
    ) -> impl Future<Output = Result<Answer, Failure>> + Send;
}

/// Answers a call, whatever comes of it. Logs one line, with the route's pattern and never with what was sent.
pub async fn answer<S: Service>(service: &S, incoming: &Incoming) -> Answer {
    let started = Instant::now();
    let found = find(S::ROUTES, &incoming.method, &incoming.path);
    let pattern = found.as_ref().map_or("none", |(route, _)| route.pattern);
    let result = match found {
        None => Err(Code::NoRoute.into()),
        Some(_) if incoming.body.len() > MAX_BODY_BYTES => Err(Code::BodyTooLarge.into()),
        Some((route, path)) => service.handle(route.call, incoming, &path).await,
    };
    let answer = result.unwrap_or_else(|failure| problem(&failure, &incoming.request_id));
    tracing::info!(
        http.request_id = incoming.request_id,
        http.method = if pattern == "none" { "none" } else { incoming.method.as_str() },
        http.route = pattern,
        http.status = answer.status,
        code = answer.problem.map(Code::name),
        duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "answered"
    );
    answer
}
