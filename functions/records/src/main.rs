//! Wires the function of records.

use chartseal_events::limits::MAX_UPLOAD_WINDOW_MS;
use chartseal_http::{Environment, Error, serve, telemetry};
use chartseal_infra::aws::{self, DynamoStore, KmsDataKeys, S3Blobs, SystemClock, Tables};
use chartseal_records::Records;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));

    let mut env = Environment::of_process();
    let origin = env.text("ORIGIN");
    let tables = Tables {
        events: Some(env.text("EVENTS_TABLE")),
        private: Some(env.text("PRIVATE_TABLE")),
        keys: Some(env.text("KEYS_TABLE")),
        index: Some(env.text("INDEX_TABLE")),
        ..Tables::default()
    };
    let (bucket, record_key) = (env.text("BLOB_BUCKET"), env.text("RECORD_KEY"));
    let upload_expiry_ms = env.number("UPLOAD_EXPIRY_SECONDS", 1..=MAX_UPLOAD_WINDOW_MS / 1000) * 1000;
    env.check()?;

    let config = aws::config();
    let store = DynamoStore::new(&config, tables);
    let blobs = S3Blobs::new(&config, bucket);
    let data_keys = KmsDataKeys::new(&config, record_key);
    serve(Records { origin, upload_expiry_ms, store, blobs, data_keys, clock: SystemClock }).await
}
