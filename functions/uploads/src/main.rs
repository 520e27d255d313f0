//! Wires the function of uploads in parts.

use chartseal_http::{Environment, Error, serve, telemetry};
use chartseal_infra::aws::{self, DynamoStore, S3Blobs, SystemClock, Tables};
use chartseal_uploads::Uploads;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));

    let mut env = Environment::of_process();
    let origin = env.text("ORIGIN");
    let tables = Tables { events: Some(env.text("EVENTS_TABLE")), ..Tables::default() };
    let bucket = env.text("BLOB_BUCKET");
    env.check()?;

    let config = aws::config();
    let (events, blobs) = (DynamoStore::new(&config, tables), S3Blobs::new(&config, bucket));
    serve(Uploads { origin, events, blobs, clock: SystemClock }).await
}
