//! Blind evaluation of search terms (RFC 9497): members of verified providers send blinded terms and get them back evaluated under the vault's
//! search key, with one proof. The vault learns nothing of the terms, and nobody can try out a dictionary without passing the rate limit.
//!
//! The only function that may open the search key. It opens it once, when the first terms come.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

use std::fmt;
use std::sync::OnceLock;

use chartseal_events::wire::{TokensRequest, TokensResponse};
use chartseal_events::{Bytes, Code, Refusal, strict};
use chartseal_http::{Access, Answer, Failure, Incoming, PathValues, Reader, Route, Service, reader};
use chartseal_infra::ports::{Clock, EventStore, SearchKeyVault, StoreError, WorkList};
use chartseal_infra::telemetry::{fields, note};
use chartseal_ledger::terms::{BlindError, MAX_TERMS, OsRng, SearchKey};

/// The epoch of the search key; there is only the first so far.
const EPOCH: u32 = 1;
/// A minute of the rate limit.
const MINUTE_MS: u64 = 60_000;

/// The function, on its ports.
pub struct Tokens<E, W, S, C> {
    origin: String,
    events: E,
    work: W,
    search_keys: S,
    clock: C,
    /// Terms a provider may have evaluated in a minute.
    per_minute: u32,
    /// The search key, once it was opened.
    search_key: OnceLock<SearchKey>,
}

impl<E, W, S, C> fmt::Debug for Tokens<E, W, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Blinded terms are evaluated.
    Evaluate,
}

/// The function's routes.
pub const ROUTES: &[Route<Call>] = &[Route {
    method: "POST",
    pattern: "/tokens",
    access: Access::Read,
    call: Call::Evaluate,
    codes: &[Code::MalformedJson, Code::BadField, Code::TooManyTerms, Code::BadBlindedElement, Code::TooManyRequests],
}];

impl<E: EventStore, W: WorkList, S: SearchKeyVault, C: Clock> Service for Tokens<E, W, S, C> {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = ROUTES;

    async fn handle(&self, call: Call, incoming: &Incoming, _path: &PathValues) -> Result<Answer, Failure> {
        match call {
            Call::Evaluate => evaluate(self, incoming).await,
        }
    }
}

impl<E: EventStore, W: WorkList, S: SearchKeyVault, C: Clock> Tokens<E, W, S, C> {
    /// The function; a provider may have `per_minute` terms evaluated in a minute.
    pub const fn new(origin: String, events: E, work: W, search_keys: S, clock: C, per_minute: u32) -> Self {
        Self { origin, events, work, search_keys, clock, per_minute, search_key: OnceLock::new() }
    }

    async fn search_key(&self) -> Result<&SearchKey, StoreError> {
        if let Some(key) = self.search_key.get() {
            return Ok(key);
        }
        let damaged = || StoreError::Damaged { what: format!("the search key of epoch {EPOCH}") };
        let bytes = self.search_keys.open(EPOCH).await?.ok_or_else(damaged)?;
        let key = SearchKey::from_bytes(&bytes).map_err(|_| damaged())?;
        Ok(self.search_key.get_or_init(|| key))
    }
}

/// Evaluate blinded search terms
///
/// Needs a read token of a member of a verified provider, for POST /tokens. The client checks the proof against the search key in the genesis
/// event, then unblinds.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/tokens", tag = "search", request_body = TokensRequest,
    responses((status = 200, description = "The evaluated terms, in the same order, with one proof.", body = TokensResponse)),
))]
pub async fn evaluate<E: EventStore, W: WorkList, S: SearchKeyVault, C: Clock>(
    vault: &Tokens<E, W, S, C>,
    incoming: &Incoming,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let Reader::Member { provider, .. } = reader(incoming, &vault.origin, &vault.events, now_ms).await? else {
        return Err(Code::NotMember.into());
    };
    let blinded = blinded(incoming)?;
    // Counted before the work is done: 1 to MAX_TERMS of them.
    let amount = u32::try_from(blinded.len()).map_err(|_| Code::TooManyTerms)?;
    if !vault.work.count_tokens(provider, now_ms / MINUTE_MS, amount, vault.per_minute).await? {
        return Err(Code::TooManyRequests.into());
    }
    note::add(&fields::TOKENS_EVALUATED, blinded.len());
    let evaluation = vault.search_key().await?.evaluate_batch(&blinded, &mut OsRng).map_err(|error| match error {
        BlindError::BadElement { .. } => Refusal::field(Code::BadBlindedElement, "blinded"),
        _ => Refusal::from(Code::Internal),
    })?;
    Answer::ok(&TokensResponse {
        epoch: EPOCH,
        evaluated: evaluation.evaluated.into_iter().map(Bytes).collect(),
        proof: Bytes(evaluation.proof),
    })
}

fn blinded(incoming: &Incoming) -> Result<Vec<[u8; 32]>, Refusal> {
    let TokensRequest { blinded } = strict::parse(&incoming.body).map_err(|_| Code::MalformedJson)?;
    match blinded.len() {
        0 => Err(Refusal::field(Code::BadField, "blinded")),
        1..=MAX_TERMS => Ok(blinded.into_iter().map(|element| element.0).collect()),
        _ => Err(Refusal::field(Code::TooManyTerms, "blinded")),
    }
}

/// The routes, as OpenAPI describes them.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(paths(evaluate))]
pub struct Api;

#[cfg(test)]
mod tests;
