//! Wires the function that searches.

use chartseal_http::{Environment, Error, serve, telemetry};
use chartseal_infra::aws::{self, DynamoStore, SystemClock, Tables};
use chartseal_search::Search;

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
    env.check()?;

    let store = DynamoStore::new(&aws::config(), tables);
    serve(Search { origin, events: store.clone(), index: store, clock: SystemClock }).await
}
