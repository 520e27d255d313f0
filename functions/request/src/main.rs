//! Wires the function that makes, lists and shows requests for access.

use chartseal_events::limits::MAX_DECISION_MS;
use chartseal_http::{Environment, Error, serve, telemetry};
use chartseal_infra::aws::{self, DynamoStore, SystemClock, Tables};
use chartseal_request::Requests;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));

    let mut env = Environment::of_process();
    let origin = env.text("ORIGIN");
    let tables = Tables {
        events: Some(env.text("EVENTS_TABLE")),
        private: Some(env.text("PRIVATE_TABLE")),
        index: Some(env.text("INDEX_TABLE")),
        ..Tables::default()
    };
    let decision_seconds = env.number("DECISION_SECONDS", 1..=MAX_DECISION_MS / 1000);
    env.check()?;

    let store = DynamoStore::new(&aws::config(), tables);
    serve(Requests { origin, events: store.clone(), index: store, clock: SystemClock, decision_seconds }).await
}
