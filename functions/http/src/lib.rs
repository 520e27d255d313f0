//! What the functions behind the HTTP API share: what comes in, who sends it, the way to an answer.
//!
//! A function is a [`Service`]: a table of [`Route`]s and one `handle`. Its handlers are plain async functions over ports, so a test calls
//! [`answer`] on a vault in memory and no Lambda is near; `main.rs` reads its [`Environment`], connects the ports and calls [`serve`].
//! A handler reads top to bottom:
//!
//! ```
//! use chartseal_events::{Action, Code};
//! use chartseal_http::{Answer, Failure, Incoming, PathValues, accept, admit, same};
//! use chartseal_infra::ports::{Clock, EventStore};
//!
//! async fn suspend<E: EventStore, C: Clock>(
//!     origin: &str,
//!     events: &E,
//!     clock: &C,
//!     incoming: &Incoming,
//!     path: &PathValues,
//! ) -> Result<Answer, Failure> {
//!     let admitted = admit(incoming, origin, clock.now_ms())?; // 400, 401: parse, limits, audience, clock, private part
//!     let Action::ProviderSuspend(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
//!     same("provider", path.id("id")?, fields.provider)?; // 400
//!     accept(events, clock, &admitted).await // load, decide (401, 403, 404, 409), append
//! }
//! ```
//!
//! Each function's crate has a feature `openapi`, under which its handlers carry `utoipa::path` and the crate has `pub struct Api` with
//! `derive(utoipa::OpenApi)` that lists them; `chartseal-openapi` collects these, and takes the problem codes from the `ROUTES` tables.
//!
//! [`wake`] does the same for functions that an event wakes.
//!
//! Out of scope: what a command leads to (the events crate), storage (infra).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod admission;
mod answer;
mod environment;
mod evidence;
mod incoming;
mod listing;
mod problem;
mod reader;
mod release;
mod route;
mod serve;
mod service;
#[cfg(feature = "testing")]
pub mod testing;
mod waking;

pub use admission::{Admitted, Submission, accept, admit, same};
pub use answer::{Answer, Cache, File};
pub use chartseal_infra::road::Failure;
pub use chartseal_infra::telemetry;
pub use environment::{ConfigError, Environment};
pub use evidence::{MAX_EVIDENCE_BYTES, MAX_EVIDENCE_STREAMS, evidence_closure, evidence_without_records};
pub use incoming::Incoming;
pub use listing::{DEFAULT_PAGE, MAX_CURSOR_BYTES, MAX_PAGE, Paging};
pub use problem::problem;
pub use reader::{Caller, Reader, authenticate, reader};
pub use release::{DOWNLOAD_LIFE_S, context, presigned, release_download, seal_data_key, still_granted};
pub use route::{Access, PathValues, Route, RouteEntry};
pub use serve::{Error, serve};
pub use service::{Service, answer};
pub use waking::wake;
