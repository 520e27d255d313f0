//! The sweeper function: configuration, logs, ports, run.

use chartseal_http::{Environment, Error, telemetry, wake};
use chartseal_infra::aws::{DynamoStore, S3Blobs, SfnWorkflow, SystemClock, Tables, config};
use chartseal_reactions::React;
use chartseal_sweeper::{Scheduled, Sweep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));
    let mut env = Environment::of_process();
    let tables = Tables {
        events: Some(env.text("EVENTS_TABLE")),
        private: Some(env.text("PRIVATE_TABLE")),
        index: Some(env.text("INDEX_TABLE")),
        work: Some(env.text("WORK_TABLE")),
        ..Tables::default()
    };
    let (bucket, workflow) = (env.text("BLOB_BUCKET"), env.text("APPROVAL_WORKFLOW"));
    env.check()?;

    let aws = config();
    let (store, workflow) = (&DynamoStore::new(&aws, tables), &SfnWorkflow::new(&aws, workflow));
    let react = React { events: store, index: store, work: store, workflow };
    let sweep = &Sweep { react, blobs: &S3Blobs::new(&aws, bucket), clock: &SystemClock };
    wake(|_: Scheduled| async move { sweep.run().await.map(|_| ()) }).await
}
