//! Lists and single records, and who sees them.

use chartseal_events::command::RecordVersion;
use chartseal_events::private::PrivateValue;
use chartseal_events::wire::{RecordPage, RecordView};
use chartseal_events::{Code, EventRef, Facts, Hash, Id, StreamId};
use chartseal_http::Incoming;
use chartseal_http::testing::{Wallet, document};
use chartseal_infra::ports::{Index as _, IndexEntry, IndexList};

use crate::Story;

impl Story {
    /// The consumer has put a record into the lists.
    async fn listed(&self, owner: &Wallet, record: Id) {
        let event = EventRef { stream: StreamId::Record(record), seq: 0 };
        let entry = IndexEntry { at_ms: self.stage.now_ms(), event, version: 0 };
        let lists = [(IndexList::Records, entry), (IndexList::RecordsOf(owner.provider()), entry)];
        self.stage.vault.add(&lists).await.expect("memory");
        self.stage.vault.advance(1);
    }

    /// The consumer has put a request into its requester's list.
    async fn request_listed(&self, requester: &Wallet, request: Id) {
        let event = EventRef { stream: StreamId::Request(request), seq: 0 };
        let entry = IndexEntry { at_ms: self.stage.now_ms(), event, version: 0 };
        self.stage.vault.add(&[(IndexList::RequestsOf(requester.provider()), entry)]).await.expect("memory");
    }

    async fn list(&self, wallet: &Wallet, query: &str) -> RecordPage {
        document(&self.call(&self.stage.get(wallet, &format!("/records{query}"))).await, 200)
    }

    fn show(&self, wallet: &Wallet, record: Id) -> Incoming {
        self.stage.get(wallet, &format!("/records/{record}"))
    }
}

fn text(private: Option<&PrivateValue>) -> Option<&str> {
    private.map(|private| private.value.as_str())
}

#[tokio::test]
async fn a_provider_lists_its_own_and_an_operator_all() {
    let story = Story::begin().await;
    let other = story.stage.hospital("Mercy").await;
    let mut own = Vec::new();
    for text in ["one", "two", "three"] {
        let record = story.stage.uploaded(&story.owner, text.as_bytes()).await.record;
        story.listed(&story.owner, record).await;
        own.insert(0, record);
    }
    let theirs = story.stage.created(&other).await.0;
    story.listed(&other, theirs).await;

    let ids = |page: &RecordPage| page.records.iter().map(|record| record.record).collect::<Vec<_>>();
    let page = story.list(&story.owner, "").await;
    assert_eq!((ids(&page), page.next), (own.clone(), None));
    let version = &page.records[0].versions[0];
    assert_eq!((version.state.as_str(), text(version.label.as_ref())), ("uploaded", Some("a label")));
    assert_eq!(version.media_type.as_deref(), Some("text/plain"));

    let all = story.list(&story.stage.operator, "").await;
    assert_eq!(all.records.len(), 4);
    assert!(all.records.iter().flat_map(|record| &record.versions).all(|version| version.label.is_none()));
    assert_eq!(all.records[0].versions[0].state, "open");

    let first = story.list(&story.owner, "?limit=2").await;
    assert_eq!(ids(&first), own[..2]);
    let next = first.next.expect("there is more");
    let second = story.list(&story.owner, &format!("?limit=2&cursor={next}")).await;
    assert_eq!((ids(&second), second.next), (own[2..].to_vec(), None));
}

#[tokio::test]
async fn the_index_is_a_hint_and_never_believed() {
    let story = Story::begin().await;
    let other = story.stage.hospital("Mercy").await;
    let theirs = story.stage.uploaded(&other, b"theirs").await.record;
    story.listed(&story.owner, theirs).await;
    story.listed(&story.owner, Id::from_parts(1, [1; 10])).await;
    assert_eq!(story.list(&story.owner, "").await.records, [], "another's record, and one that is none");
}

#[tokio::test]
async fn a_page_is_asked_for_in_bounds() {
    let story = Story::begin().await;
    for query in ["?limit=0", "?limit=101", "?limit=x", &format!("?cursor={}", "x".repeat(600))] {
        let call = story.stage.get(&story.owner, &format!("/records{query}"));
        assert_eq!(story.refused(&call).await, Code::BadField, "{query}");
    }
    assert_eq!(story.list(&story.owner, "?cursor=nonsense").await.records, []);
    assert_eq!(story.refused(&story.stage.send("GET", "/records", "")).await, Code::MissingToken);
    let pending = story.stage.registered("Mercy").await;
    assert_eq!(story.refused(&story.stage.get(&pending, "/records")).await, Code::ProviderPending);
}

