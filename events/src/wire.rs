//! What goes over HTTP: the bodies of requests and answers. The vault's functions write them, the command line reads them, and
//! `docs/openapi.json` is generated from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codes::{Code, Refusal};
use crate::encoding::{Bytes, Hash};
use crate::event::StoredEvent;
use crate::evidence::Evidence;
use crate::id::{Id, Kid};
use crate::private::{PrivatePart, PrivateValue};
use crate::stream::StreamId;
use crate::{EventRef, strict};

macro_rules! wire {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })*) => {
        $($(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* })*
    };
}

wire! {
    /// The body of every call that changes something: a signed command with the private values it commits to.
    CommandRequest {
        /// The command: a compact JWS (docs/EVENT-LOG.md).
        command: String,
        /// The committed private values, by field: `{"salt": base64url of 16 bytes, "value": string}`.
        #[serde(default)]
        #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, BTreeMap<String, String>>))]
        private: PrivatePart,
        /// `POST /records/{id}/upload` only: the message header, base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        header: Option<String>,
    }
    /// An event with its exact bytes.
    Receipt {
        /// Its stream.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        stream: StreamId,
        /// Its place there, from 0.
        seq: u64,
        /// Its leaf hash, hex: SHA-256(0x00 || 0x01 || body).
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        leaf: Hash,
        /// Its exact bytes, as text.
        body: String,
    }
    /// A block of the ledger, as anybody may see it.
    LedgerBlock {
        /// How many blocks are before it.
        height: u64,
        /// Its header: the seal leaf's exact bytes (docs/LEDGER.md), base64url.
        seal: String,
        /// Its events' leaf hashes, hex, in the log's order.
        #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
        leaves: Vec<Hash>,
    }
    /// What a block's events say, for whoever may read all of it: operators and auditors. Nothing of it is believed before its leaf hashes are the block's.
    LedgerEvents {
        /// The block's height.
        height: u64,
        /// The position in the block of the first of these events, from 0.
        first: u32,
        /// The events' exact bytes, as text, in the log's order: as many as one answer holds.
        bodies: Vec<String>,
        /// The position that the next answer begins at; absent where the block ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u32>,
    }
    /// That an event is in the ledger. Nothing of it is believed before it is verified against the checkpoint, and that under the log's key.
    LedgerProof {
        /// The event's index in the log.
        index: u64,
        /// Its block's height.
        height: u64,
        /// Its block's header: the seal leaf's exact bytes, base64url.
        seal: String,
        /// The inclusion proof of the event's leaf, hex, from the leaf's sibling upwards (RFC 6962).
        #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
        inclusion: Vec<Hash>,
        /// The inclusion proof of the header.
        #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
        seal_inclusion: Vec<Hash>,
        /// The checkpoint that both lead to: a signed note.
        checkpoint: String,
    }
    /// A command was taken, or had been taken before.
    Accepted {
        /// The event it led to.
        event: Receipt,
    }
    /// A provider registered.
    Registered {
        /// `provider.registered.v1`
        event: Receipt,
        /// The cloud ID.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        provider: Id,
        /// The first person's id: the `kid` of their commands from now on.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        staff: Id,
    }
    /// A provider, as others see it.
    ProviderProfile {
        /// Its cloud ID.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        provider: Id,
        /// invited, pending, verified or suspended
        status: String,
        /// The first person's Ed25519 public key, base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
        sign_key: Option<Bytes<32>>,
        /// The first person's X25519 public key, base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
        seal_key: Option<Bytes<32>>,
        /// What the registration commits to, each value with the salt that opens its commitment: `organisation`; for operators and the provider itself `name`,
        /// `phone` and `email`, too. What was erased is not there.
        #[serde(default)]
        #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, BTreeMap<String, String>>))]
        private: PrivatePart,
        /// The exact events behind it, by stream.
        #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Vec<String>>))]
        evidence: Evidence,
    }
    /// A data key, sealed to a wallet (HPKE, RFC 9180; docs/ENVELOPE.md).
    SealedDataKey {
        /// The encapsulated key, base64url.
        enc: String,
        /// The sealed data key, base64url.
        ciphertext: String,
    }
    /// The AWS Encryption SDK encryption context of a record's version; KMS authenticates it.
    EncryptionContext {
        /// The vault's origin.
        tenant: String,
        /// The record's id.
        record: String,
        /// The version, decimal.
        version: String,
    }
    /// A version of a record has its id and its data key.
    CreatedRecord {
        /// `record.created.v1`
        event: Receipt,
        /// The record.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        record: Id,
        /// Its version.
        version: u32,
        /// The data key as KMS wrapped it, base64url: goes into the message header.
        wrapped_key: String,
        /// The KMS key that wrapped it: goes into the message header.
        key_arn: String,
        /// Goes into the message header.
        context: EncryptionContext,
        /// The data key, sealed to the wallet that asked. Only in the answer that made it; later at `POST /records/{id}/key`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sealed_key: Option<SealedDataKey>,
    }
    /// Where to send the body that was announced: `upload` where one PUT carries it, else `parts`.
    AnnouncedUpload {
        /// `record.announced.v1`
        event: Receipt,
        /// A presigned PUT of a body of at most 64 MiB.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upload: Option<PresignedCall>,
        /// How a larger body is cut; `POST /records/{id}/upload/parts` gives the addresses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parts: Option<PartsPlan>,
    }
    /// How a body is cut into parts.
    PartsPlan {
        /// Bytes of every part but the last.
        part_bytes: u64,
        /// How many parts there are, counted from 1.
        count: u32,
    }
    /// The body of `POST /records/{id}/upload/parts`: parts of an announced body that are about to be sent.
    PartsRequest {
        /// The record's version.
        version: u32,
        /// The announced encryption run, base64url.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        message_id: Bytes<32>,
        /// The S3 multipart upload that an earlier answer named. Without it a new one begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upload_id: Option<String>,
        /// 1 to 100 parts, by rising number.
        parts: Vec<PartDigest>,
    }
    /// A part of a body and what it holds.
    PartDigest {
        /// From 1.
        number: u32,
        /// SHA-256 of the part, hex; the address takes exactly these bytes.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        sha256: Hash,
    }
    /// The answer of `POST /records/{id}/upload/parts`.
    PartsResponse {
        /// The S3 multipart upload: to be named in every further call about this body.
        upload_id: String,
        /// The parts that were asked for, in the same order.
        parts: Vec<PartCall>,
    }
    /// Where to send a part.
    PartCall {
        /// The part.
        number: u32,
        /// A presigned PUT; none where S3 has exactly this part already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<PresignedCall>,
    }
    /// The body of `POST /records/{id}/upload/complete`: all parts have been sent.
    CompleteRequest {
        /// The record's version.
        version: u32,
        /// The announced encryption run, base64url.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        message_id: Bytes<32>,
        /// The S3 multipart upload.
        upload_id: String,
    }
    /// The answer of `POST /records/{id}/upload/complete`.
    CompletedUpload {
        /// `stored`: the object is there, and `record.uploaded.v1` follows in a moment.
        state: String,
    }
    /// A call that S3 takes without further credentials.
    PresignedCall {
        /// The HTTP method.
        method: String,
        /// The URL.
        url: String,
        /// Headers that are signed and must be sent as they are.
        headers: BTreeMap<String, String>,
        /// The URL's end, Unix milliseconds.
        expires_at: u64,
    }
    /// A data key was released.
    IssuedKey {
        /// `key.issued.v1`
        event: Receipt,
        /// The data key, sealed to the wallet that asked.
        sealed_key: SealedDataKey,
        /// The data key as KMS wrapped it, base64url.
        wrapped_key: String,
        /// The KMS key that wrapped it; an owner needs it for the header of another encryption run.
        key_arn: String,
    }
    /// A download was released, with what it rests on.
    ReleasedDownload {
        /// `record.downloaded.v1`
        event: Receipt,
        /// A presigned GET of the pinned version.
        download: PresignedCall,
        /// The message header, base64url.
        header: String,
        /// The exact events behind it, by stream.
        #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Vec<String>>))]
        evidence: Evidence,
    }
    /// A version of a record, as its parties see it.
    RecordVersionView {
        /// From 1.
        version: u32,
        /// open, announced or uploaded
        state: String,
        /// When its data key came to be, Unix milliseconds.
        created_at: u64,
        /// When it was uploaded, Unix milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uploaded_at: Option<u64>,
        /// Media type of the plaintext.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media_type: Option<String>,
        /// Bytes stored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body_bytes: Option<u64>,
        /// The uploader's label, with the salt that opens the announcement's commitment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, String>>))]
        label: Option<PrivateValue>,
    }
    /// A record, as its parties see it.
    RecordView {
        /// The record.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        record: Id,
        /// The provider that owns it.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        owner: Id,
        /// Its versions, oldest first.
        versions: Vec<RecordVersionView>,
        /// The exact events behind it, by stream.
        #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Vec<String>>))]
        evidence: Evidence,
    }
    /// A record in a list.
    RecordSummary {
        /// The record.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        record: Id,
        /// The provider that owns it.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        owner: Id,
        /// Its versions, oldest first.
        versions: Vec<RecordVersionView>,
    }
    /// A page of records, newest first.
    RecordPage {
        /// The records.
        records: Vec<RecordSummary>,
        /// Give it as `cursor` for the next page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    /// The body of `POST /tokens`.
    TokensRequest {
        /// Blinded terms (RFC 9497, ristretto255), 32 bytes each, base64url; at most 32.
        #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
        blinded: Vec<Bytes<32>>,
    }
    /// The answer of `POST /tokens`.
    TokensResponse {
        /// The search key's epoch.
        epoch: u32,
        /// Evaluated terms, in the same order, base64url.
        #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
        evaluated: Vec<Bytes<32>>,
        /// One DLEQ proof over the batch against the genesis event's search key, base64url of 64 bytes.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        proof: Bytes<64>,
    }
    /// A record that a search found. What is shown here is visible to every verified provider.
    SearchHit {
        /// The record.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        record: Id,
        /// Its version.
        version: u32,
        /// The provider that owns it.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        owner: Id,
        /// Media type of the plaintext.
        media_type: String,
        /// Bytes stored.
        body_bytes: u64,
        /// When it was announced, Unix milliseconds.
        at: u64,
        /// `record.announced.v1`
        event: Receipt,
    }
    /// The answer of `POST /search`.
    SearchResults {
        /// `search.performed.v1`
        event: Receipt,
        /// The records, newest first.
        hits: Vec<SearchHit>,
    }
    /// A request for access, as its parties see it.
    RequestView {
        /// The request.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        request: Id,
        /// requested, verified, approved, denied, expired (undecided) or over
        state: String,
        /// The record.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        record: Id,
        /// Its version.
        version: u32,
        /// The record's owner.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        owner: Id,
        /// The provider that asked.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        requester: Id,
        /// The person who asked.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        by: Kid,
        /// HL7 PurposeOfUse code.
        purpose: String,
        /// When it was asked, Unix milliseconds.
        at: u64,
        /// Until when it can be decided, Unix milliseconds.
        expires_at: u64,
        /// The grant's end, Unix milliseconds, once approved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        /// The stream's head: a decision names it.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        head: Hash,
        /// The requester's justification, with the salt that opens the request's commitment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, String>>))]
        justification: Option<PrivateValue>,
        /// The operator's reason or comment, with the salt that opens the decision's commitment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, String>>))]
        reason: Option<PrivateValue>,
        /// The two parties; absent in lists.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parties: Option<Parties>,
        /// The exact events behind it, by stream; absent in lists.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Vec<String>>>))]
        evidence: Option<Evidence>,
    }
    /// Who the two parties of a request are. Their keys and what vouches for them stand in the evidence.
    Parties {
        /// The record's owner.
        owner: Party,
        /// The provider that asked.
        requester: Party,
    }
    /// A party of a request, as the other one sees it.
    Party {
        /// Its cloud ID.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        provider: Id,
        /// `organisation` and `name`, each with the salt that opens the registration's commitment. What was erased is not there.
        #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, BTreeMap<String, String>>))]
        private: PrivatePart,
    }
    /// A page of requests, newest first.
    RequestPage {
        /// The requests.
        requests: Vec<RequestView>,
        /// Give it as `cursor` for the next page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    /// The answer of `GET /healthz`.
    Health {
        /// `ok`, or `empty` where the vault has no genesis event yet.
        status: String,
        /// The software's version.
        version: String,
        /// The vault's origin: the `aud` of commands.
        origin: String,
        /// The genesis event's leaf hash: what everything is proven back to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
        genesis: Option<Hash>,
        /// The vault's stream.
        #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Vec<String>>))]
        evidence: Evidence,
    }
    /// RFC 9457 problem details.
    Problem {
        /// `urn:chartseal:problem:<code>`
        #[serde(rename = "type")]
        typ: String,
        /// One line that says what is wrong.
        title: String,
        /// The HTTP status.
        status: u16,
        /// The stable code (docs/ERRORS.md).
        code: String,
        /// What to do next.
        detail: String,
        /// The member at fault, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        /// Names this call in the vault's log.
        request_id: String,
        /// Names the command in every log line that has to do with it, where the call had a well-formed one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
    }
}

impl From<&StoredEvent> for Receipt {
    fn from(event: &StoredEvent) -> Self {
        Self { stream: event.at.stream, seq: event.at.seq, leaf: event.leaf, body: event.body.clone() }
    }
}

impl Receipt {
    /// The event, with the leaf hash computed anew from the bytes.
    pub fn stored(&self) -> StoredEvent {
        StoredEvent::new(EventRef { stream: self.stream, seq: self.seq }, self.body.clone())
    }
}

impl CommandRequest {
    /// Reads a request body, strictly.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        strict::parse(body).map_err(|_| Code::MalformedJson.into())
    }
}

impl Problem {
    /// The problem document of a refusal.
    pub fn new(refusal: Refusal, request_id: &str) -> Self {
        let code = refusal.code;
        let detail = match refusal.field {
            Some(field) => format!("{} (at fault: {field})", code.advice()),
            None => code.advice().to_owned(),
        };
        Self {
            typ: format!("urn:chartseal:problem:{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            code: code.name().to_owned(),
            detail,
            field: refusal.field.map(str::to_owned),
            request_id: request_id.to_owned(),
            trace: None,
        }
    }
}
