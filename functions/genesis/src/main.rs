//! The genesis function: configuration, logs, ports, run.

use chartseal_genesis::{Answer, GenesisError, Request, Undelivered, Vault, deliver};
use chartseal_http::telemetry::note;
use chartseal_http::{Environment, Error, telemetry, wake};
use chartseal_infra::aws::{DynamoStore, KmsClockKey, KmsLogKey, KmsSearchKeys, SystemClock, Tables, config};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));
    let mut env = Environment::of_process();
    let (origin, operator_keys) = (env.text("ORIGIN"), env.text("OPERATOR_KEYS"));
    let tables = Tables { events: Some(env.text("EVENTS_TABLE")), ..Tables::default() };
    let (search_keys, search_key) = (env.text("SEARCH_KEYS_TABLE"), env.text("SEARCH_KEY"));
    let (log_key, clock_key) = (env.text("LOG_KEY"), env.text("CLOCK_KEY"));
    let complete = &env.check();

    let aws = config();
    let vault = &Vault {
        events: DynamoStore::new(&aws, tables),
        search_keys: KmsSearchKeys::new(&aws, search_key, search_keys, &origin),
        log_key: KmsLogKey::new(&aws, log_key),
        clock_key: KmsClockKey::new(&aws, clock_key),
        clock: SystemClock,
        origin,
        operator_keys,
    };
    wake(|request: Request| async move {
        // CloudFormation waits for an answer, also when the function cannot work.
        let done = match complete {
            Ok(()) => vault.handle(&request).await,
            Err(error) => Err(GenesisError::from(error.clone())),
        };
        if let Err(error) = &done {
            note::failed(None, error);
        }
        let answer = Answer::new(&request, done);
        deliver(&request, &answer).await?;
        Ok::<_, Undelivered>(answer)
    })
    .await
}
