//! The workflow function: configuration, logs, ports, run.

use chartseal_http::{Environment, Error, telemetry, wake};
use chartseal_infra::aws::{DynamoStore, SfnWorkflow, SystemClock, Tables, config};
use chartseal_workflow::{Task, Tasks};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));
    let mut env = Environment::of_process();
    let tables =
        Tables { events: Some(env.text("EVENTS_TABLE")), work: Some(env.text("WORK_TABLE")), ..Tables::default() };
    env.check()?;

    let aws = config();
    // It only tells workflows, so it needs no workflow's name.
    let (store, workflow) = (&DynamoStore::new(&aws, tables), &SfnWorkflow::new(&aws, ""));
    let tasks = &Tasks { events: store, work: store, workflow, clock: &SystemClock };
    wake(|task: Task| async move { tasks.handle(&task).await }).await
}
