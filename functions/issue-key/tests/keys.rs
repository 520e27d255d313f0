//! Who receives a data key, and who does not.

use chartseal_envelope::DataKey;
use chartseal_envelope::key_release::{self, Binding, SealedKey};
use chartseal_events::command::{AccessDeny, KeyIssue, RecordKey};
use chartseal_events::wire::{IssuedKey, SealedDataKey};
use chartseal_events::{Code, Id, StreamId};
use chartseal_http::testing::{Body, ORIGIN, Slow, Stage, Wallet, call, document, refused};
use chartseal_http::{Answer, Incoming};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::KeyItem;
use chartseal_issue_key::IssueKey;

struct Story {
    stage: Stage,
    function: IssueKey<MemoryVault, MemoryVault, MemoryVault>,
    owner: Wallet,
    requester: Wallet,
    body: Body,
}

impl Story {
    async fn begin() -> Self {
        let stage = Stage::new().await;
        let vault = || stage.vault.clone();
        let function = IssueKey { origin: ORIGIN.to_owned(), store: vault(), opener: vault(), clock: vault() };
        let (owner, requester) = (stage.hospital("St. Mary").await, stage.hospital("Mercy").await);
        let body = stage.uploaded(&owner, b"a record").await;
        Self { stage, function, owner, requester, body }
    }

    async fn call(&self, incoming: &Incoming) -> Answer {
        call(&self.function, incoming).await
    }

    async fn refused(&self, incoming: &Incoming) -> Code {
        let before = self.stage.vault.events().len();
        let code = refused(&self.call(incoming).await);
        assert_eq!(self.stage.vault.events().len(), before, "a refused call leaves nothing behind");
        code
    }

    fn own(&self, wallet: &Wallet) -> Incoming {
        let record = self.body.record;
        self.stage.post(wallet, &format!("/records/{record}/key"), RecordKey { record, version: 1 }, &[])
    }

    fn granted(&self, wallet: &Wallet, request: Id) -> Incoming {
        let issue = KeyIssue { request, record: self.body.record };
        self.stage.post(wallet, &format!("/requests/{request}/key"), issue, &[])
    }

    /// The data key, opened by a wallet for a purpose.
    fn open(&self, sealed: &SealedDataKey, wallet: &Wallet, request: Option<Id>) -> Option<DataKey> {
        let (record, request, requester) =
            (self.body.record.to_string(), request.map(|id| id.to_string()), wallet.kid.to_string());
        let binding =
            Binding { tenant: ORIGIN, record: &record, version: 1, request: request.as_deref(), requester: &requester };
        let bytes = |text: &str| chartseal_events::encoding::from_base64url(text).expect("base64url");
        let sealed = SealedKey {
            enc: bytes(&sealed.enc).try_into().expect("32 bytes"),
            ciphertext: bytes(&sealed.ciphertext).try_into().expect("48 bytes"),
        };
        key_release::open(&sealed, &wallet.secret, &binding).ok()
    }
}

#[tokio::test]
async fn an_owner_fetches_its_own_key() {
    let story = Story::begin().await;
    let call = story.own(&story.owner);
    let issued: IssuedKey = document(&story.call(&call).await, 201);
    let key = story.open(&issued.sealed_key, &story.owner, None).expect("opens");
    assert_eq!(key.expose(), story.body.key.expose());
    assert!(issued.key_arn.starts_with("arn:aws:kms:"), "{}", issued.key_arn);
    assert_eq!(issued.event.stream, StreamId::Record(story.body.record), "an owner's key is the record's business");
    let request = Some(Id::from_parts(1, [1; 10]));
    assert!(story.open(&issued.sealed_key, &story.owner, request).is_none(), "sealed for no request");
    assert!(story.open(&issued.sealed_key, &story.requester, None).is_none(), "sealed to one wallet");

    let again: IssuedKey = document(&story.call(&call).await, 200);
    assert_eq!(again.event, issued.event, "the same event");
    assert_ne!(again.sealed_key, issued.sealed_key, "and never the same bytes: sealed keys are not kept");
    assert!(story.open(&again.sealed_key, &story.owner, None).is_some());
}

#[tokio::test]
async fn a_requester_receives_the_key_that_it_was_granted() {
    let story = Story::begin().await;
    let request = story.stage.granted(&story.requester, story.body.record, 3_600).await;
    let issued: IssuedKey = document(&story.call(&story.granted(&story.requester, request)).await, 201);
    let key = story.open(&issued.sealed_key, &story.requester, Some(request)).expect("opens");
    assert_eq!(key.expose(), story.body.key.expose());
    assert_eq!(issued.event.stream, StreamId::Request(request), "a hot record stays cold");
    assert!(story.open(&issued.sealed_key, &story.requester, None).is_none(), "for this request alone");
}

