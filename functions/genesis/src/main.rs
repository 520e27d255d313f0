//! The genesis function: configuration, logs, ports, run.

use chartseal_genesis::{Answer, Request, Vault, deliver};
use chartseal_http::{Environment, telemetry};
use chartseal_infra::aws::{DynamoStore, KmsLogKey, KmsSearchKeys, SystemClock, Tables, config};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start();
    let mut env = Environment::of_process();
    let (origin, operator_keys) = (env.text("ORIGIN"), env.text("OPERATOR_KEYS"));
    let tables = Tables { events: Some(env.text("EVENTS_TABLE")), ..Tables::default() };
    let (search_keys, search_key, log_key) =
        (env.text("SEARCH_KEYS_TABLE"), env.text("SEARCH_KEY"), env.text("LOG_KEY"));
    let complete = &env.check();

    let aws = config();
    let vault = &Vault {
        events: DynamoStore::new(&aws, tables),
        search_keys: KmsSearchKeys::new(&aws, search_key, search_keys, &origin),
        log_key: KmsLogKey::new(&aws, log_key),
        clock: SystemClock,
        origin,
        operator_keys,
    };
    run(service_fn(|event: LambdaEvent<Request>| async move {
        // CloudFormation waits for an answer, also when the function cannot work.
        let done = match complete {
            Ok(()) => vault.handle(&event.payload).await,
            Err(error) => Err(error.clone().into()),
        };
        let answer = Answer::new(&event.payload, done);
        deliver(&event.payload, &answer).await?;
        Ok::<_, Error>(answer)
    }))
    .await
}
