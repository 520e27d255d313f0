//! A whole vault in one process: the functions' own handlers on the real adapters, with a [`Recorder`] before the emulator.
//!
//! One operation runs at a time, so whatever is recorded meanwhile is the operation's own. The clock stands still but where the story moves it, ids follow from
//! counters, and everything random has a fixed length: so the same story asks the same of AWS.

use std::cell::RefCell;
use std::future::Future;

use aws_sdk_dynamodb::types::AttributeValue;
use chartseal_commit::ObjectCreated;
use chartseal_consumer::{Batch, BatchAnswer};
use chartseal_decide::Decide;
use chartseal_download::Download;
use chartseal_events::{EventRef, Hash, Id, StreamId};
use chartseal_genesis::{Request, Vault as Genesis};
use chartseal_healthz::Healthz;
use chartseal_http::testing::{ORIGIN, Stage, call, document};
use chartseal_http::{Incoming, Service};
use chartseal_infra::aws::{
    DynamoStore, KmsClockKey, KmsDataKeyOpener, KmsDataKeys, KmsLogKey, KmsLogSigner, KmsSearchKeys, S3Blobs,
    S3LogFiles, SfnWorkflow, SystemClock,
};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::EventStore as _;
use chartseal_issue_key::IssueKey;
use chartseal_ledger_api::{Ledger, LogClock};
use chartseal_reactions::{React, Settled};
use chartseal_records::Records;
use chartseal_register::Register;
use chartseal_request::Requests;
use chartseal_seal::{LogKeys, Sealer};
use chartseal_search::Search;
use chartseal_sweeper::{Report, Sweep};
use chartseal_tokens::Tokens;
use chartseal_uploads::Uploads;
use chartseal_workflow::{Task, Tasks};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::call::{Call, Service as Aws};
use crate::emulator::{self, Ground, TOKENS, s3};
use crate::figures::Figures;
use crate::recorder::{Recorder, consumed_units};

/// When the stories begin: 2026-11-23T06:30:32.107Z. Within an hour, and of a time whose last digits are not zeros, which DynamoDB stores shorter.
const BEGINNING_MS: u64 = 1_795_415_432_107;
/// How long uploads and requests are waited for, and how long grants last.
pub const DEADLINE_S: u64 = 600;
/// Terms that a provider may have evaluated in a minute: more than any story asks for.
const TOKENS_PER_MINUTE: u32 = 10_000;

/// The clock of every story: stands still until it is moved.
pub type Clock = MemoryVault;

/// What an operation asked of AWS, in a defined situation.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The operation.
    pub name: String,
    /// What it was about.
    pub situation: String,
    /// What it asked for.
    pub figures: Figures,
    /// The calls themselves.
    pub calls: Vec<Call>,
}

/// The vault.
pub struct Vault {
    /// Wallets' pens, and the clock.
    pub stage: Stage,
    /// What AWS is asked.
    pub recorder: Recorder,
    /// The tables.
    pub store: DynamoStore,
    /// The bucket.
    pub blobs: S3Blobs,
    /// Who may do in S3 what clients do by presigned calls.
    pub bucket: aws_sdk_s3::Client,
    /// What it stands on.
    pub ground: Ground,
    workflow: SfnWorkflow,
    config: aws_config::SdkConfig,
    tables: aws_sdk_dynamodb::Client,
    measured: RefCell<Vec<Measured>>,
    history: RefCell<Vec<Call>>,
}

impl Vault {
    /// One that has not begun.
    pub async fn new() -> Self {
        let plain = emulator::config();
        let recorder = Recorder::new();
        let config = plain.to_builder().http_client(recorder.clone()).build();
        let ground = Ground::make(&plain, &config).await;
        let stage = Stage::new().await;
        stage.vault.set_now(BEGINNING_MS);
        Self {
            store: DynamoStore::new(&config, ground.tables()),
            blobs: S3Blobs::new(&config, &ground.name),
            workflow: SfnWorkflow::new(&config, &ground.workflow),
            bucket: s3(&plain),
            tables: aws_sdk_dynamodb::Client::new(&plain),
            measured: RefCell::default(),
            history: RefCell::default(),
            stage,
            recorder,
            config,
            ground,
        }
    }

    /// Everything that was measured.
    pub fn into_measured(self) -> Vec<Measured> {
        self.measured.into_inner()
    }

    /// Every call there was, in order.
    pub fn history(&self) -> Vec<Call> {
        self.history.borrow_mut().extend(self.recorder.take());
        self.history.borrow().clone()
    }

    /// Does something, and keeps what it asked of AWS. `work` gives its result and the bytes of its answer.
    pub async fn measure<T>(&self, name: &str, situation: &str, work: impl Future<Output = (T, usize)>) -> T {
        self.history.borrow_mut().extend(self.recorder.take());
        let (value, answer_bytes) = Box::pin(work).await;
        let calls = self.recorder.take();
        let figures = Figures::of(&calls, answer_bytes);
        self.history.borrow_mut().extend(calls.iter().cloned());
        let (name, situation) = (name.to_owned(), situation.to_owned());
        self.measured.borrow_mut().push(Measured { name, situation, figures, calls });
        value
    }

