//! Ann's records: one whose first version is sent whole and whose second in parts, one that is announced twice, and a version that never comes.

use std::sync::Arc;

use chartseal_envelope::key_release::{self, Binding, SealedKey};
use chartseal_envelope::{DataKey, WrappedKey};
use chartseal_events::command::{RecordCreate, RecordDownload, RecordKey, RecordVersion};
use chartseal_events::encoding::base64url;
use chartseal_events::limits::PART_BYTES;
use chartseal_events::wire::{
    AnnouncedUpload, CompleteRequest, CreatedRecord, IssuedKey, PartDigest, PartsRequest, PartsResponse, RecordPage,
    RecordView, ReleasedDownload, SealedDataKey, TokensRequest, TokensResponse,
};
use chartseal_events::{Bytes, Hash, Id};
use chartseal_http::Incoming;
use chartseal_http::testing::Body;
use chartseal_infra::BlobKey;
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{Part, PartsUpload};
use chartseal_ledger::terms::{Blinding, OsRng, Term, Token};

use super::{Group, call, nothing, outside};
use crate::cast::{Cast, ORIGIN, decoded, read};
use crate::functions::UPLOAD_MS;

/// The parts of a body; no test holds them.
const DIGESTS: [[u8; 32]; 2] = [[1; 32], [2; 32]];
const REST_BYTES: u64 = 100;

pub fn first_version() -> Vec<Group> {
    vec![
        call("ann has terms evaluated", "POST /tokens", tokens, |_, json| {
            assert_eq!(read::<TokensResponse>(json).evaluated.len(), 2);
        }),
        call("ann creates a record", "POST /records", create, |cast, json| created(cast, json, "scan")),
        call(
            "ann fetches its key",
            "POST /records/{id}/key",
            |cast| key(cast, "scan", 1),
            |cast, json| {
                keep_key(cast, json, "scan", 1);
            },
        ),
        call(
            "ann announces its body",
            "POST /records/{id}/upload",
            |cast| announce(cast, "scan", "v1", 1, &[1, 2]),
            |cast, json| {
                announced(cast, json, "v1");
            },
        ),
        outside("ann sends it to S3", |vault, cast| put(vault, cast, "v1")),
        call(
            "ann lists her records",
            "GET /records",
            |cast| cast.read("ann", "GET", "/records", ""),
            |_, json| {
                assert_eq!(read::<RecordPage>(json).records.len(), 1);
            },
        ),
        call("ann looks at the record", "GET /records/{id}", look, |_, json| {
            assert_eq!(read::<RecordView>(json).versions[0].state, "uploaded");
        }),
        call("ann downloads it", "POST /records/{id}/download", download, |cast, json| {
            let released: ReleasedDownload = read(json);
            assert_eq!(decoded(&released.header), cast.bodies["v1"].header);
        }),
    ]
}

pub fn second_version_in_parts() -> Vec<Group> {
    vec![
        call(
            "ann creates a second version",
            "POST /records/{id}/versions",
            |cast| next_version(cast, "scan"),
            |cast, json| {
                created(cast, json, "scan");
            },
        ),
        call(
            "ann announces it in parts",
            "POST /records/{id}/upload",
            |cast| announce_parts(cast, "scan", "v2", &[2, 5]),
            |cast, json| {
                announced(cast, json, "v2");
            },
        ),
        call(
            "ann begins to send parts",
            "POST /records/{id}/upload/parts",
            |cast| parts(cast, "v2", None),
            |cast, json| {
                cast.texts.insert("upload", read::<PartsResponse>(json).upload_id);
            },
        ),
        call("ann begins again elsewhere", "POST /records/{id}/upload/parts", |cast| parts(cast, "v2", None), nothing),
        outside("ann sends the parts", send_parts),
        call("ann asks what is missing", "POST /records/{id}/upload/parts", ask_again, |_, json| {
            assert!(read::<PartsResponse>(json).parts.iter().all(|part| part.call.is_none()));
        }),
        call("ann completes the upload", "POST /records/{id}/upload/complete", complete, nothing),
    ]
}

