//! Wires the function that says whether the vault answers.

use chartseal_healthz::Healthz;
use chartseal_http::{Environment, Error, serve, telemetry};
use chartseal_infra::aws::{self, DynamoStore, SystemClock, Tables};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));

    let mut env = Environment::of_process();
    let origin = env.text("ORIGIN");
    let tables = Tables { events: Some(env.text("EVENTS_TABLE")), ..Tables::default() };
    env.check()?;

    let events = DynamoStore::new(&aws::config(), tables);
    serve(Healthz { origin, events, clock: SystemClock }).await
}
