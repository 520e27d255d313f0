use std::collections::BTreeSet;

use chartseal_events::command::{Announcement, RecordCreate, RecordVersion, SUITE, SearchPerform};
use chartseal_events::id::Kind;
use chartseal_events::{Bytes, EventRef, Hash, Id, Observation, StreamId};
use chartseal_http::testing::{Call as Sent, ORIGIN, Stage, Wallet, call, document, refused};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{IndexEntry, IndexList, KeyItem};
use chartseal_infra::road::Luggage;
use chartseal_ledger::terms::Token;
use chartseal_reactions::React;
use proptest::prelude::*;

use super::*;

fn service(stage: &Stage) -> Search<MemoryVault, MemoryVault, MemoryVault> {
    let vault = &stage.vault;
    Search { origin: ORIGIN.to_owned(), events: vault.clone(), index: vault.clone(), clock: vault.clone() }
}

fn token(number: u8) -> Token {
    Token::from_bytes([number; 32])
}

fn query_json(any: &[Vec<u8>]) -> String {
    let any: Vec<Vec<String>> =
        any.iter().map(|clause| clause.iter().map(|n| token(*n).to_string()).collect()).collect();
    serde_json::json!({ "any": any }).to_string()
}

fn post(stage: &Stage, wallet: &Wallet, query: &str) -> Sent {
    stage.post(wallet, "/search", SearchPerform {}, &[("query", query)])
}

async fn search(stage: &Stage, wallet: &Wallet, any: &[Vec<u8>]) -> SearchResults {
    document(&call(&service(stage), &post(stage, wallet, &query_json(any))).await, 201)
}

fn found(results: &SearchResults) -> Vec<(Id, u32)> {
    results.hits.iter().map(|hit| (hit.record, hit.version)).collect()
}

async fn create(stage: &Stage, owner: &Wallet) -> Id {
    let (command, _) = stage.command(owner, RecordCreate {}, &[]);
    let facts = Facts { wrapped_sha256: Some(Hash([8; 32])), ..Facts::default() };
    let luggage = Luggage { facts, ..Luggage::default() };
    road::take(&stage.vault, &stage.vault, &command, &luggage).await.expect("created");
    command.new_id(Kind::Record)
}

/// Announces and uploads a version under these tokens, a second after whatever was before; the index is not told.
async fn upload(stage: &Stage, owner: &Wallet, record: Id, version: u32, tokens: &BTreeSet<u8>) -> EventRef {
    stage.vault.advance(1000);
    if version > 1 {
        let facts = Facts { wrapped_sha256: Some(Hash([9; 32])), ..Facts::default() };
        stage.taken_with(owner, RecordVersion { record }, &[], facts, Vec::new()).await;
    }
    let message_id = Bytes(Hash::of(&[record.to_string().as_bytes(), &version.to_be_bytes()]).0);
    let announcement = Announcement {
        record,
        version,
        media_type: "text/plain".to_owned(),
        suite: SUITE.to_owned(),
        message_id,
        commitment: Bytes([7; 32]),
        frame_bytes: 64 * 1024,
        body_bytes: 64,
        frames_root: Hash([7; 32]),
        parts_root: Hash([7; 32]),
    };
    let facts = Facts { expires_at_ms: Some(stage.now_ms() + 60_000), ..Facts::default() };
    let text: Vec<String> = tokens.iter().map(|number| token(*number).to_string()).collect();
    let header = KeyItem::Header { record, version, message_id, header: vec![1] };
    let taken = stage.taken_with(owner, announcement, &[("tokens", &text.join(" "))], facts, vec![header]).await;
    let announced = taken.event.at;
    stage.observed(Observation::ObjectFound { record, announced: announced.seq, version_id: "v".to_owned() }).await;
    announced
}

/// What the consumer does.
async fn index_all(stage: &Stage) {
    let vault = &stage.vault;
    let react = React { events: vault, index: vault, work: vault, workflow: vault };
    for event in vault.events() {
        react.to(event.at).await.expect("indexed");
    }
}

async fn cast() -> (Stage, Wallet, Wallet) {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let bob = stage.hospital("St. Paul").await;
    (stage, ann, bob)
}

