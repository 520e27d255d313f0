//! The commit function: configuration, logs, ports, run.

use chartseal_commit::{ObjectCreated, handle};
use chartseal_http::{Environment, telemetry};
use chartseal_infra::aws::{DynamoStore, S3Blobs, SystemClock, Tables, config};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let mut env = Environment::of_process();
    let tables = Tables { events: Some(env.text("EVENTS_TABLE")), ..Tables::default() };
    let bucket = env.text("BLOB_BUCKET");
    env.check()?;

    let aws = config();
    let (store, blobs) = (&DynamoStore::new(&aws, tables), &S3Blobs::new(&aws, bucket));
    run(service_fn(|event: LambdaEvent<ObjectCreated>| async move {
        handle(store, blobs, &SystemClock, &event.payload).await.map(|_| ()).map_err(Error::from)
    }))
    .await
}
