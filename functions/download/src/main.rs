//! Wires the function that releases downloads to requesters.

use chartseal_download::Download;
use chartseal_http::{Environment, Error, serve, telemetry};
use chartseal_infra::aws::{self, DynamoStore, S3Blobs, SystemClock, Tables};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));

    let mut env = Environment::of_process();
    let origin = env.text("ORIGIN");
    let tables =
        Tables { events: Some(env.text("EVENTS_TABLE")), keys: Some(env.text("KEYS_TABLE")), ..Tables::default() };
    let bucket = env.text("BLOB_BUCKET");
    env.check()?;

    let aws = aws::config();
    let store = DynamoStore::new(&aws, tables);
    serve(Download {
        origin,
        events: store.clone(),
        keys: store,
        blobs: S3Blobs::new(&aws, bucket),
        clock: SystemClock,
    })
    .await
}