#[tokio::test]
async fn a_search_is_an_event_before_it_is_an_answer() {
    let (stage, ann, bob) = cast().await;
    let record = create(&stage, &ann).await;
    let announced = upload(&stage, &ann, record, 1, &BTreeSet::from([1, 2])).await;
    index_all(&stage).await;

    let sent = post(&stage, &bob, &query_json(&[vec![1, 2]]));
    let results: SearchResults = document(&call(&service(&stage), &sent).await, 201);
    assert_eq!(found(&results), [(record, 1)]);
    let hit = &results.hits[0];
    assert_eq!((hit.owner, hit.media_type.as_str(), hit.body_bytes), (ann.provider(), "text/plain", 64));
    assert_eq!(hit.event.stored().at, announced);
    assert_eq!(hit.event.stored().leaf, hit.event.leaf);
    assert!(!hit.event.body.contains(&token(1).to_string()), "no token is in an event");

    let StreamId::Search { provider, .. } = results.event.stream else { panic!("a search has a stream of its own") };
    assert_eq!(provider, bob.provider());
    let event = results.event.stored().open().expect("sound");
    assert!(matches!(event.outcome, chartseal_events::Outcome::SearchPerformed(performed) if performed.hits == 1));
    assert_eq!(stage.private(event.place).await.len(), 1, "what was searched for is kept beside it");

    let again: SearchResults = document(&call(&service(&stage), &sent).await, 200);
    assert_eq!(again, results);
}

#[tokio::test]
async fn a_new_version_is_found_by_its_own_terms_alone() {
    let (stage, ann, bob) = cast().await;
    let record = create(&stage, &ann).await;
    upload(&stage, &ann, record, 1, &BTreeSet::from([1, 2])).await;
    index_all(&stage).await;
    upload(&stage, &ann, record, 2, &BTreeSet::from([2, 3])).await;

    // The index does not know yet: the old version is not shown, since its record has a newer one.
    assert!(search(&stage, &bob, &[vec![1]]).await.hits.is_empty());
    assert!(search(&stage, &bob, &[vec![2]]).await.hits.is_empty());
    index_all(&stage).await;
    assert!(search(&stage, &bob, &[vec![1]]).await.hits.is_empty());
    assert_eq!(found(&search(&stage, &bob, &[vec![2]]).await), [(record, 2)]);
    assert_eq!(found(&search(&stage, &bob, &[vec![1], vec![3]]).await), [(record, 2)]);
}

#[tokio::test]
async fn a_posting_that_no_record_bears_out_shows_nothing() {
    let (stage, ann, bob) = cast().await;
    let record = create(&stage, &ann).await;
    let stream = StreamId::Record(record);
    for (seq, version) in [(0, 1), (7, 1), (0, 2)] {
        let entry = IndexEntry { at_ms: stage.now_ms(), event: EventRef { stream, seq }, version };
        stage.vault.add(&[(IndexList::Token(token(5).to_string()), entry)]).await.expect("memory");
    }
    let nobody = EventRef { stream: StreamId::Record(Id::from_parts(1, [1; 10])), seq: 1 };
    let entry = IndexEntry { at_ms: stage.now_ms(), event: nobody, version: 1 };
    stage.vault.add(&[(IndexList::Token(token(5).to_string()), entry)]).await.expect("memory");
    assert!(search(&stage, &bob, &[vec![5]]).await.hits.is_empty());
}

