//! Records as a hospital's client makes them: sealed, announced, uploaded, asked for, granted.

use chartseal_envelope::{Context, DataKey, FrameBytes, Sealed, Sealing, WrappedKey, seal};
use chartseal_events::command::{AccessApprove, AccessRequest, Announcement, RecordCreate};
use chartseal_events::encoding::base64url;
use chartseal_events::id::Kind;
use chartseal_events::purpose::Purpose;
use chartseal_events::{Bytes, Facts, Hash, Id, Observation, StreamId};
use chartseal_infra::ports::{DataKeys as _, KeyContext, KeyItem};
use chartseal_infra::road::Taken;

use super::{ORIGIN, Stage, Wallet};
use chartseal_infra::BlobKey;

/// A record's body as its client sealed it, with what it announces.
pub struct Body {
    /// The record.
    pub record: Id,
    /// Its version.
    pub version: u32,
    /// The data key.
    pub key: DataKey,
    /// The encrypted body.
    pub bytes: Vec<u8>,
    /// The message header.
    pub header: Vec<u8>,
    /// What its client announces.
    pub announcement: Announcement,
}

impl Body {
    /// Seals a plaintext.
    pub fn seal(record: Id, version: u32, key: &DataKey, wrapped: &WrappedKey, plaintext: &[u8]) -> Self {
        let context = Context::new(ORIGIN, record.to_string(), version).expect("a context");
        let frame_bytes = FrameBytes::try_from(64 * 1024).expect("a frame");
        let mut bytes = Vec::new();
        let sealing = Sealing { key, context: &context, wrapped_key: wrapped, frame_bytes };
        let sealed = seal(&sealing, plaintext, &mut bytes).expect("sealed");
        let announcement = announcement_of(record, version, &sealed);
        Self { record, version, key: key.clone(), bytes, header: sealed.header, announcement }
    }

    /// The header as a request carries it.
    pub fn header_text(&self) -> String {
        base64url(&self.header)
    }
}

/// What a sealed body is announced as.
pub fn announcement_of(record: Id, version: u32, sealed: &Sealed) -> Announcement {
    Announcement {
        record,
        version,
        media_type: "text/plain".to_owned(),
        suite: chartseal_events::command::SUITE.to_owned(),
        message_id: Bytes(sealed.message_id),
        commitment: Bytes(sealed.commitment),
        frame_bytes: sealed.frame_bytes.get(),
        body_bytes: sealed.body_bytes,
        frames_root: Hash(sealed.frames_root),
        parts_root: Hash(sealed.parts_root),
    }
}

impl Stage {
    /// A record that was created: its id, its data key, and how KMS wrapped that.
    pub async fn created(&self, owner: &Wallet) -> (Id, DataKey, WrappedKey) {
        let (command, private) = self.command(owner, RecordCreate {}, &[]);
        let record = command.new_id(Kind::Record);
        let context = KeyContext { tenant: ORIGIN.to_owned(), record, version: 1 };
        let pair = self.vault.generate(&context).await.expect("memory");
        let luggage = super::Luggage {
            facts: Facts { wrapped_sha256: Some(Hash::of(&[&pair.wrapped])), ..Facts::default() },
            private,
            keys: vec![KeyItem::Wrapped { record, version: 1, wrapped: pair.wrapped.clone() }],
        };
        super::road::take(&self.vault, &self.vault, &command, &luggage).await.expect("created");
        let wrapped = WrappedKey::kms(self.vault.key_arn(), &pair.wrapped).expect("a wrapped key");
        (record, DataKey::from_bytes(*pair.plaintext), wrapped)
    }

    /// A record that was created, and the body that its client is about to announce.
    pub async fn sealed(&self, owner: &Wallet, plaintext: &[u8]) -> Body {
        let (record, key, wrapped) = self.created(owner).await;
        Body::seal(record, 1, &key, &wrapped, plaintext)
    }

    /// A body that was announced with these tokens; gives the `seq` of the announcement.
    pub async fn announced(&self, owner: &Wallet, body: &Body, tokens: &str, label: &str) -> Taken {
        let header = KeyItem::Header {
            record: body.record,
            version: body.version,
            message_id: body.announcement.message_id,
            header: body.header.clone(),
        };
        let facts = Facts { expires_at_ms: Some(self.now_ms() + 3_600_000), ..Facts::default() };
        let private = [("tokens", tokens), ("label", label)];
        self.taken_with(owner, body.announcement.clone(), &private, facts, vec![header]).await
    }

    /// The announced body is in S3, and was found there.
    pub async fn found(&self, body: &Body, announced: u64) -> Taken {
        let version_id = self
            .vault
            .put_blob(&BlobKey { record: body.record, version: body.version, announced }.to_string(), &body.bytes);
        self.observed(Observation::ObjectFound { record: body.record, announced, version_id }).await
    }

    /// A record whose first version is there: sealed, announced under one term's token, uploaded.
    pub async fn uploaded(&self, owner: &Wallet, plaintext: &[u8]) -> Body {
        let body = self.sealed(owner, plaintext).await;
        let announced = self.announced(owner, &body, &base64url(&[0x70; 32]), "a label").await;
        self.found(&body, announced.event.at.seq).await;
        body
    }

    /// A request for access to a record's first version, with its requester checked.
    pub async fn requested(&self, requester: &Wallet, record: Id, grant_seconds: u64) -> Id {
        let ask = AccessRequest { record, version: 1, purpose: Purpose::Treatment, grant_seconds };
        let facts = Facts { expires_at_ms: Some(self.now_ms() + 3_600_000), ..Facts::default() };
        let taken = self.taken_with(requester, ask, &[("justification", "a transfer")], facts, Vec::new()).await;
        let StreamId::Request(request) = taken.event.at.stream else { panic!("a request begins its own stream") };
        let (person, provider) = (requester.person(), requester.provider());
        self.observed(Observation::RequesterChecked { request, requester: provider, person }).await;
        request
    }

    /// A request that an operator approved.
    pub async fn granted(&self, requester: &Wallet, record: Id, grant_seconds: u64) -> Id {
        let request = self.requested(requester, record, grant_seconds).await;
        let head = self.head(StreamId::Request(request)).await;
        self.taken(&self.operator, AccessApprove { request, head }, &[]).await;
        request
    }
}
