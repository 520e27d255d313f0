//! The consumer function: configuration, logs, ports, run.

use chartseal_consumer::{Batch, handle};
use chartseal_http::{Environment, telemetry};
use chartseal_infra::aws::{DynamoStore, SfnWorkflow, Tables, config};
use chartseal_reactions::React;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start();
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
    run(service_fn(|event: LambdaEvent<Batch>| async move { Ok::<_, Error>(handle(react, &event.payload).await) }))
        .await
}
