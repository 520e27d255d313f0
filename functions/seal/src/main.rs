//! The seal function: configuration, logs, ports, run.

use chartseal_http::{Environment, Error, telemetry, wake};
use chartseal_infra::aws::{DynamoStore, KmsLogKey, KmsLogSigner, S3LogFiles, SystemClock, Tables, config};
use chartseal_seal::{Sealer, Unsealed, Woken, log_of};
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
    let (origin, bucket, log_key) = (&env.text("ORIGIN"), env.text("LEDGER_BUCKET"), env.text("LOG_KEY"));
    env.check()?;

    let aws = config();
    let (store, files) = (&DynamoStore::new(&aws, tables), &S3LogFiles::new(&aws, bucket));
    let (key, signer) = (&KmsLogKey::new(&aws, &log_key), &KmsLogSigner::new(&aws, &log_key));
    let log = &OnceCell::new();
    wake(|woken: Woken| async move {
        let log = log.get_or_try_init(|| log_of(key, origin)).await?.clone();
        let sealer = Sealer { events: store, blocks: store, index: store, files, signer, clock: &SystemClock, log };
        sealer.wake(&woken).await.map_err(Unsealed::from)
    })
    .await
}
