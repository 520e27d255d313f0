//! Wires the function that shows the ledger.

use chartseal_http::{Environment, Error, serve, telemetry};
use chartseal_infra::aws::{self, DynamoStore, KmsClockKey, S3LogFiles, SystemClock, Tables};
use chartseal_ledger_api::{Ledger, LogClock};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));

    let mut env = Environment::of_process();
    let tables = Tables {
        events: Some(env.text("EVENTS_TABLE")),
        blocks: Some(env.text("BLOCKS_TABLE")),
        sealed: Some(env.text("SEALED_TABLE")),
        ..Tables::default()
    };
    let (origin, bucket, clock_key) = (env.text("ORIGIN"), env.text("LEDGER_BUCKET"), env.text("CLOCK_KEY"));
    let witnesses = env.read("WITNESSES");
    env.check()?;

    let aws = aws::config();
    let store = DynamoStore::new(&aws, tables);
    let (files, clock_key) = (S3LogFiles::new(&aws, bucket), KmsClockKey::new(&aws, clock_key));
    let timekeeper = LogClock::new(origin.clone(), clock_key, SystemClock);
    let (blocks, index) = (store.clone(), store.clone());
    serve(Ledger { origin, blocks, index, files, events: store, clock: SystemClock, timekeeper, witnesses }).await
}
