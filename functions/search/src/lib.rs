//! Search over tokens. Who searched for what is an event before the answer is released.
//!
//! In scope: AND within a clause, OR over clauses, over the postings that the consumer wrote; each hit is confirmed by its record's stream, so
//! that a stale posting shows nothing. Out of scope: proofs that an answer is complete (they come with the ledger), and words: the vault gets
//! tokens alone.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod find;

#[cfg(feature = "openapi")]
use chartseal_events::wire::CommandRequest;
use chartseal_events::wire::{Receipt, SearchResults};
use chartseal_events::{Action, Code, Facts, Refusal, decide};
use chartseal_http::{Access, Admitted, Answer, Failure, Incoming, PathValues, Route, Service, admit};
use chartseal_infra::ports::{Clock, EventStore, Index};
use chartseal_infra::road;
use chartseal_ledger::terms::{MAX_CLAUSE_TERMS, MAX_CLAUSES, TokenQuery, TokenQueryError};

pub use find::{MAX_HITS, MAX_POSTINGS, find};

/// The function, on its ports.
#[derive(Debug, Clone)]
pub struct Search<E, I, C> {
    /// The vault's origin.
    pub origin: String,
    /// The streams.
    pub events: E,
    /// The index.
    pub index: I,
    /// The time.
    pub clock: C,
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A search.
    Search,
}

/// The function's routes.
pub const ROUTES: &[Route<Call>] = &[Route {
    method: "POST",
    pattern: "/search",
    access: Access::Command,
    call: Call::Search,
    codes: &[Code::ProviderPending, Code::ProviderSuspended, Code::BadQuery, Code::TooManyTerms, Code::QueryTooBroad],
}];

impl<E: EventStore, I: Index, C: Clock> Service for Search<E, I, C> {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = ROUTES;

    async fn handle(&self, call: Call, incoming: &Incoming, _path: &PathValues) -> Result<Answer, Failure> {
        match call {
            Call::Search => search(self, incoming).await,
        }
    }
}

/// Search
///
/// Takes `search.perform.v1`, signed by a person of a verified provider. Its private `query` is `{"any": [[token, ...], ...]}`: records that
/// have all tokens of any clause. At most 100 records, newest first, each in its latest version.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/search", tag = "search", request_body = CommandRequest,
    responses((status = 201, description = "What was found, and the event that says who searched.", body = SearchResults)),
))]
pub async fn search<E: EventStore, I: Index, C: Clock>(
    vault: &Search<E, I, C>,
    incoming: &Incoming,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let admitted = admit(incoming, &vault.origin, now_ms)?;
    let Action::SearchPerform(_) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    let query = query(&admitted)?;
    // Nobody else makes the vault read lists.
    let view = road::look(&vault.events, admitted.command.reads()?, now_ms).await?;
    decide::authenticate(&view, &admitted.command)?.member()?;
    let hits = find(&vault.events, &vault.index, &query).await?;
    let facts = Facts { hits: u32::try_from(hits.len()).ok(), ..Facts::default() };
    let taken = road::take(&vault.events, &vault.clock, &admitted.command, &admitted.luggage(facts)).await?;
    Answer::taken(&taken, &SearchResults { event: Receipt::from(&taken.event), hits })
}

fn query(admitted: &Admitted) -> Result<TokenQuery, Refusal> {
    let text = admitted.private.get("query").map_or("", |query| &query.value);
    TokenQuery::parse(text).map_err(|error| match error {
        TokenQueryError::Clauses { found } if found > MAX_CLAUSES => Refusal::field(Code::TooManyTerms, "query"),
        TokenQueryError::ClauseTokens { found } if found > MAX_CLAUSE_TERMS => {
            Refusal::field(Code::TooManyTerms, "query")
        }
        TokenQueryError::TooManyTokens { .. } => Refusal::field(Code::TooManyTerms, "query"),
        _ => Refusal::field(Code::BadQuery, "query"),
    })
}

/// The routes, as OpenAPI describes them.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(paths(search))]
pub struct Api;

#[cfg(test)]
mod tests;
