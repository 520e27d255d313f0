//! The workflow function: configuration, logs, ports, run.

use chartseal_http::{Environment, telemetry};
use chartseal_infra::aws::{DynamoStore, SfnWorkflow, SystemClock, Tables, config};
use chartseal_workflow::{Task, Tasks};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let mut env = Environment::of_process();
    let tables =
        Tables { events: Some(env.text("EVENTS_TABLE")), work: Some(env.text("WORK_TABLE")), ..Tables::default() };
    env.check()?;

    let aws = config();
    // It only tells workflows, so it needs no workflow's name.
    let (store, workflow) = (&DynamoStore::new(&aws, tables), &SfnWorkflow::new(&aws, ""));
    let tasks = &Tasks { events: store, work: store, workflow, clock: &SystemClock };
    run(service_fn(|event: LambdaEvent<Task>| async move { tasks.handle(&event.payload).await.map_err(Error::from) }))
        .await
}
