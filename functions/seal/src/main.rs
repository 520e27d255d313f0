//! The seal function: configuration, logs, ports, run.

use chartseal_http::{Environment, Error, telemetry, wake};
use chartseal_infra::aws::{
    DynamoStore, KmsClockKey, KmsLogKey, KmsLogSigner, S3LogFiles, SystemClock, Tables, config,
};
use chartseal_seal::{LogKeys, Sealer, Unsealed, Woken};
use tokio::sync::OnceCell;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));
    let mut env = Environment::of_process();
    let tables = Tables {
        events: Some(env.text("EVENTS_TABLE")),
        blocks: Some(env.text("BLOCKS_TABLE")),
        sealed: Some(env.text("SEALED_TABLE")),
        ..Tables::default()
    };
    let (origin, bucket) = (&env.text("ORIGIN"), env.text("LEDGER_BUCKET"));
    let (log_key, clock_key) = (env.text("LOG_KEY"), env.text("CLOCK_KEY"));
    env.check()?;

    let aws = config();
    let (store, files) = (&DynamoStore::new(&aws, tables), &S3LogFiles::new(&aws, bucket));
    let (log_key, signer) = (&KmsLogKey::new(&aws, &log_key), &KmsLogSigner::new(&aws, &log_key));
    let (clock_key, keys) = (&KmsClockKey::new(&aws, clock_key), &OnceCell::new());
    wake(|woken: Woken| async move {
        let keys = keys.get_or_try_init(|| LogKeys::read(log_key, clock_key, origin)).await?;
        let LogKeys { log, clock_key } = keys.clone();
        let clock = &SystemClock;
        let sealer = Sealer { events: store, blocks: store, index: store, files, signer, clock, log, clock_key };
        sealer.wake(&woken).await.map_err(Unsealed::from)
    })
    .await
}