#[tokio::test]
async fn a_grant_is_checked_every_time() {
    let story = Story::begin().await;
    let request = story.stage.granted(&story.requester, story.body.record, 90).await;
    let call = story.granted(&story.requester, request);
    assert_eq!(story.call(&call).await.status, 201);
    story.stage.vault.advance(89_000);
    assert_eq!(story.call(&call).await.status, 200, "repeated while it lives");
    story.stage.vault.advance(1_000);
    assert_eq!(story.refused(&call).await, Code::GrantOver, "the same command, a moment later");
    assert_eq!(story.refused(&story.granted(&story.requester, request)).await, Code::GrantOver);
}

#[tokio::test]
async fn a_grant_that_ends_while_the_key_is_unwrapped_releases_none() {
    let story = Story::begin().await;
    let vault = &story.stage.vault;
    let request = story.stage.granted(&story.requester, story.body.record, 90).await;
    let slow = IssueKey {
        origin: ORIGIN.to_owned(),
        store: vault.clone(),
        opener: vault.clone(),
        clock: Slow(vault.clone(), 50_000),
    };
    let refusal = refused(&call(&slow, &story.granted(&story.requester, request)).await);
    assert_eq!(refusal, Code::GrantOver, "live when it was admitted and decided, over when it would be released");
}

#[tokio::test]
async fn without_a_grant_there_is_no_key() {
    let story = Story::begin().await;
    let stage = &story.stage;
    assert_eq!(story.refused(&story.own(&story.requester)).await, Code::NotFound, "another's record");
    let open = stage.requested(&story.requester, story.body.record, 3_600).await;
    assert_eq!(story.refused(&story.granted(&story.requester, open)).await, Code::NotApproved);
    let head = stage.head(StreamId::Request(open)).await;
    stage.taken(&stage.operator, AccessDeny { request: open, head }, &[("reason", "no")]).await;
    assert_eq!(story.refused(&story.granted(&story.requester, open)).await, Code::RequestDenied);

    let request = stage.granted(&story.requester, story.body.record, 3_600).await;
    let stranger = stage.hospital("St. Elsewhere").await;
    assert_eq!(story.refused(&story.granted(&stranger, request)).await, Code::NotFound, "another's request");
    assert_eq!(story.refused(&story.granted(&story.owner, request)).await, Code::NotFound, "the owner's neither");
    assert_eq!(story.refused(&story.granted(&stage.operator, request)).await, Code::NotMember, "operators get none");
    assert_eq!(story.refused(&story.own(&stage.operator)).await, Code::NotMember);
    stage.suspended(story.requester.provider()).await;
    assert_eq!(story.refused(&story.granted(&story.requester, request)).await, Code::ProviderSuspended);
}

#[tokio::test]
async fn a_request_is_for_one_record() {
    let story = Story::begin().await;
    let request = story.stage.granted(&story.requester, story.body.record, 3_600).await;
    let other = story.stage.uploaded(&story.owner, b"another record").await.record;
    let path = format!("/requests/{request}/key");
    let issue = story.stage.post(&story.requester, &path, KeyIssue { request, record: other }, &[]);
    assert_eq!(story.refused(&issue).await, Code::NotFound);
    let elsewhere = format!("/requests/{}/key", Id::from_parts(1, [1; 10]));
    let issue = KeyIssue { request, record: story.body.record };
    assert_eq!(
        story.refused(&story.stage.post(&story.requester, &elsewhere, issue.clone(), &[])).await,
        Code::PathMismatch
    );
    let wrong = format!("/records/{}/key", story.body.record);
    assert_eq!(story.refused(&story.stage.post(&story.requester, &wrong, issue, &[])).await, Code::WrongCommand);
    for (version, code) in [(0, Code::BadField), (2, Code::NotFound)] {
        let fields = RecordKey { record: story.body.record, version };
        assert_eq!(story.refused(&story.stage.post(&story.owner, &wrong, fields, &[])).await, code);
    }
}

#[tokio::test]
async fn a_wrapped_key_that_was_changed_or_deleted_releases_nothing() {
    let story = Story::begin().await;
    let record = story.body.record;
    let other = story.stage.uploaded(&story.owner, b"another record").await.record;
    let stolen = story.stage.vault.keys().into_iter().find_map(|key| match key {
        KeyItem::Wrapped { record, wrapped, .. } if record == other => Some(wrapped),
        _ => None,
    });
    let stolen = KeyItem::Wrapped { record, version: 1, wrapped: stolen.expect("the other record's key") };
    story.stage.vault.set_key(stolen);
    let answer = story.call(&story.own(&story.owner)).await;
    assert_eq!(refused(&answer), Code::Internal, "another record's key in its place");
    story.stage.vault.shred(record);
    let answer = story.call(&story.own(&story.owner)).await;
    assert_eq!(refused(&answer), Code::Internal, "shredded");
    assert!(!answer.json.contains("wrapped"), "what is damaged is for the log");
}
