//! A function as a whole: its routes, its handlers, and the way of a call to its answer.

use std::future::Future;

use chartseal_events::Code;
use chartseal_events::limits::MAX_BODY_BYTES;
use chartseal_infra::telemetry::{fields, note};

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

/// Answers a call, whatever comes of it. What the invocation's line says of it is the route's pattern, never what was sent.
pub async fn answer<S: Service>(service: &S, incoming: &Incoming) -> Answer {
    note::api_request(&incoming.request_id);
    let found = find(S::ROUTES, &incoming.method, &incoming.path);
    if let Some((route, _)) = &found {
        note::set(&fields::OPERATION, format!("{} {}", route.method, route.pattern));
    }
    let result = match found {
        None => Err(Code::NoRoute.into()),
        Some(_) if incoming.body.len() > MAX_BODY_BYTES => Err(Code::BodyTooLarge.into()),
        Some((route, path)) => service.handle(route.call, incoming, &path).await,
    };
    let answer = result.unwrap_or_else(|failure| problem(&failure, &incoming.request_id));
    note::set(&fields::STATUS, answer.status);
    answer
}
