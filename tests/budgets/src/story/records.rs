//! A record: its terms, its beginning, its body, and what its owner does with it.

use aws_sdk_s3::primitives::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_envelope::{DataKey, WrappedKey};
use chartseal_events::EventRef;
use chartseal_events::StreamId;
use chartseal_events::command::{RecordCreate, RecordDownload, RecordKey, RecordVersion};
use chartseal_events::encoding::from_base64url;
use chartseal_events::wire::{
    AnnouncedUpload, CreatedRecord, IssuedKey, RecordPage, RecordView, ReleasedDownload, TokensRequest, TokensResponse,
};
use chartseal_events::{Bytes, Id};
use chartseal_http::testing::{Body, Wallet};
use chartseal_infra::BlobKey;
use chartseal_ledger::terms::{Blinding, OsRng, Term};
use chartseal_reactions::Settled;
use sha2::{Digest as _, Sha256};

use super::{Announced, People, TERMS, tokens as record_tokens};
use crate::vault::Vault;

/// A body of one frame.
const PLAINTEXT: [u8; 10_000] = [0x5A; 10_000];

/// Terms are evaluated: first by a process that has just started, then by a warm one.
pub async fn tokens(vault: &Vault, people: &People) {
    let function = vault.tokens();
    for name in ["POST /tokens, first of a process", "POST /tokens"] {
        let terms: Vec<_> =
            (0..TERMS).map(|number| Term::parse(&format!("keyword:{number}")).expect("a term")).collect();
        let (_, blinded) = Blinding::new(terms, &mut OsRng).expect("blinded");
        let asked = TokensRequest { blinded: blinded.into_iter().map(Bytes).collect() };
        let body = serde_json::to_vec(&asked).expect("JSON");
        let asked = vault.stage.signed(&people.owner, vault.stage.send("POST", "/tokens", body));
        let _: TokensResponse = vault.measure_call((name, "8 terms"), &function, &asked, 200).await;
    }
}

/// A record that is created, announced with 8 terms, and uploaded, with all that follows. Measured.
pub async fn first(vault: &Vault, people: &People) -> Announced {
    let (stage, owner, records) = (&vault.stage, &people.owner, vault.records());
    let asked = stage.post(owner, "/records", RecordCreate {}, &[]);
    let created: CreatedRecord = vault.measure_call(("POST /records", "a new record"), &records, &asked, 201).await;
    let record = created.record;
    vault.measure_consumed(created.event.stored().at).await;

    let body = sealed(&created);
    let asked = stage.post_with_header(
        owner,
        &format!("/records/{record}/upload"),
        body.announcement.clone(),
        &[("tokens", &record_tokens()), ("label", "a label")],
        &body.header_text(),
    );
    let name = ("POST /records/{id}/upload", "8 terms and a label; the record's stream has 1 event");
    let announced: AnnouncedUpload = vault.measure_call(name, &records, &asked, 201).await;
    let place = announced.event.stored().at;
    vault.measure_consumed(place).await;

    let key = put(vault, record, 1, place.seq, &body.bytes).await;
    let settled = vault
        .measure("commit", "the object is as announced; the record's stream has 2 events", async {
            (vault.object_created(&key).await, 0)
        })
        .await;
    let Some(Settled::Uploaded(uploaded)) = settled else { panic!("it is there: {settled:?}") };
    let name = ("commit, again", "S3 says it a second time");
    vault.measure(name.0, name.1, async { (vault.object_created(&key).await, 0) }).await;
    vault.measure_consumed(uploaded).await;

    let asked = stage.get(owner, "/records");
    let name = ("GET /records", "the owner's list of 1 record with 1 version and 3 events");
    let _: RecordPage = vault.measure_call(name, &records, &asked, 200).await;
    let asked = stage.get(owner, &format!("/records/{record}"));
    let name = ("GET /records/{id}", "the owner's; 1 version, 3 events");
    let _: RecordView = vault.measure_call(name, &records, &asked, 200).await;
    Announced { record, announcement: body.announcement, seq: place.seq, bytes: body.bytes }
}

/// What the owner does with its own record.
pub async fn of_the_owner(vault: &Vault, people: &People, first: &Announced) {
    let (stage, owner, record) = (&vault.stage, &people.owner, first.record);
    let asked = stage.post(owner, &format!("/records/{record}/key"), RecordKey { record, version: 1 }, &[]);
    let name = ("POST /records/{id}/key", "the owner's; the record's stream has 3 events");
    let _: IssuedKey = vault.measure_call(name, &vault.issue_key(), &asked, 201).await;
    let asked = stage.post(owner, &format!("/records/{record}/download"), RecordDownload { record, version: 1 }, &[]);
    let name = ("POST /records/{id}/download", "the owner's; the record's stream has 4 events");
    let _: ReleasedDownload = vault.measure_call(name, &vault.records(), &asked, 201).await;
    let asked = stage.post(owner, &format!("/records/{record}/versions"), RecordVersion { record }, &[]);
    let name = ("POST /records/{id}/versions", "version 2; the record's stream has 5 events");
    let _: CreatedRecord = vault.measure_call(name, &vault.records(), &asked, 201).await;
}

/// A record that is created and announced; nobody has reacted yet.
pub async fn announced(vault: &Vault, owner: &Wallet) -> Announced {
    let (stage, records) = (&vault.stage, vault.records());
    let asked = stage.post(owner, "/records", RecordCreate {}, &[]);
    let created: CreatedRecord = vault.send(&records, &asked, 201).await;
    let (record, body) = (created.record, sealed(&created));
    let asked = stage.post_with_header(
        owner,
        &format!("/records/{record}/upload"),
        body.announcement.clone(),
        &[("tokens", &record_tokens()), ("label", "a label")],
        &body.header_text(),
    );
    let announced: AnnouncedUpload = vault.send(&records, &asked, 201).await;
    Announced { record, announcement: body.announcement, seq: announced.event.seq, bytes: body.bytes }
}

/// A record that is there, with all that follows; not measured.
pub async fn upload(vault: &Vault, owner: &Wallet) -> Id {
    let body = announced(vault, owner).await;
    arrives(vault, &body).await;
    body.record
}

/// An announced body arrives; S3 says so, and the consumer hears of everything.
pub async fn arrives(vault: &Vault, body: &Announced) {
    let key = put(vault, body.record, body.announcement.version, body.seq, &body.bytes).await;
    vault.object_created(&key).await;
    let stream = StreamId::Record(body.record);
    vault.consume(&[0, 1, 2].map(|seq| EventRef { stream, seq })).await;
}

/// What a client seals of a plaintext. The data key is any: the vault never looks at it.
pub fn sealed(created: &CreatedRecord) -> Body {
    let wrapped = from_base64url(&created.wrapped_key).expect("base64url");
    let wrapped = WrappedKey::kms(&created.key_arn, &wrapped).expect("a wrapped key");
    Body::seal(created.record, created.version, &DataKey::from_bytes([7; 32]), &wrapped, &PLAINTEXT)
}

/// The client's PUT, as its presigned call has it.
pub async fn put(vault: &Vault, record: Id, version: u32, announced: u64, bytes: &[u8]) -> String {
    let key = BlobKey { record, version, announced }.to_string();
    let call = vault.bucket.put_object().bucket(&vault.ground.name).key(&key).body(ByteStream::from(bytes.to_vec()));
    let call = call.checksum_sha256(STANDARD.encode(Sha256::digest(bytes)));
    call.send().await.expect("S3 takes it");
    key
}