    /// Sends a call to a function, and reads the answer's document.
    pub async fn send<S: Service, T: DeserializeOwned>(&self, function: &S, incoming: &Incoming, status: u16) -> T {
        document(&Box::pin(call(function, incoming)).await, status)
    }

    /// The same, measured.
    pub async fn measure_call<S: Service, T: DeserializeOwned>(
        &self,
        (name, situation): (&str, &str),
        function: &S,
        incoming: &Incoming,
        status: u16,
    ) -> T {
        let work = async {
            let answer = call(function, incoming).await;
            let bytes = answer.json.len();
            (document(&answer, status), bytes)
        };
        self.measure(name, situation, work).await
    }

    /// The clock.
    pub fn clock(&self) -> Clock {
        self.stage.vault.clone()
    }

    /// The head of a stream.
    pub async fn head(&self, stream: StreamId) -> Hash {
        self.store.load(&stream).await.expect("the stream").last().expect("it has begun").leaf
    }

    /// A batch of the consumer.
    pub async fn consume(&self, places: &[EventRef]) {
        let records: Vec<Value> = places
            .iter()
            .zip(100u64..)
            .map(|(place, number)| {
                let keys = json!({"stream": {"S": place.stream.to_string()}, "seq": {"N": place.seq.to_string()}});
                json!({"eventName": "INSERT", "dynamodb": {"Keys": keys, "SequenceNumber": number.to_string()}})
            })
            .collect();
        let batch: Batch = serde_json::from_value(json!({"Records": records})).expect("a batch");
        let answer = Box::pin(chartseal_consumer::handle(&self.react(), &batch)).await;
        assert_eq!(answer, BatchAnswer::default());
    }

    /// The consumer is woken by one event of a type.
    pub async fn measure_consumed(&self, place: EventRef) {
        let stored = self.store.fetch(&[place]).await.expect("the event").remove(0).expect("the event");
        let typ = stored.open().expect("an event").outcome.typ();
        let name = format!("consumer {typ}");
        self.measure(&name, "one event in the batch", async { (self.consume(&[place]).await, 0) }).await;
    }

    /// S3 says that an object arrived.
    pub async fn object_created(&self, key: &str) -> Option<Settled> {
        let created: ObjectCreated =
            serde_json::from_value(json!({"detail": {"object": {"key": key}}})).expect("an event");
        chartseal_commit::handle(&self.store, &self.blobs, &self.clock(), &created).await.expect("settled")
    }

    /// The workflow runs a task.
    pub async fn task(&self, task: Value) -> Value {
        let task: Task = serde_json::from_value(task).expect("a task");
        let (store, workflow, clock) = (&self.store, &self.workflow, &self.clock());
        Tasks { events: store, work: store, workflow, clock }.handle(&task).await.expect("the task is done")
    }

    /// The task token that the workflow of a request waits with.
    pub async fn task_token(&self, request: Id) -> String {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while std::time::Instant::now() < deadline {
            let call = self.tables.get_item().table_name(self.ground.table(TOKENS.name)).consistent_read(true);
            let call = call.key("request", AttributeValue::S(request.to_string()));
            if let Some(item) = call.send().await.expect("the emulator answers").item {
                return item["value"].as_s().expect("text").clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("the workflow of {request} does not wait");
    }

    /// A run of the sweeper.
    pub async fn sweep(&self) -> Report {
        let sweep = Sweep { react: self.react(), blobs: &self.blobs, clock: &self.clock() };
        Box::pin(sweep.run()).await.expect("nothing fails")
    }

    /// The sealer is told of these events. Its clock is the machine's: it is compared with the service's.
    pub async fn seal(&self, hints: impl IntoIterator<Item = EventRef>) -> chartseal_seal::Report {
        let log_key = KmsLogKey::new(&self.config, &self.ground.log_key);
        let LogKeys { log, clock_key } = LogKeys::read(&log_key, &self.clock_key(), ORIGIN).await.expect("keys");
        // The function asks for them once, when it starts.
        self.history.borrow_mut().extend(self.recorder.take());
        let sealer = Sealer {
            events: &self.store,
            blocks: &self.store,
            index: &self.store,
            files: &self.log_files(),
            signer: &KmsLogSigner::new(&self.config, &self.ground.log_key),
            clock: &SystemClock,
            log,
            clock_key,
        };
        Box::pin(sealer.run(hints)).await.expect("sealed")
    }

    fn clock_key(&self) -> KmsClockKey {
        KmsClockKey::new(&self.config, &self.ground.clock_key)
    }

    /// The log's files.
    pub fn log_files(&self) -> S3LogFiles {
        S3LogFiles::new(&self.config, &self.ground.name)
    }

    /// The deployment's event.
    pub async fn genesis(&self) -> Hash {
        let vault = Genesis {
            events: self.store.clone(),
            search_keys: self.search_keys(),
            log_key: KmsLogKey::new(&self.config, &self.ground.log_key),
            clock_key: self.clock_key(),
            clock: self.clock(),
            origin: ORIGIN.to_owned(),
            operator_keys: self.stage.operator.sign_key().to_string(),
        };
        let request: Request = serde_json::from_value(json!({"RequestType": "Create"})).expect("a request");
        vault.handle(&request).await.expect("the vault begins").expect("its leaf hash")
    }

    fn react(&self) -> React<'_, DynamoStore, DynamoStore, DynamoStore, SfnWorkflow> {
        React { events: &self.store, index: &self.store, work: &self.store, workflow: &self.workflow }
    }

    fn search_keys(&self) -> KmsSearchKeys {
        KmsSearchKeys::new(&self.config, &self.ground.search_key, self.ground.table("search-keys"), ORIGIN)
    }
}

/// What `ledger-api` wires.
pub type ShownLedger =
    Ledger<DynamoStore, DynamoStore, S3LogFiles, DynamoStore, Clock, LogClock<KmsClockKey, SystemClock>>;

/// The functions, as their `main.rs` wire them.
impl Vault {
    /// `healthz`
    pub fn healthz(&self) -> Healthz<DynamoStore, Clock> {
        Healthz { origin: ORIGIN.to_owned(), events: self.store.clone(), clock: self.clock() }
    }

