//! What an append costs: its calls to DynamoDB, and its time beside the same raw calls, on one emulator, in turns.
//!
//! One line of JSON for each figure: `{"name", "value", "unit", "limit", "ratio"}`. The emulator is the shared stack's
//! (`CHARTSEAL_STACK_FILE`), or what `CHARTSEAL_STACK` and `AWS_ENDPOINT_URL` say (docs/TESTING.md).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Credentials, Intercept, RuntimeComponents, SharedCredentialsProvider};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use chartseal_events::command::{Claims, OperatorAdd};
use chartseal_events::event::Genesis;
use chartseal_events::private::PrivatePart;
use chartseal_events::{Action, Bytes, Command, Id, Kid, Observation, StreamId, Thumbprint};
use chartseal_infra::aws::{DynamoStore, SystemClock, Tables, config_for};
use chartseal_infra::ports::Clock as _;
use chartseal_infra::road::{Luggage, observe, take};
use chartseal_local::Place;
use ed25519_dalek::SigningKey;
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

/// Runs of each kind that are measured.
const RUNS: usize = 300;
/// Runs before, so that connections and caches are warm on both sides.
const WARM_UP: usize = 30;
/// Events in a stream before a new one is taken: as many as a busy request has, so that folding counts as in life.
const STREAM_EVENTS: usize = 8;
const TIME_LIMIT: f64 = 1.2;
const ORIGIN: &str = "bench.example";

/// Counts the calls that leave the client, repetitions included.
#[derive(Debug, Default)]
struct Calls {
    queries: AtomicU32,
    writes: AtomicU32,
    others: AtomicU32,
}

#[derive(Debug, Clone)]
struct Counter(Arc<Calls>);

impl Intercept for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target").unwrap_or_default();
        let count = match target.rsplit('.').next() {
            Some("Query") => &self.0.queries,
            Some("PutItem" | "TransactWriteItems") => &self.0.writes,
            _ => &self.0.others,
        };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// The events table as `template.yaml` makes it.
