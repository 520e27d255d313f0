//! Wires the function that releases data keys.

use chartseal_http::{Environment, Error, serve, telemetry};
use chartseal_infra::aws::{self, DynamoStore, KmsDataKeyOpener, SystemClock, Tables};
use chartseal_issue_key::IssueKey;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));

    let mut env = Environment::of_process();
    let origin = env.text("ORIGIN");
    let tables =
        Tables { events: Some(env.text("EVENTS_TABLE")), keys: Some(env.text("KEYS_TABLE")), ..Tables::default() };
    let record_key = env.text("RECORD_KEY");
    env.check()?;

    let config = aws::config();
    let store = DynamoStore::new(&config, tables);
    let opener = KmsDataKeyOpener::new(&config, record_key);
    serve(IssueKey { origin, store, opener, clock: SystemClock }).await
}
