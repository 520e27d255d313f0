//! New records and versions, and their data keys.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use chartseal_envelope::DataKey;
use chartseal_envelope::key_release::{self, Binding, SealedKey};
use chartseal_events::command::{RecordCreate, RecordVersion};
use chartseal_events::encoding::from_base64url;
use chartseal_events::event::StoredEvent;
use chartseal_events::private::PrivatePart;
use chartseal_events::wire::CreatedRecord;
use chartseal_events::{Bytes, Code, EventRef, Id, StreamId};
use chartseal_http::Incoming;
use chartseal_http::testing::{ORIGIN, Wallet, call, document, refused};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{
    Append, DataKeyPair, DataKeys, EventStore, Index, IndexEntry, IndexList, KeyContext, KeyItem, KeyTable, Page,
    StoreError,
};
use chartseal_records::Records;

use crate::Story;

impl Story {
    fn create(&self, wallet: &Wallet) -> Incoming {
        self.stage.post(wallet, "/records", RecordCreate {}, &[])
    }

    fn add_version(&self, wallet: &Wallet, record: Id) -> Incoming {
        self.stage.post(wallet, &format!("/records/{record}/versions"), RecordVersion { record }, &[])
    }
}

fn open(created: &CreatedRecord, wallet: &Wallet) -> Option<DataKey> {
    let sealed = created.sealed_key.as_ref()?;
    let (record, requester) = (created.record.to_string(), wallet.kid.to_string());
    let binding =
        Binding { tenant: ORIGIN, record: &record, version: created.version, request: None, requester: &requester };
    let sealed = SealedKey {
        enc: from_base64url(&sealed.enc).ok()?.try_into().ok()?,
        ciphertext: from_base64url(&sealed.ciphertext).ok()?.try_into().ok()?,
    };
    key_release::open(&sealed, &wallet.secret, &binding).ok()
}

#[tokio::test]
async fn a_new_record_has_an_id_and_a_key_for_the_wallet_that_asked() {
    let story = Story::begin().await;
    let create = story.create(&story.owner);
    let created: CreatedRecord = document(&story.call(&create).await, 201);
    assert_eq!(created.version, 1);
    assert_eq!(created.event.stream, StreamId::Record(created.record));
    let context = (created.context.tenant.as_str(), created.context.record.as_str(), created.context.version.as_str());
    assert_eq!(context, (ORIGIN, created.record.to_string().as_str(), "1"));
    assert!(open(&created, &story.owner).is_some());
    let other = story.stage.hospital("Mercy").await;
    assert!(open(&created, &other).is_none(), "sealed to one wallet");

    let again: CreatedRecord = document(&story.call(&create).await, 200);
    assert_eq!(again, CreatedRecord { sealed_key: None, ..created.clone() }, "the same record, and no key again");
    assert_eq!(story.stage.vault.types(StreamId::Record(created.record)), ["record.created.v1"]);
    let another: CreatedRecord = document(&story.call(&story.create(&story.owner)).await, 201);
    assert_ne!((another.record, another.wrapped_key), (created.record, created.wrapped_key));
}

/// KMS that counts.
#[derive(Clone)]
struct Counted(MemoryVault, Arc<AtomicU32>);

impl DataKeys for Counted {
    fn key_arn(&self) -> &str {
        self.0.key_arn()
    }

    async fn generate(&self, context: &KeyContext) -> Result<DataKeyPair, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.generate(context).await
    }
}

#[tokio::test]
async fn nobody_makes_kms_work_who_may_not() {
    let story = Story::begin().await;
    let stage = &story.stage;
    let counted = Counted(stage.vault.clone(), Arc::default());
    let vault = || stage.vault.clone();
    let function = Records {
        origin: ORIGIN.to_owned(),
        upload_expiry_ms: crate::UPLOAD_EXPIRY_MS,
        store: vault(),
        blobs: vault(),
        data_keys: counted.clone(),
        clock: vault(),
    };
    let pending = stage.registered("Mercy").await;
    let thief = Wallet { key: pending.key.clone(), ..story.owner.clone() };
    let nobody = Wallet { act: story.owner.act, kid: pending.kid, ..pending.clone() };
    for (wallet, code) in [
        (&pending, Code::ProviderPending),
        (&stage.operator, Code::NotMember),
        (&thief, Code::SignatureInvalid),
        (&nobody, Code::NotMember),
        (&Wallet::operator(1), Code::UnknownSigner),
    ] {
        let answer = call(&function, &story.create(wallet)).await;
        assert_eq!(refused(&answer), code);
    }
    let create = story.create(&story.owner);
    assert_eq!(counted.1.load(Ordering::Relaxed), 0);
    assert_eq!(call(&function, &create).await.status, 201);
    assert_eq!(call(&function, &create).await.status, 200);
    assert_eq!(counted.1.load(Ordering::Relaxed), 1, "a repeated command needs no new key");
    stage.suspended(story.owner.provider()).await;
    assert_eq!(story.refused(&story.create(&story.owner)).await, Code::ProviderSuspended);
}

