//! The workers, and a look at everything they can change.

use chartseal_commit::ObjectCreated;
use chartseal_consumer::{Batch, BatchAnswer};
use chartseal_events::command::{AccessRequest, Announcement, RecordVersion, SUITE};
use chartseal_events::id::Kind;
use chartseal_events::limits::PART_BYTES;
use chartseal_events::purpose::Purpose;
use chartseal_events::{Bytes, EventRef, Facts, Hash, Id, StreamId};
use chartseal_http::testing::{Stage, Wallet};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{Due, Index as _, IndexEntry, IndexList, KeyItem, Part, WorkList as _};
use chartseal_reactions::{React, Settled};
use chartseal_sweeper::{Report, Sweep, SweepFailed};
use chartseal_workflow::{Task, Tasks};
use serde_json::{Value, json};

pub const MINUTE_MS: u64 = 60_000;
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
/// How long announced uploads and requests are waited for in these stories.
pub const DEADLINE_MS: u64 = HOUR_MS;

pub type Reactions<'a> = React<'a, MemoryVault, MemoryVault, MemoryVault, MemoryVault>;

pub fn react(vault: &MemoryVault) -> Reactions<'_> {
    React { events: vault, index: vault, work: vault, workflow: vault }
}

/// A batch of stream records that name these places.
pub fn batch(places: impl IntoIterator<Item = (String, u64)>) -> Batch {
    let records: Vec<Value> = places
        .into_iter()
        .zip(100u64..)
        .map(|((stream, seq), number)| {
            let keys = json!({"stream": {"S": stream}, "seq": {"N": seq.to_string()}});
            json!({"eventName": "INSERT", "dynamodb": {"Keys": keys, "SequenceNumber": number.to_string()}})
        })
        .collect();
    serde_json::from_value(json!({"Records": records})).expect("a batch")
}

/// The table's stream delivers every event there is to the consumer, once more.
pub async fn consume_everything(stage: &Stage) -> BatchAnswer {
    let places = stage.vault.events().into_iter().map(|event| (event.at.stream.to_string(), event.at.seq));
    chartseal_consumer::handle(&react(&stage.vault), &batch(places)).await
}

/// S3 says that an object arrived.
pub async fn object_created(stage: &Stage, key: &str) -> Option<Settled> {
    let created: ObjectCreated =
        serde_json::from_value(json!({"detail-type": "Object Created", "detail": {"object": {"key": key, "size": 1}}}))
            .expect("an event");
    chartseal_commit::handle(&stage.vault, &stage.vault, &stage.vault, &created).await.expect("settled")
}

/// The workflow runs a task.
pub async fn task(stage: &Stage, task: Value) -> Value {
    let vault = &stage.vault;
    let task: Task = serde_json::from_value(task).expect("a task");
    let tasks = Tasks { events: vault, work: vault, workflow: vault, clock: vault };
    tasks.handle(&task).await.expect("the task is done")
}

pub async fn try_sweep(stage: &Stage) -> Result<Report, SweepFailed> {
    Sweep { react: react(&stage.vault), blobs: &stage.vault, clock: &stage.vault }.run().await
}

pub async fn sweep(stage: &Stage) -> Report {
    try_sweep(stage).await.expect("nothing fails")
}

/// The sweeper runs every minute for this long.
pub async fn sweep_for(stage: &Stage, time_ms: u64) {
    for _ in 0..time_ms / MINUTE_MS {
        stage.vault.advance(MINUTE_MS);
        sweep(stage).await;
    }
}

/// A request as its requester's command makes it; nobody has reacted yet.
pub async fn ask(stage: &Stage, requester: &Wallet, record: Id) -> Id {
    let ask = AccessRequest { record, version: 1, purpose: Purpose::Treatment, grant_seconds: 7200 };
    let facts = Facts { expires_at_ms: Some(stage.now_ms() + DEADLINE_MS), ..Facts::default() };
    let taken = stage.taken_with(requester, ask, &[("justification", "a transfer")], facts, Vec::new()).await;
    match taken.event.at.stream {
        StreamId::Request(request) => request,
        other => panic!("a request begins its own stream, not {other}"),
    }
}

