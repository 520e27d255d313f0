//! Wires the function that evaluates blinded terms.

use chartseal_http::{Environment, Error, serve, telemetry};
use chartseal_infra::aws::{self, DynamoStore, KmsSearchKeys, SystemClock, Tables};
use chartseal_tokens::Tokens;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));

    let mut env = Environment::of_process();
    let origin = env.text("ORIGIN");
    let tables =
        Tables { events: Some(env.text("EVENTS_TABLE")), work: Some(env.text("WORK_TABLE")), ..Tables::default() };
    let (search_keys, search_key) = (env.text("SEARCH_KEYS_TABLE"), env.text("SEARCH_KEY"));
    let tokens_per_minute = u32::try_from(env.number("TOKENS_PER_MINUTE", 1..=u64::from(u32::MAX)))?;
    env.check()?;

    let aws = aws::config();
    let store = DynamoStore::new(&aws, tables);
    let search_keys = KmsSearchKeys::new(&aws, search_key, search_keys, &origin);
    serve(Tokens::new(origin, store.clone(), store, search_keys, SystemClock, tokens_per_minute)).await
}