async fn create_table(client: &Client, name: &str) -> Result<(), Failure> {
    use ScalarAttributeType::{N, S};
    let key = |names: [&str; 2]| {
        let kinds = [KeyType::Hash, KeyType::Range];
        let elements = names
            .into_iter()
            .zip(kinds)
            .map(|(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build());
        elements.collect::<Result<Vec<_>, _>>()
    };
    let attributes = [("stream", S), ("seq", N), ("hour", S), ("moment", S)]
        .into_iter()
        .map(|(name, kind)| AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build());
    let projection = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
    let index = GlobalSecondaryIndex::builder().index_name("by_time").set_key_schema(Some(key(["hour", "moment"])?));
    let call = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let call = call.set_attribute_definitions(Some(attributes.collect::<Result<_, _>>()?));
    let call = call.set_key_schema(Some(key(["stream", "seq"])?));
    call.global_secondary_indexes(index.projection(projection).build()?).send().await?;
    Ok(())
}

fn public(key: &SigningKey) -> Bytes<32> {
    Bytes(key.verifying_key().to_bytes())
}

/// The next command for the vault's stream: one more operator.
fn command(operator: &SigningKey, number: usize) -> Result<Command, Failure> {
    let number = u8::try_from(number)?;
    let added = public(&SigningKey::from_bytes(&[10 + number; 32]));
    let action = Action::OperatorAdd(OperatorAdd { sign_key: added });
    let now_ms = SystemClock.now_ms();
    let jti = Id::from_parts(now_ms, [number; 10]);
    let claims = Claims { aud: ORIGIN.to_owned(), iat: now_ms / 1000, jti, act: None };
    Ok(Command::sign(Kid::Key(Thumbprint::of(&public(operator))), claims, action, &PrivatePart::new(), operator))
}

/// The two calls an append cannot do without, bare: the same query, and a put of an item of the same shape and size.
async fn raw(client: &Client, table: &str, seq: usize, body: &str) -> Result<(), Failure> {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let query = client.query().table_name(table).consistent_read(true);
    let query = query.key_condition_expression("#stream = :stream").expression_attribute_names("#stream", "stream");
    let query = query.expression_attribute_values(":stream", text("vault")).projection_expression("seq, body");
    let page = query.send().await?;
    if page.items().len() != seq {
        return Err(format!("the raw stream holds {} events, not {seq}", page.items().len()).into());
    }
    let put = client.put_item().table_name(table).item("stream", text("vault"));
    let put = put.item("seq", AttributeValue::N(seq.to_string())).item("body", AttributeValue::B(Blob::new(body)));
    let put = put.item("at", AttributeValue::N("1795392000000".to_owned())).item("hour", text("2026-11-23T00#0"));
    let put = put.item("moment", text(&format!("1795392000000#vault#{seq}")));
    let put = put.condition_expression("attribute_not_exists(#stream)").expression_attribute_names("#stream", "stream");
    put.send().await?;
    Ok(())
}

/// Two streams, one by the road and one raw, grown in turns. Milliseconds of each.
struct Sides {
    store: DynamoStore,
    calls: Arc<Calls>,
    client: Client,
    ours_ms: Vec<f64>,
    raw_ms: Vec<f64>,
}

impl Sides {
    async fn round(&mut self, config: &SdkConfig, name: &str) -> Result<(), Failure> {
        let (ours, theirs) = (format!("{name}-ours"), format!("{name}-raw"));
        create_table(&self.client, &ours).await?;
        create_table(&self.client, &theirs).await?;
        let counted = aws_sdk_dynamodb::config::Builder::from(config).interceptor(Counter(self.calls.clone())).build();
        // One client for all rounds, as a warm function has: only the table is another.
        let client = if self.ours_ms.is_empty() { Client::from_conf(counted) } else { self.store.client().clone() };
        self.store = DynamoStore::with_client(client, Tables { events: Some(ours), ..Tables::default() });
        let operator = SigningKey::from_bytes(&[3; 32]);
        let key = public(&operator);
        let genesis = Genesis {
            origin: ORIGIN.to_owned(),
            log_key: key,
            clock_key: public(&SigningKey::from_bytes(&[2; 32])),
            search_key: key,
            operators: vec![key],
            operator_threshold: 1,
        };
        let mut body = observe(&self.store, &SystemClock, &Observation::Deployed(genesis)).await?.event.body;
        raw(&self.client, &theirs, 0, &body).await?;
        for number in 0..STREAM_EVENTS {
            let command = command(&operator, number)?;
            // Who goes first changes, so that neither side always finds the emulator just disturbed by the other.
            if number.is_multiple_of(2) {
                body = self.ours(&command).await?;
                self.theirs(&theirs, number + 1, &body).await?;
            } else {
                self.theirs(&theirs, number + 1, &body).await?;
                body = self.ours(&command).await?;
            }
        }
        Ok(())
    }

    async fn ours(&mut self, command: &Command) -> Result<String, Failure> {
        let start = Instant::now();
        let taken = take(&self.store, &SystemClock, command, &Luggage::default()).await?;
        self.ours_ms.push(start.elapsed().as_secs_f64() * 1e3);
        Ok(taken.event.body)
    }

    async fn theirs(&mut self, table: &str, seq: usize, body: &str) -> Result<(), Failure> {
        let start = Instant::now();
        raw(&self.client, table, seq, body).await?;
        self.raw_ms.push(start.elapsed().as_secs_f64() * 1e3);
        Ok(())
    }
}

fn median(times: &[f64]) -> f64 {
    let mut times = times[WARM_UP..].to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn figure(name: &str, value: f64, unit: &str, limit: f64) {
    println!("{}", json!({"name": name, "value": value, "unit": unit, "limit": limit, "ratio": value / limit}));
}

/// What one append by the road calls, nothing else running.
async fn count_calls(sides: &mut Sides, operator: &SigningKey) -> Result<(u32, u32, u32), Failure> {
    let read =
        |calls: &Calls| [&calls.queries, &calls.writes, &calls.others].map(|count| count.load(Ordering::Relaxed));
    let before = read(&sides.calls);
    let command = command(operator, STREAM_EVENTS)?;
    take(&sides.store, &SystemClock, &command, &Luggage::default()).await?;
    let after = read(&sides.calls);
    Ok((after[0] - before[0], after[1] - before[1], after[2] - before[2]))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    // An emulator that is started here lives as long as this.
    let place = Place::find()?;
    let endpoint = place.endpoint();
    let (id, secret, token) = (&endpoint.access_key_id, &endpoint.secret_access_key, endpoint.session_token.clone());
    let credentials = SharedCredentialsProvider::new(Credentials::new(id, secret, token, None, "bench"));
    let config = config_for(Some(Region::new(endpoint.region.clone())), Some(endpoint.url.clone()), credentials);
    let client = Client::new(&config);
    let mut sides = Sides {
        store: DynamoStore::with_client(client.clone(), Tables::default()),
        calls: Arc::default(),
        client,
        ours_ms: Vec::new(),
        raw_ms: Vec::new(),
    };
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let mut round = 0;
    while sides.ours_ms.len() < RUNS + WARM_UP {
        sides.round(&config, &format!("bench-append-{nanos}-{round}")).await?;
        round += 1;
    }
    let (queries, writes, others) = count_calls(&mut sides, &SigningKey::from_bytes(&[3; 32])).await?;
    if others > 0 {
        return Err(format!("an append made {others} calls that are neither queries nor writes").into());
    }
    let (ours_ms, raw_ms) = (median(&sides.ours_ms), median(&sides.raw_ms));
    eprintln!(
        "median of {} appends at {}: {ours_ms:.2} ms, raw calls {raw_ms:.2} ms",
        sides.ours_ms.len() - WARM_UP,
        StreamId::Vault
    );
    figure("append_write_calls", f64::from(writes), "calls", 1.0);
    figure("append_query_calls", f64::from(queries), "calls", 1.0);
    figure("append_time_ratio", ours_ms / raw_ms, "ratio", TIME_LIMIT);
    Ok(())
}
