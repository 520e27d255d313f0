//! Every function of the stack, in this process, on whatever has all ports. In scope: finding the function that a call is for, and what wakes the
//! others. Out of scope: Lambda, API Gateway, and everything else between a client and a function.

use chartseal_commit::ObjectCreated;
use chartseal_consumer::BatchAnswer;
use chartseal_decide::Decide;
use chartseal_download::Download;
use chartseal_events::{EventRef, Hash};
use chartseal_genesis::{GenesisError, Vault};
use chartseal_healthz::Healthz;
use chartseal_http::testing::call;
use chartseal_http::{Answer, Failure, Incoming, Service};
use chartseal_infra::ports::{
    Blobs, Clock, ClockKey, DataKeyOpener, DataKeys, EventStore, Index, KeyTable, LogKey, SearchKeyVault, WorkList,
    Workflow,
};
use chartseal_issue_key::IssueKey;
use chartseal_reactions::{React, Settled};
use chartseal_records::Records;
use chartseal_register::Register;
use chartseal_request::Requests;
use chartseal_search::Search;
use chartseal_sweeper::{Report, Sweep, SweepFailed};
use chartseal_tokens::Tokens;
use chartseal_uploads::Uploads;
use chartseal_workflow::{Task, Tasks};
use serde_json::{Value, json};

use crate::cast::{ORIGIN, operator_keys};
use crate::logs;

tokio::task_local! {
    static DOING: String;
}

/// Which operation or reaction is being done now: whose a call is.
pub fn doing() -> String {
    DOING.try_with(Clone::clone).unwrap_or_default()
}

/// Runs a function once, under this name.
async fn invocation<T>(name: &str, work: impl Future<Output = T> + Send) -> T {
    DOING.scope(name.to_owned(), logs::invocation(work)).await
}

/// What the sweeper's runs are called.
pub const SWEEPER: &str = "(sweeper)";
/// How long an announced body is waited for.
pub const UPLOAD_MS: u64 = 3_600_000;
/// How long a request waits for a decision.
pub const DECISION_S: u64 = 7_200;

/// Every port at once.
pub trait Ports:
    EventStore
    + KeyTable
    + Index
    + WorkList
    + Blobs
    + DataKeys
    + DataKeyOpener
    + SearchKeyVault
    + LogKey
    + ClockKey
    + Workflow
    + Clock
    + Clone
    + 'static
{
}

impl<P> Ports for P where
    P: EventStore
        + KeyTable
        + Index
        + WorkList
        + Blobs
        + DataKeys
        + DataKeyOpener
        + SearchKeyVault
        + LogKey
        + ClockKey
        + Workflow
        + Clock
        + Clone
        + 'static
{
}

/// All functions, just started.
pub struct Functions<P>(pub P);

impl<P: Ports> Functions<P> {
    /// Sends a call to the function that has this operation (`POST /records`).
    pub async fn answer(&self, operation: &str, incoming: &Incoming) -> Answer {
        let port = || self.0.clone();
        let origin = || ORIGIN.to_owned();
        let answers = [
            of(&Healthz { origin: origin(), events: port(), clock: port() }, operation, incoming).await,
            of(&Register { origin: origin(), events: port(), clock: port() }, operation, incoming).await,
            of(&self.records(), operation, incoming).await,
            of(&Uploads { origin: origin(), events: port(), blobs: port(), clock: port() }, operation, incoming).await,
            of(&IssueKey { origin: origin(), store: port(), opener: port(), clock: port() }, operation, incoming).await,
            of(&Tokens::new(origin(), port(), port(), port(), port(), 10_000), operation, incoming).await,
            of(&Search { origin: origin(), events: port(), index: port(), clock: port() }, operation, incoming).await,
            of(&self.requests(), operation, incoming).await,
            of(&Decide { origin: origin(), events: port(), clock: port() }, operation, incoming).await,
            of(&self.download(), operation, incoming).await,
        ];
        answers.into_iter().flatten().next().unwrap_or_else(|| panic!("no function has {operation}"))
    }

    fn records(&self) -> Records<P, P, P, P> {
        let port = || self.0.clone();
        Records {
            origin: ORIGIN.to_owned(),
            upload_expiry_ms: UPLOAD_MS,
            store: port(),
            blobs: port(),
            data_keys: port(),
            clock: port(),
        }
    }

    fn requests(&self) -> Requests<P, P, P> {
        let port = || self.0.clone();
        Requests {
            origin: ORIGIN.to_owned(),
            events: port(),
            index: port(),
            clock: port(),
            decision_seconds: DECISION_S,
        }
    }

    fn download(&self) -> Download<P, P, P, P> {
        let port = || self.0.clone();
        Download { origin: ORIGIN.to_owned(), events: port(), keys: port(), blobs: port(), clock: port() }
    }

    fn react(&self) -> React<'_, P, P, P, P> {
        React { events: &self.0, index: &self.0, work: &self.0, workflow: &self.0 }
    }

    /// The stack is created.
    pub async fn genesis(&self) -> Result<Option<Hash>, GenesisError> {
        let port = || self.0.clone();
        let vault = Vault {
            events: port(),
            search_keys: port(),
            log_key: port(),
            clock_key: port(),
            clock: port(),
            origin: ORIGIN.to_owned(),
            operator_keys: operator_keys(),
        };
        let request = serde_json::from_value(json!({"RequestType": "Create"})).expect("a request");
        invocation("(genesis)", vault.handle(&request)).await
    }

    /// The table's stream delivers these places.
    pub async fn consume(&self, places: &[EventRef]) -> BatchAnswer {
        let record = |(place, number): (&EventRef, usize)| {
            let keys = json!({"stream": {"S": place.stream.to_string()}, "seq": {"N": place.seq.to_string()}});
            json!({"dynamodb": {"Keys": keys, "SequenceNumber": number.to_string()}})
        };
        let records: Vec<Value> = places.iter().zip(0..).map(record).collect();
        let batch = serde_json::from_value(json!({"Records": records})).expect("a batch");
        invocation("(consumer)", chartseal_consumer::handle(&self.react(), &batch)).await
    }

    /// S3 says that an object arrived.
    pub async fn commit(&self, key: &str) -> Result<Option<Settled>, Failure> {
        let created: ObjectCreated =
            serde_json::from_value(json!({"detail": {"object": {"key": key}}})).expect("an event");
        invocation("(commit)", chartseal_commit::handle(&self.0, &self.0, &self.0, &created)).await
    }

    /// The workflow runs a task.
    pub async fn task(&self, task: Value) -> Result<Value, Failure> {
        let name = format!("(workflow {})", task["task"].as_str().unwrap_or_default());
        let task: Task = serde_json::from_value(task).expect("a task");
        let tasks = Tasks { events: &self.0, work: &self.0, workflow: &self.0, clock: &self.0 };
        invocation(&name, tasks.handle(&task)).await
    }

    /// A minute is over.
    pub async fn sweep(&self) -> Result<Report, SweepFailed> {
        invocation(SWEEPER, Sweep { react: self.react(), blobs: &self.0, clock: &self.0 }.run()).await
    }
}

/// The answer of a function, if the operation is one of its own.
async fn of<S: Service>(service: &S, operation: &str, incoming: &Incoming) -> Option<Answer> {
    let has = |method: &str, pattern: &str| operation.split_once(' ') == Some((method, pattern));
    if S::ROUTES.iter().any(|route| has(route.method, route.pattern)) {
        Some(invocation(operation, call(service, incoming)).await)
    } else {
        None
    }
}