pub fn two_runs() -> Vec<Group> {
    vec![
        call("ann creates another record", "POST /records", create, |cast, json| created(cast, json, "note")),
        call(
            "ann announces a body",
            "POST /records/{id}/upload",
            |cast| announce(cast, "note", "run 1", 1, &[2, 3]),
            |cast, json| {
                announced(cast, json, "run 1");
            },
        ),
        call(
            "ann announces another",
            "POST /records/{id}/upload",
            |cast| announce(cast, "note", "run 2", 1, &[3]),
            |cast, json| {
                announced(cast, json, "run 2");
            },
        ),
        outside("ann sends the other", |vault, cast| put(vault, cast, "run 2")),
        outside("the first arrives, too late", |vault, cast| arrive(vault, cast, ("note", 1, "run 1"))),
    ]
}

pub fn never_uploaded() -> Vec<Group> {
    vec![
        call(
            "ann creates a further version",
            "POST /records/{id}/versions",
            |cast| next_version(cast, "note"),
            |cast, json| {
                created(cast, json, "note");
            },
        ),
        call(
            "ann announces what she never sends",
            "POST /records/{id}/upload",
            |cast| announce(cast, "note", "lost", 2, &[4]),
            |cast, json| {
                announced(cast, json, "lost");
            },
        ),
        call(
            "ann announces it once more, in parts",
            "POST /records/{id}/upload",
            |cast| announce_parts(cast, "note", "given up", &[4]),
            |cast, json| {
                announced(cast, json, "given up");
            },
        ),
        // Two uploads, of which she completes none. They are waited for longer: when grants come to their ends (`access`), the sweeper aborts both at once.
        call(
            "ann begins to send them",
            "POST /records/{id}/upload/parts",
            |cast| parts(cast, "given up", None),
            nothing,
        ),
        call("ann begins again", "POST /records/{id}/upload/parts", |cast| parts(cast, "given up", None), nothing),
        outside("its time is over", |vault, _| vault.advance(UPLOAD_MS)),
        outside("it was under way, and arrives", |vault, cast| arrive(vault, cast, ("note", 2, "lost"))),
    ]
}

fn tokens(cast: &mut Cast) -> Incoming {
    let terms = ["keyword:one", "keyword:two"].map(|term| Term::parse(term).expect("a term")).to_vec();
    let (_, blinded) = Blinding::new(terms, &mut OsRng).expect("blinded");
    let request = TokensRequest { blinded: blinded.into_iter().map(Bytes).collect() };
    cast.read("ann", "POST", "/tokens", serde_json::to_vec(&request).expect("JSON"))
}

/// A search token of the story.
pub fn token(number: u8) -> Token {
    Token::from_bytes([number; 32])
}

fn create(cast: &mut Cast) -> Incoming {
    cast.post("ann", "/records", RecordCreate {}, &[])
}

fn created(cast: &mut Cast, json: &str, name: &'static str) {
    let created: CreatedRecord = read(json);
    cast.ids.insert(name, created.record);
    cast.texts.insert("wrapped", created.wrapped_key);
    cast.texts.insert("arn", created.key_arn);
}

fn next_version(cast: &mut Cast, name: &str) -> Incoming {
    let record = cast.ids[name];
    cast.post("ann", &format!("/records/{record}/versions"), RecordVersion { record }, &[])
}

fn key(cast: &mut Cast, name: &str, version: u32) -> Incoming {
    let record = cast.ids[name];
    cast.post("ann", &format!("/records/{record}/key"), RecordKey { record, version }, &[])
}

fn keep_key(cast: &mut Cast, json: &str, name: &'static str, version: u32) {
    let issued: IssuedKey = read(json);
    let key = open(cast, "ann", &issued.sealed_key, (cast.ids[name], version), None);
    cast.data_keys.insert(name, key);
}

/// Opens a data key that was sealed to somebody.
pub fn open(
    cast: &Cast,
    who: &str,
    sealed: &SealedDataKey,
    (record, version): (Id, u32),
    request: Option<Id>,
) -> DataKey {
    let wallet = &cast.wallets[who];
    let (record, request) = (record.to_string(), request.map(|id| id.to_string()));
    let requester = wallet.person().to_string();
    let binding =
        Binding { tenant: ORIGIN, record: &record, version, request: request.as_deref(), requester: &requester };
    let sealed = SealedKey {
        enc: decoded(&sealed.enc).try_into().expect("32 bytes"),
        ciphertext: decoded(&sealed.ciphertext).try_into().expect("48 bytes"),
    };
    key_release::open(&sealed, &wallet.secret, &binding).expect("sealed to this wallet, for this purpose")
}