    /// `ledger-api`, just started, with these witnesses.
    pub fn ledger(&self, witnesses: &str) -> ShownLedger {
        Ledger {
            origin: ORIGIN.to_owned(),
            blocks: self.store.clone(),
            index: self.store.clone(),
            files: self.log_files(),
            events: self.store.clone(),
            clock: self.clock(),
            timekeeper: LogClock::new(ORIGIN.to_owned(), self.clock_key(), SystemClock),
            witnesses: witnesses.parse().expect("witnesses"),
        }
    }

    /// `register`
    pub fn register(&self) -> Register<DynamoStore, Clock> {
        Register { origin: ORIGIN.to_owned(), events: self.store.clone(), clock: self.clock() }
    }

    /// `records`
    pub fn records(&self) -> Records<DynamoStore, S3Blobs, KmsDataKeys, Clock> {
        Records {
            origin: ORIGIN.to_owned(),
            upload_expiry_ms: DEADLINE_S * 1000,
            store: self.store.clone(),
            blobs: self.blobs.clone(),
            data_keys: KmsDataKeys::new(&self.config, &self.ground.record_key),
            clock: self.clock(),
        }
    }

    /// `uploads`
    pub fn uploads(&self) -> Uploads<DynamoStore, S3Blobs, Clock> {
        let (events, blobs) = (self.store.clone(), self.blobs.clone());
        Uploads { origin: ORIGIN.to_owned(), events, blobs, clock: self.clock() }
    }

    /// `issue-key`
    pub fn issue_key(&self) -> IssueKey<DynamoStore, KmsDataKeyOpener, Clock> {
        let opener = KmsDataKeyOpener::new(&self.config, &self.ground.record_key);
        IssueKey { origin: ORIGIN.to_owned(), store: self.store.clone(), opener, clock: self.clock() }
    }

    /// `tokens`, just started.
    pub fn tokens(&self) -> Tokens<DynamoStore, DynamoStore, KmsSearchKeys, Clock> {
        let (events, work) = (self.store.clone(), self.store.clone());
        Tokens::new(ORIGIN.to_owned(), events, work, self.search_keys(), self.clock(), TOKENS_PER_MINUTE)
    }

    /// `search`
    pub fn search(&self) -> Search<DynamoStore, DynamoStore, Clock> {
        let (events, index) = (self.store.clone(), self.store.clone());
        Search { origin: ORIGIN.to_owned(), events, index, clock: self.clock() }
    }

    /// `request`
    pub fn requests(&self) -> Requests<DynamoStore, DynamoStore, Clock> {
        let (events, index) = (self.store.clone(), self.store.clone());
        Requests { origin: ORIGIN.to_owned(), events, index, clock: self.clock(), decision_seconds: DEADLINE_S }
    }

    /// `decide`
    pub fn decide(&self) -> Decide<DynamoStore, Clock> {
        Decide { origin: ORIGIN.to_owned(), events: self.store.clone(), clock: self.clock() }
    }

    /// `download`
    pub fn download(&self) -> Download<DynamoStore, DynamoStore, S3Blobs, Clock> {
        let (events, keys, blobs) = (self.store.clone(), self.store.clone(), self.blobs.clone());
        Download { origin: ORIGIN.to_owned(), events, keys, blobs, clock: self.clock() }
    }
}

/// Where the emulator says another number of write units than the rules: the operation, the call, its number and ours.
pub fn disputed(measured: &[Measured]) -> Vec<String> {
    let mut disputed = Vec::new();
    for row in measured {
        for call in row.calls.iter().filter(|call| call.service == Aws::DynamoDb && call.units.write > 0.0) {
            let theirs = call.consumed.as_ref().and_then(consumed_units);
            if call.status == 200 && theirs != Some(call.units.write) {
                let ours = call.units.write;
                disputed.push(format!(
                    "{}: {}: the emulator says {theirs:?} write units, the rules {ours}",
                    row.name, call.action
                ));
            }
        }
    }
    disputed
}