#[tokio::test]
async fn a_search_that_cannot_be_is_refused_and_not_recorded() {
    let (stage, ann, bob) = cast().await;
    let before = stage.vault.events().len();
    let many = |clauses: usize, tokens: u8| query_json(&vec![(0..tokens).collect(); clauses]);
    for (query, code) in [
        ("{}".to_owned(), Code::BadQuery),
        ("modality:mri".to_owned(), Code::BadQuery),
        (query_json(&[]), Code::BadQuery),
        (query_json(&[vec![]]), Code::BadQuery),
        (query_json(&[vec![1, 1]]), Code::BadQuery),
        (r#"{"any":[["short"]]}"#.to_owned(), Code::BadQuery),
        (many(9, 1), Code::TooManyTerms),
        (many(1, 9), Code::TooManyTerms),
    ] {
        assert_eq!(refused(&call(&service(&stage), &post(&stage, &bob, &query)).await), code, "{query}");
    }
    let pending = stage.registered("St. New").await;
    stage.suspended(ann.provider()).await;
    let good = query_json(&[vec![1]]);
    for (wallet, code) in
        [(&pending, Code::ProviderPending), (&ann, Code::ProviderSuspended), (&stage.operator, Code::NotMember)]
    {
        assert_eq!(refused(&call(&service(&stage), &post(&stage, wallet, &good)).await), code);
    }
    let searches = |event: &chartseal_events::StoredEvent| matches!(event.at.stream, StreamId::Search { .. });
    assert!(stage.vault.events().len() > before && !stage.vault.events().iter().any(searches));
}

#[tokio::test]
async fn a_term_on_too_many_records_is_refused() {
    let (stage, _, bob) = cast().await;
    let entry = |number: u64| {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        let event = EventRef { stream: StreamId::Record(Id::from_parts(1, random)), seq: 1 };
        (IndexList::Token(token(1).to_string()), IndexEntry { at_ms: 1, event, version: 1 })
    };
    let limit = u64::try_from(MAX_POSTINGS).expect("small");
    let entries: Vec<_> = (0..=limit).map(entry).collect();
    stage.vault.add(&entries[1..]).await.expect("memory");
    assert!(search(&stage, &bob, &[vec![1]]).await.hits.is_empty(), "as many as may be");
    stage.vault.add(&entries[..1]).await.expect("memory");
    let sent = post(&stage, &bob, &query_json(&[vec![1]]));
    assert_eq!(refused(&call(&service(&stage), &sent).await), Code::QueryTooBroad);
}

#[tokio::test]
async fn at_most_a_hundred_records_are_shown_the_newest() {
    let (stage, ann, bob) = cast().await;
    let mut records = Vec::new();
    for _ in 0..MAX_HITS + 3 {
        let record = create(&stage, &ann).await;
        upload(&stage, &ann, record, 1, &BTreeSet::from([1])).await;
        records.insert(0, (record, 1));
    }
    index_all(&stage).await;
    let results = search(&stage, &bob, &[vec![1]]).await;
    assert_eq!(found(&results), records[..MAX_HITS]);
}

/// Records with one or two versions, each with some of eight tokens.
fn some_records() -> impl Strategy<Value = Vec<Vec<BTreeSet<u8>>>> {
    let tokens = prop::collection::btree_set(0..8u8, 1..5);
    prop::collection::vec(prop::collection::vec(tokens, 1..3), 1..7)
}

fn some_query() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let clause = prop::collection::btree_set(0..8u8, 1..4).prop_map(|clause| clause.into_iter().collect());
    prop::collection::vec(clause, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// The answer is what a list of all records, read from end to end, gives.
    #[test]
    fn and_within_clauses_or_over_them(versions in some_records(), queries in prop::collection::vec(some_query(), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (stage, ann, bob) = cast().await;
            let mut model: Vec<(u64, Id, u32, BTreeSet<u8>)> = Vec::new();
            for versions in &versions {
                let record = create(&stage, &ann).await;
                for (number, tokens) in (1u32..).zip(versions) {
                    upload(&stage, &ann, record, number, tokens).await;
                    model.retain(|(_, other, ..)| *other != record);
                    model.push((stage.now_ms(), record, number, tokens.clone()));
                }
            }
            index_all(&stage).await;
            model.sort_by_key(|(at_ms, ..)| std::cmp::Reverse(*at_ms));
            for any in queries {
                let matches = |tokens: &BTreeSet<u8>| any.iter().any(|clause| clause.iter().all(|token| tokens.contains(token)));
                let expected: Vec<(Id, u32)> =
                    model.iter().filter(|(.., tokens)| matches(tokens)).map(|(_, record, version, _)| (*record, *version)).collect();
                assert_eq!(found(&search(&stage, &bob, &any).await), expected, "{any:?}");
            }
        });
    }
}