#[tokio::test]
async fn a_version_follows_an_uploaded_one() {
    let story = Story::begin().await;
    let body = story.stage.sealed(&story.owner, b"a record").await;
    let record = body.record;
    let token = chartseal_events::encoding::base64url(&[1; 32]);
    let announced = story.stage.announced(&story.owner, &body, &token, "one").await;
    assert_eq!(story.refused(&story.add_version(&story.owner, record)).await, Code::VersionOpen);
    story.stage.found(&body, announced.event.at.seq).await;

    let other = story.stage.hospital("Mercy").await;
    assert_eq!(story.refused(&story.add_version(&other, record)).await, Code::NotFound, "another's record");
    let call = story.add_version(&story.owner, record);
    let created: CreatedRecord = document(&story.call(&call).await, 201);
    assert_eq!((created.record, created.version, created.context.version.as_str()), (record, 2, "2"));
    let key = open(&created, &story.owner).expect("a key of its own");
    assert_ne!(key.expose(), body.key.expose());
    let again: CreatedRecord = document(&story.call(&call).await, 200);
    assert_eq!((again.version, again.sealed_key), (2, None));
    let given_up: CreatedRecord = document(&story.call(&story.add_version(&story.owner, record)).await, 201);
    assert_eq!(given_up.version, 3, "version 2 was never announced: nobody waits for it");

    let elsewhere = format!("/records/{}/versions", Id::from_parts(1, [1; 10]));
    let call = story.stage.post(&story.owner, &elsewhere, RecordVersion { record }, &[]);
    assert_eq!(story.refused(&call).await, Code::PathMismatch);
}

/// A store in which somebody else's append takes effect just before ours.
#[derive(Clone)]
struct Overtaken(MemoryVault, Arc<Mutex<Option<Append>>>);

impl EventStore for Overtaken {
    async fn load(&self, stream: &StreamId) -> Result<Vec<StoredEvent>, StoreError> {
        self.0.load(stream).await
    }
    async fn load_tail(&self, stream: &StreamId, since_ms: u64) -> Result<Vec<StoredEvent>, StoreError> {
        self.0.load_tail(stream, since_ms).await
    }
    async fn load_from(&self, stream: &StreamId, first_seq: u64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        self.0.load_from(stream, first_seq, limit).await
    }
    async fn fetch(&self, places: &[EventRef]) -> Result<Vec<Option<StoredEvent>>, StoreError> {
        self.0.fetch(places).await
    }
    async fn append(&self, append: &Append) -> Result<(), StoreError> {
        let quicker = self.1.lock().expect("no panic").take();
        if let Some(quicker) = quicker {
            self.0.append(&quicker).await?;
        }
        self.0.append(append).await
    }
    async fn private(&self, place: &EventRef) -> Result<PrivatePart, StoreError> {
        self.0.private(place).await
    }
    async fn by_time(&self, from_ms: u64, to_ms: u64) -> Result<Vec<EventRef>, StoreError> {
        self.0.by_time(from_ms, to_ms).await
    }
}

impl KeyTable for Overtaken {
    async fn wrapped(&self, record: Id, version: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.wrapped(record, version).await
    }
    async fn header(&self, record: Id, version: u32, message_id: &Bytes<32>) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.header(record, version, message_id).await
    }
}

impl Index for Overtaken {
    async fn add(&self, entries: &[(IndexList, IndexEntry)]) -> Result<(), StoreError> {
        self.0.add(entries).await
    }
    async fn remove(&self, entries: &[(IndexList, IndexEntry)]) -> Result<(), StoreError> {
        self.0.remove(entries).await
    }
    async fn page(&self, list: &IndexList, cursor: Option<&str>, limit: u32) -> Result<Page<IndexEntry>, StoreError> {
        self.0.page(list, cursor, limit).await
    }
}

#[tokio::test]
async fn the_same_command_on_two_connections_is_one_record_with_one_key() {
    let story = Story::begin().await;
    let stage = &story.stage;
    let create = story.create(&story.owner);

    // What the other connection wrote, taken from a twin of this vault in which it alone was there.
    let twin = Story::begin().await;
    let first: CreatedRecord = document(&twin.call(&create).await, 201);
    let stream = StreamId::Record(first.record);
    let events = twin.stage.vault.load(&stream).await.expect("memory");
    // The twin's streams are others, byte for byte; only this one matters, and nobody here looks at what it saw.
    let wrapped = from_base64url(&first.wrapped_key).expect("base64url");
    let keys = vec![KeyItem::Wrapped { record: first.record, version: 1, wrapped }];
    let quicker = Append { events, at_ms: stage.now_ms(), private: PrivatePart::new(), keys };

    let vault = || stage.vault.clone();
    let function = Records {
        origin: ORIGIN.to_owned(),
        upload_expiry_ms: crate::UPLOAD_EXPIRY_MS,
        store: Overtaken(vault(), Arc::new(Mutex::new(Some(quicker)))),
        blobs: vault(),
        data_keys: vault(),
        clock: vault(),
    };
    let second: CreatedRecord = document(&call(&function, &create).await, 200);
    assert_eq!((second.record, second.sealed_key), (first.record, None), "no key that does not count");
    assert_eq!(second.wrapped_key, first.wrapped_key, "the one that was kept");
    assert_eq!(stage.vault.types(stream), ["record.created.v1"]);
}
