//! Wires the function that shows the ledger.

use chartseal_http::{Environment, Error, serve, telemetry};
use chartseal_infra::aws::{self, DynamoStore, S3LogFiles, Tables};
use chartseal_ledger_api::Ledger;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));

    let mut env = Environment::of_process();
    let tables =
        Tables { blocks: Some(env.text("BLOCKS_TABLE")), sealed: Some(env.text("SEALED_TABLE")), ..Tables::default() };
    let bucket = env.text("LEDGER_BUCKET");
    env.check()?;

    let aws = aws::config();
    let store = DynamoStore::new(&aws, tables);
    serve(Ledger { blocks: store.clone(), index: store, files: S3LogFiles::new(&aws, bucket) }).await
}