#[tokio::test]
async fn an_owner_sees_every_version_with_its_evidence() {
    let story = Story::begin().await;
    let body = story.stage.uploaded(&story.owner, b"a record").await;
    let record = body.record;
    let facts = Facts { wrapped_sha256: Some(Hash::ZERO), ..Facts::default() };
    story.stage.taken_with(&story.owner, RecordVersion { record }, &[], facts, Vec::new()).await;
    let view: RecordView = document(&story.call(&story.show(&story.owner, record)).await, 200);
    assert_eq!(view.owner, story.owner.provider());
    let states: Vec<_> = view.versions.iter().map(|version| (version.version, version.state.as_str())).collect();
    assert_eq!(states, [(1, "uploaded"), (2, "open")]);
    assert_eq!(view.versions[0].body_bytes, Some(body.bytes.len() as u64));
    assert_eq!(text(view.versions[0].label.as_ref()), Some("a label"));
    let sound = view.evidence.verify(&story.stage.genesis).expect("sound");
    assert_eq!(sound.view.record(record).expect("there").owner, story.owner.provider());

    let view: RecordView = document(&story.call(&story.show(&story.stage.operator, record)).await, 200);
    assert_eq!(view.versions[0].label, None, "labels are the owner's");
}

#[tokio::test]
async fn an_announced_body_is_waited_for_and_then_no_more() {
    let story = Story::begin().await;
    let body = story.stage.sealed(&story.owner, b"a record").await;
    let token = chartseal_events::encoding::base64url(&[1; 32]);
    story.stage.announced(&story.owner, &body, &token, "one").await;
    let state = async || {
        let view: RecordView = document(&story.call(&story.show(&story.owner, body.record)).await, 200);
        view.versions[0].state.clone()
    };
    assert_eq!(state().await, "announced");
    story.stage.vault.advance(3_600_000);
    assert_eq!(state().await, "open");
}

#[tokio::test]
async fn to_strangers_a_record_does_not_exist() {
    let story = Story::begin().await;
    let record = story.stage.uploaded(&story.owner, b"a record").await.record;
    let other = story.stage.hospital("Mercy").await;
    let stranger = story.call(&story.show(&other, record)).await;
    let nothing = story.call(&story.show(&other, Id::from_parts(1, [1; 10]))).await;
    assert_eq!((stranger.status, nothing.status), (404, 404));
    let text = |answer: &chartseal_http::Answer| answer.json.split("request_id").next().map(str::to_owned);
    assert_eq!(text(&stranger), text(&nothing), "not told apart");
    assert_eq!(story.refused(&story.stage.get(&other, "/records/x")).await, Code::BadId);
}

#[tokio::test]
async fn a_requester_sees_it_while_its_grant_lives() {
    let story = Story::begin().await;
    let stage = &story.stage;
    let record = stage.uploaded(&story.owner, b"a record").await.record;
    let other = stage.hospital("Mercy").await;
    let open = stage.requested(&other, record, 600).await;
    story.request_listed(&other, open).await;
    assert_eq!(story.refused(&story.show(&other, record)).await, Code::NotFound, "asked for, not granted");
    let granted = stage.granted(&other, record, 600).await;
    story.request_listed(&other, granted).await;
    let view: RecordView = document(&story.call(&story.show(&other, record)).await, 200);
    assert_eq!((view.versions.len(), text(view.versions[0].label.as_ref())), (1, None));
    view.evidence.verify(&stage.genesis).expect("sound");

    let third = stage.hospital("St. Elsewhere").await;
    story.request_listed(&third, granted).await;
    assert_eq!(story.refused(&story.show(&third, record)).await, Code::NotFound, "another's grant in one's list");
    let another = stage.uploaded(&story.owner, b"another").await.record;
    assert_eq!(story.refused(&story.show(&other, another)).await, Code::NotFound, "a grant is for one record");
    stage.vault.advance(600_000);
    assert_eq!(story.refused(&story.show(&other, record)).await, Code::NotFound, "over");
}