fn sealed(cast: &Cast, name: &str, version: u32) -> Body {
    // Of a record whose key was not fetched, any key will do: nobody opens it here.
    let key = cast.data_keys.get(name).cloned().unwrap_or_else(|| DataKey::from_bytes([9; 32]));
    let wrapped = WrappedKey::kms(cast.texts["arn"].as_str(), &decoded(&cast.texts["wrapped"])).expect("a wrapped key");
    Body::seal(cast.ids[name], version, &key, &wrapped, b"Zacharias has a cold")
}

fn announce(cast: &mut Cast, name: &str, run: &'static str, version: u32, tokens: &[u8]) -> Incoming {
    let body = sealed(cast, name, version);
    send_announcement(cast, run, body, tokens)
}

fn announce_parts(cast: &mut Cast, name: &str, run: &'static str, tokens: &[u8]) -> Incoming {
    let mut body = sealed(cast, name, 2);
    body.announcement.body_bytes = PART_BYTES + REST_BYTES;
    body.announcement.parts_root = Hash::of(&[&DIGESTS[0], &DIGESTS[1]]);
    send_announcement(cast, run, body, tokens)
}

fn send_announcement(cast: &mut Cast, run: &'static str, body: Body, tokens: &[u8]) -> Incoming {
    let tokens: Vec<String> = tokens.iter().map(|number| token(*number).to_string()).collect();
    let (path, action) = (format!("/records/{}/upload", body.record), body.announcement.clone());
    let header = base64url(&body.header);
    cast.bodies.insert(run, Arc::new(body));
    let private = [("tokens", &*tokens.join(" ")), ("label", "labelled-as a scan")];
    cast.post_with_header("ann", &path, action, &private, Some(header))
}

fn announced(cast: &mut Cast, json: &str, run: &'static str) {
    let announced: AnnouncedUpload = read(json);
    cast.seqs.insert(run, announced.event.seq);
    cast.calls.extend(announced.upload.map(|call| (run, call)));
}

fn put(vault: &MemoryVault, cast: &Cast, run: &str) {
    let call = &cast.calls[run];
    let answer = vault.http(&call.method, &call.url, &call.headers, &cast.bodies[run].bytes);
    assert_eq!(answer.status, 200, "S3 takes the announced bytes");
}

/// A PUT that was under way for long.
fn arrive(vault: &MemoryVault, cast: &Cast, (name, version, run): (&str, u32, &str)) {
    let key = BlobKey { record: cast.ids[name], version, announced: cast.seqs[run] };
    vault.put_blob(&key.to_string(), &cast.bodies[run].bytes);
}

fn look(cast: &mut Cast) -> Incoming {
    let path = format!("/records/{}", cast.ids["scan"]);
    cast.read("ann", "GET", &path, "")
}

fn download(cast: &mut Cast) -> Incoming {
    let record = cast.ids["scan"];
    cast.post("ann", &format!("/records/{record}/download"), RecordDownload { record, version: 1 }, &[])
}

fn parts(cast: &mut Cast, run: &str, upload_id: Option<String>) -> Incoming {
    let body = cast.bodies[run].clone();
    let parts = [1, 2].map(|number| PartDigest { number, sha256: Hash(DIGESTS[number as usize - 1]) }).to_vec();
    let request = PartsRequest { version: 2, message_id: body.announcement.message_id, upload_id, parts };
    let json = serde_json::to_vec(&request).expect("JSON");
    cast.read("ann", "POST", &format!("/records/{}/upload/parts", body.record), json)
}

fn ask_again(cast: &mut Cast) -> Incoming {
    let upload_id = cast.texts["upload"].clone();
    parts(cast, "v2", Some(upload_id))
}

fn send_parts(vault: &MemoryVault, cast: &Cast) {
    let key = BlobKey { record: cast.ids["scan"], version: 2, announced: cast.seqs["v2"] }.to_string();
    for (number, size_bytes, sha256) in [(1, PART_BYTES, DIGESTS[0]), (2, REST_BYTES, DIGESTS[1])] {
        vault.say_part(PartsUpload { key: &key, id: &cast.texts["upload"] }, Part { number, size_bytes, sha256 });
    }
}

fn complete(cast: &mut Cast) -> Incoming {
    let (body, upload_id) = (cast.bodies["v2"].clone(), cast.texts["upload"].clone());
    let request = CompleteRequest { version: 2, message_id: body.announcement.message_id, upload_id };
    let json = serde_json::to_vec(&request).expect("JSON");
    cast.read("ann", "POST", &format!("/records/{}/upload/complete", body.record), json)
}