/// Announces some body for a version; gives its bytes and the announcement's `seq`.
pub async fn announce(stage: &Stage, owner: &Wallet, record: Id, version: u32, tokens: &str) -> (Vec<u8>, u64) {
    let body = vec![u8::try_from(version).expect("few versions"); 64];
    let seq = announce_of(stage, owner, (record, version), tokens, (64, Hash::of(&[&body]))).await;
    (body, seq)
}

/// Announces a body of two parts that nobody has to hold; gives the parts and the announcement's `seq`.
pub async fn announce_parts(stage: &Stage, owner: &Wallet, record: Id, tokens: &str) -> ([Part; 2], u64) {
    let parts = [(1, PART_BYTES, [1; 32]), (2, 64, [2; 32])];
    let parts = parts.map(|(number, size_bytes, sha256)| Part { number, size_bytes, sha256 });
    let root = Hash::of(&[&parts[0].sha256, &parts[1].sha256]);
    let seq = announce_of(stage, owner, (record, 1), tokens, (PART_BYTES + 64, root)).await;
    (parts, seq)
}

/// Announces a body of this size and checksum; gives the announcement's `seq`.
pub async fn announce_of(
    stage: &Stage,
    owner: &Wallet,
    (record, version): (Id, u32),
    tokens: &str,
    (body_bytes, parts_root): (u64, Hash),
) -> u64 {
    let message_id = Bytes(Hash::of(&[tokens.as_bytes(), &stage.now_ms().to_be_bytes(), &version.to_be_bytes()]).0);
    let announcement = Announcement {
        record,
        version,
        media_type: "text/plain".to_owned(),
        suite: SUITE.to_owned(),
        message_id,
        commitment: Bytes([7; 32]),
        frame_bytes: 64 * 1024,
        body_bytes,
        frames_root: Hash([7; 32]),
        parts_root,
    };
    let facts = Facts { expires_at_ms: Some(stage.now_ms() + DEADLINE_MS), ..Facts::default() };
    let header = KeyItem::Header { record, version, message_id, header: vec![1] };
    stage.taken_with(owner, announcement, &[("tokens", tokens)], facts, vec![header]).await.event.at.seq
}

/// Creates the next version of a record.
pub async fn next_version(stage: &Stage, owner: &Wallet, record: Id) {
    let facts = Facts { wrapped_sha256: Some(Hash([9; 32])), ..Facts::default() };
    stage.taken_with(owner, RecordVersion { record }, &[], facts, Vec::new()).await;
}

/// A new record, without a data key.
pub async fn create(stage: &Stage, owner: &Wallet) -> Id {
    let (command, _) = stage.command(owner, chartseal_events::command::RecordCreate {}, &[]);
    let luggage = chartseal_infra::road::Luggage {
        facts: Facts { wrapped_sha256: Some(Hash([8; 32])), ..Facts::default() },
        ..Default::default()
    };
    chartseal_infra::road::take(&stage.vault, &stage.vault, &command, &luggage).await.expect("created");
    command.new_id(Kind::Record)
}

/// Everything that workers write.
#[derive(Debug, PartialEq, Eq)]
pub struct World {
    events: Vec<EventRef>,
    lists: Vec<Vec<IndexEntry>>,
    due: Vec<Due>,
    started: Vec<Id>,
    told: Vec<(String, Value)>,
    blobs: Vec<String>,
    unfinished: Vec<(String, String)>,
}

pub async fn world(stage: &Stage, lists: &[IndexList]) -> World {
    let mut entries = Vec::new();
    for list in lists {
        entries.push(listed(stage, list).await);
    }
    World {
        events: stage.vault.events().into_iter().map(|event| event.at).collect(),
        lists: entries,
        due: stage.vault.due(u64::MAX / 2, 1000).await.expect("memory"),
        started: stage.vault.workflow_starts(),
        told: stage.vault.told(),
        blobs: stage.vault.blob_keys(),
        unfinished: stage.vault.unfinished_uploads(),
    }
}

pub async fn listed(stage: &Stage, list: &IndexList) -> Vec<IndexEntry> {
    stage.vault.page(list, None, 1000).await.expect("memory").items
}
