//! Whether the vault answers, which version of it, and its own stream: where a client's trust begins.
//!
//! The one route without authentication. What it shows is public: origin, keys, operators.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

use chartseal_events::StreamId;
use chartseal_events::evidence::Evidence;
use chartseal_events::wire::Health;
use chartseal_http::{Access, Answer, Failure, Incoming, PathValues, Route, Service};
use chartseal_infra::ports::{Clock, EventStore, StoreError};
use chartseal_infra::road;

/// The function, on its ports.
#[derive(Debug, Clone)]
pub struct Healthz<E, C> {
    /// The vault's origin.
    pub origin: String,
    /// The streams.
    pub events: E,
    /// The time.
    pub clock: C,
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Whether the vault answers.
    Health,
}

/// The function's routes.
pub const ROUTES: &[Route<Call>] =
    &[Route { method: "GET", pattern: "/healthz", access: Access::Anyone, call: Call::Health, codes: &[] }];

impl<E: EventStore, C: Clock> Service for Healthz<E, C> {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = ROUTES;

    async fn handle(&self, call: Call, _: &Incoming, _: &PathValues) -> Result<Answer, Failure> {
        match call {
            Call::Health => health(self).await,
        }
    }
}

/// Ask whether the vault answers
///
/// Gives the vault's origin, which commands name as `aud`, and its stream from the genesis event on.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/healthz", tag = "vault",
    responses((status = 200, description = "The vault answers.", body = Health)),
))]
pub async fn health<E: EventStore, C: Clock>(vault: &Healthz<E, C>) -> Result<Answer, Failure> {
    let (view, evidence) = road::look_with_evidence(&vault.events, [StreamId::Vault], vault.clock.now_ms()).await?;
    let begun = view.operators();
    if begun.is_some_and(|begun| begun.genesis.origin != vault.origin) {
        // Every command would be refused for its audience, or its event be unsound: better said than found out.
        return Err(StoreError::Damaged { what: "ORIGIN is not the one of the genesis event".to_owned() }.into());
    }
    Answer::ok(&Health {
        status: if begun.is_some() { "ok" } else { "empty" }.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        origin: vault.origin.clone(),
        genesis: begun.map(|begun| begun.genesis_leaf),
        evidence: if begun.is_some() { evidence } else { Evidence::default() },
    })
}

/// The routes, as OpenAPI describes them.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(paths(health))]
pub struct Api;
