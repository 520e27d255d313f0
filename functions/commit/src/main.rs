//! The commit function: configuration, logs, ports, run.

use chartseal_commit::{ObjectCreated, handle};
use chartseal_http::{Environment, Error, telemetry, wake};
use chartseal_infra::aws::{DynamoStore, S3Blobs, SystemClock, Tables, config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));
    let mut env = Environment::of_process();
    let tables = Tables { events: Some(env.text("EVENTS_TABLE")), ..Tables::default() };
    let bucket = env.text("BLOB_BUCKET");
    env.check()?;

    let aws = config();
    let (store, blobs) = (&DynamoStore::new(&aws, tables), &S3Blobs::new(&aws, bucket));
    wake(|created: ObjectCreated| async move { handle(store, blobs, &SystemClock, &created).await.map(|_| ()) }).await
}
