//! Wires the function that shows the ledger.

use chartseal_http::{Environment, Error, serve, telemetry};
use chartseal_infra::aws::{self, DynamoStore, S3LogFiles, SystemClock, Tables};
use chartseal_ledger_api::Ledger;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));

    let mut env = Environment::of_process();
    let origin = env.text("ORIGIN");
    let tables = Tables {
        events: Some(env.text("EVENTS_TABLE")),
        blocks: Some(env.text("BLOCKS_TABLE")),
        sealed: Some(env.text("SEALED_TABLE")),
        ..Tables::default()
    };
    let bucket = env.text("LEDGER_BUCKET");
    env.check()?;

    let aws = aws::config();
    let store = DynamoStore::new(&aws, tables);
    let files = S3LogFiles::new(&aws, bucket);
    serve(Ledger { origin, blocks: store.clone(), index: store.clone(), files, events: store, clock: SystemClock })
        .await
}
