//! The consumer function: configuration, logs, ports, run.

use std::convert::Infallible;

use chartseal_consumer::{Batch, handle};
use chartseal_http::{Environment, Error, telemetry, wake};
use chartseal_infra::aws::{DynamoStore, SfnWorkflow, Tables, config};
use chartseal_reactions::React;

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
    let workflow = env.text("APPROVAL_WORKFLOW");
    env.check()?;

    let aws = config();
    let (store, workflow) = (&DynamoStore::new(&aws, tables), &SfnWorkflow::new(&aws, workflow));
    let react = &React { events: store, index: store, work: store, workflow };
    wake(|batch: Batch| async move { Ok::<_, Infallible>(handle(react, &batch).await) }).await
}
