//! The cosign function: configuration, logs, ports, run.

use chartseal_cosign::{Cosigning, Https, Woken};
use chartseal_http::telemetry::note;
use chartseal_http::{Environment, Error, telemetry, wake};
use chartseal_infra::aws::{DynamoStore, S3LogFiles, Tables, config};
use chartseal_infra::telemetry::fields;
use chartseal_infra::witnesses::Witnesses;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));
    let mut env = Environment::of_process();
    let tables =
        Tables { blocks: Some(env.text("BLOCKS_TABLE")), sealed: Some(env.text("SEALED_TABLE")), ..Tables::default() };
    let (origin, bucket) = (&env.text("ORIGIN"), env.text("LEDGER_BUCKET"));
    let witnesses: &Witnesses = &env.read("WITNESSES");
    // Without witnesses there is nothing to do, and any quorum does.
    let most = u64::try_from(witnesses.all().len()).unwrap_or(u64::MAX);
    let quorum = env.number("WITNESS_QUORUM", 1..=if most == 0 { u64::MAX } else { most });
    let quorum = usize::try_from(quorum).unwrap_or(usize::MAX);
    env.check()?;

    let aws = config();
    let (store, files, net) = (&DynamoStore::new(&aws, tables), &S3LogFiles::new(&aws, bucket), &Https::default());
    wake(|woken: Woken| async move {
        note::set(&fields::OPERATION, woken.operation());
        let cosigning = Cosigning { blocks: store, index: store, files, net, origin, witnesses, quorum };
        cosigning.run().await.map(|_| ())
    })
    .await
}
