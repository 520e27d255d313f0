//! The routes: what is asked, what is answered.

use chartseal_envelope::DataKey;
use chartseal_envelope::key_release::{Binding, seal};
use chartseal_events::command::Action;
use chartseal_events::decide::Signer;
use chartseal_events::encoding::{base64url, from_base64url};
use chartseal_events::event::StoredEvent;
use chartseal_events::jws::ReadToken;
use chartseal_events::state::RequestState;
use chartseal_events::wire::{
    CommandRequest, EncryptionContext, Problem, Receipt, RecordVersionView, SealedDataKey, SearchHit, TokensRequest,
};
use chartseal_events::{Bytes, Code, Command, Facts, Id, Kid, Outcome, Refusal, StreamId};
use chartseal_ledger::terms::{OsRng, Token, TokenQuery};
use serde_json::{Value, json};

use super::server::Request;
use super::store::new_key;
use super::{ORIGIN, Store, objects};

const KEY_ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/test";

/// An answer.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    /// `Content-Range`.
    pub range: Option<String>,
}

impl Reply {
    pub fn of(status: u16, body: Vec<u8>) -> Self {
        Self { status, body, range: None }
    }
}

pub fn handle(store: &mut Store, request: &Request, base: &str) -> Reply {
    let path = request.target.split('?').next().unwrap_or_default().to_owned();
    if let Some(place) = path.strip_prefix("/s3/") {
        return objects::handle(store, request, place);
    }
    if path == "/ledger/checkpoint"
        && let Some(note) = store.checkpoint()
    {
        return Reply::of(200, note.into_bytes());
    }
    if let Some(tile) = path.strip_prefix("/ledger/tile/").and_then(|tile| store.tile(&format!("tile/{tile}"))) {
        return Reply::of(200, tile);
    }
    let is_read = ["/tokens", "/upload/parts", "/upload/complete"].iter().any(|end| path.ends_with(end));
    let outcome = if request.method == "GET" || is_read {
        read(store, request, &path, base)
    } else {
        command(store, request, &path, base)
    };
    let (status, mut document) = match outcome {
        Ok(document) => (201, document),
        Err(refusal) => (refusal.code.status(), json!(Problem::new(refusal, "r-1"))),
    };
    if let Some(twist) = &mut store.twist {
        twist(&path, &mut document);
    }
    Reply::of(status, document.to_string().into_bytes())
}

fn read(store: &mut Store, request: &Request, path: &str, base: &str) -> Result<Value, Refusal> {
    let view = store.view();
    if path == "/healthz" {
        let evidence = store.evidence();
        let genesis = store.streams[&StreamId::Vault][0].leaf;
        let vault = json!({ "vault": evidence.0[&StreamId::Vault] });
        return Ok(json!({ "status": "ok", "version": "0", "origin": ORIGIN, "genesis": genesis, "evidence": vault }));
    }
    if let Some(leaf) = path.strip_prefix("/ledger/proof/") {
        return store.proof(leaf);
    }
    if let Some(height) = path.strip_prefix("/ledger/blocks/").filter(|rest| !rest.contains('/')) {
        return store.block(height);
    }
    if path.starts_with("/ledger/") && !path.starts_with("/ledger/blocks/") {
        return Err(Code::NotFound.into());
    }
    let authorization = request.authorization.as_deref().ok_or(Code::MissingToken)?;
    let token = ReadToken::admit(authorization, ORIGIN, &request.method, path, store.now_ms())?;
    let signer = chartseal_events::decide::signer(&view, &token.jws, token.claims.act)?;
    let sees_all = matches!(signer, Signer::Operator(..) | Signer::Auditor(_));
    let evidence = store.evidence();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["tokens"] => {
            let asked: TokensRequest = serde_json::from_slice(&request.body).map_err(|_| Code::MalformedJson)?;
            let blinded: Vec<[u8; 32]> = asked.blinded.iter().map(|element| element.0).collect();
            let done = store.search_key.evaluate_batch(&blinded, &mut OsRng).map_err(|_| Code::BadBlindedElement)?;
            let evaluated: Vec<_> = done.evaluated.into_iter().map(Bytes).collect();
            Ok(json!({ "epoch": 1, "evaluated": evaluated, "proof": Bytes(done.proof) }))
        }
        ["records", id, "upload", "parts"] => {
            let asked = serde_json::from_slice(&request.body).map_err(|_| Code::MalformedJson)?;
            objects::parts(store, id.parse().map_err(|_| Code::BadId)?, &asked, base)
        }
        ["records", id, "upload", "complete"] => {
            let asked = serde_json::from_slice(&request.body).map_err(|_| Code::MalformedJson)?;
            objects::complete(store, id.parse().map_err(|_| Code::BadId)?, &asked)
        }
        ["ledger", "blocks", height, "events", first] if sees_all => store.block_events(height, first),
        ["ledger", "blocks", ..] => Err(Code::NotAuditor.into()),
        ["providers", id] => {
            let provider = view.provider(id.parse().map_err(|_| Code::BadId)?).ok_or(Code::NotFound)?;
            let registration = provider.registration;
            let staff = registration.and_then(|registration| view.staff(registration.staff));
            let private = registration.map(|of| store.private[&(StreamId::Provider(provider.id), of.seq)].clone());
            Ok(json!({
                "provider": provider.id, "status": provider.status.name(), "evidence": evidence,
                "private": private.unwrap_or_default(),
                "sign_key": staff.map(|staff| staff.sign_key), "seal_key": staff.map(|staff| staff.seal_key),
            }))
        }
        ["records"] => {
            let ids = store.streams.keys().filter_map(|stream| match stream {
                StreamId::Record(id) => Some(*id),
                _ => None,
            });
            let records: Vec<_> = ids.map(|id| record_view(store, id)).collect();
            Ok(json!({ "records": records }))
        }
        ["records", id] => {
            let mut document = record_view(store, id.parse().map_err(|_| Code::BadId)?);
            document["evidence"] = json!(evidence);
            Ok(document)
        }
        ["requests"] => {
            let ids = store.streams.keys().filter_map(|stream| match stream {
                StreamId::Request(id) => Some(*id),
                _ => None,
            });
            let requests: Vec<_> = ids.map(|id| request_view(store, id)).collect::<Result<_, _>>()?;
            Ok(json!({ "requests": requests }))
        }
        ["requests", id] => {
            let mut document = request_view(store, id.parse().map_err(|_| Code::BadId)?)?;
            document["evidence"] = json!(evidence);
            Ok(document)
        }
        _ => Err(Code::NoRoute.into()),
    }
}

fn record_view(store: &Store, id: Id) -> Value {
    let view = store.view();
    let record = view.record(id).expect("a record");
    let versions = (1..).zip(&record.versions).map(|(number, version)| {
        let current = version.current();
        let state = if current.is_some() {
            "uploaded"
        } else if version.announced.is_empty() {
            "open"
        } else {
            "announced"
        };
        RecordVersionView {
            version: number,
            state: state.to_owned(),
            created_at: version.created_at_ms,
            uploaded_at: current.map(|(_, uploaded)| uploaded.at_ms),
            media_type: current.map(|(announced, _)| announced.announcement.media_type.clone()),
            body_bytes: current.map(|(announced, _)| announced.announcement.body_bytes),
            label: None,
        }
    });
    json!({ "record": id, "owner": record.owner, "versions": versions.collect::<Vec<_>>() })
}

fn request_view(store: &Store, id: Id) -> Result<Value, Refusal> {
    let view = store.view();
    let request = view.request(id).ok_or(Code::NotFound)?;
    let asked = &request.asked;
    let head = store.history(StreamId::Request(id)).head.expect("begun").leaf;
    let mut document = json!({
        "request": id, "state": request.state.name(), "record": asked.record, "version": asked.version,
        "owner": asked.owner, "requester": asked.requester, "by": request.by, "purpose": asked.purpose,
        "at": request.at_ms, "expires_at": asked.expires_at, "head": head,
    });
    let party = |provider: Id| {
        let seq = view.provider(provider).and_then(|provider| provider.registration).expect("registered").seq;
        let mut private = store.private[&(StreamId::Provider(provider), seq)].clone();
        private.retain(|name, _| name == "organisation" || name == "name");
        json!({ "provider": provider, "private": private })
    };
    document["parties"] = json!({ "owner": party(asked.owner), "requester": party(asked.requester) });
    document["justification"] = json!(store.private[&(StreamId::Request(id), 0)]["justification"]);
    if let RequestState::Approved { until_ms } = request.state {
        document["until"] = json!(until_ms);
    }
    Ok(document)
}

fn command(store: &mut Store, request: &Request, path: &str, base: &str) -> Result<Value, Refusal> {
    let body = CommandRequest::parse(&request.body)?;
    let command = Command::parse(&body.command)?;
    command.admit(ORIGIN, store.now_ms(), &body.private)?;
    let mut facts = Facts { expires_at_ms: Some(store.now_ms() + 3_600_000), ..Facts::default() };
    let mut made = None;
    if matches!(command.action, Action::RecordCreate(_) | Action::RecordVersion(_)) {
        let (key, wrapped, hash) = new_key();
        facts.wrapped_sha256 = Some(hash);
        made = Some((key, wrapped));
    }
    let mut hits = Vec::new();
    if path == "/search" {
        hits = search(store, &body.private["query"].value);
        facts.hits = u32::try_from(hits.len()).ok();
    }
    let event = store.take(&command, &body.private, &facts)?;
    let receipt = json!(Receipt::from(&event));
    let outcome = event.open().expect("ours").outcome;
    Ok(match (&command.action, outcome) {
        (Action::ProviderRegister(register), Outcome::ProviderRegistered(registered)) => {
            json!({ "event": receipt, "provider": register.provider, "staff": registered.staff })
        }
        (_, Outcome::RecordCreated(created)) => {
            let StreamId::Record(record) = event.at.stream else { panic!("a record's stream") };
            let fresh = !store.keys.contains_key(&(record, created.version));
            let kept = store.keys.entry((record, created.version)).or_insert_with(|| made.expect("made above"));
            let (key, wrapped) = kept.clone();
            let mut answer = created_answer(record, created.version, &wrapped);
            answer["event"] = receipt;
            if fresh {
                answer["sealed_key"] = json!(sealed(store, &command, record, created.version, None, &key));
            }
            answer
        }
        (Action::RecordAnnounce(announced), _) => {
            let place = (announced.record, announced.version);
            store.headers.insert(place, from_base64url(&body.header.expect("a header")).expect("base64url"));
            let mut answer = objects::leave(place, announced.body_bytes, base);
            answer["event"] = receipt;
            answer
        }
        (action, Outcome::KeyIssued(issued)) => {
            let (key, wrapped) = store.keys[&(issued.record, issued.version)].clone();
            let request = if let Action::KeyIssue(issue) = action { Some(issue.request) } else { None };
            let sealed = sealed(store, &command, issued.record, issued.version, request, &key);
            json!({ "event": receipt, "sealed_key": sealed, "wrapped_key": base64url(&wrapped), "key_arn": KEY_ARN })
        }
        (_, Outcome::RecordDownloaded(downloaded)) => {
            let place = (downloaded.record, downloaded.version);
            let header = base64url(&store.headers[&place]);
            json!({
                "event": receipt, "download": objects::presigned("GET", &format!("{base}/s3/{}/{}", place.0, place.1), 0), "header": header,
                "evidence": store.evidence(),
            })
        }
        (Action::SearchPerform(_), _) => json!({ "event": receipt, "hits": hits }),
        _ => json!({ "event": receipt }),
    })
}

fn created_answer(record: Id, version: u32, wrapped: &[u8]) -> Value {
    let context =
        EncryptionContext { tenant: ORIGIN.to_owned(), record: record.to_string(), version: version.to_string() };
    json!({
        "record": record, "version": version, "wrapped_key": base64url(wrapped), "key_arn": KEY_ARN, "context": context,
    })
}

fn sealed(
    store: &Store,
    command: &Command,
    record: Id,
    version: u32,
    request: Option<Id>,
    key: &[u8; 32],
) -> SealedDataKey {
    let Kid::Person(person) = command.kid() else { panic!("a person asks") };
    let recipient = store.view().staff(person).expect("registered").seal_key;
    let (record, request, person) = (record.to_string(), request.map(|id| id.to_string()), person.to_string());
    let binding = Binding { tenant: ORIGIN, record: &record, version, request: request.as_deref(), requester: &person };
    let sealed = seal(&DataKey::from_bytes(*key), &recipient.0, &binding).expect("sealed");
    SealedDataKey { enc: base64url(&sealed.enc), ciphertext: base64url(&sealed.ciphertext) }
}

fn search(store: &Store, query: &str) -> Vec<SearchHit> {
    let query = TokenQuery::parse(query).expect("a token query");
    let has = |event: &StoredEvent, token: &Token| {
        let part = store.private.get(&(event.at.stream, event.at.seq));
        part.and_then(|part| part.get("tokens"))
            .is_some_and(|tokens| tokens.value.split(' ').any(|one| one == token.to_string()))
    };
    let events = store.streams.values().flatten();
    let found = events.filter(|event| query.matches(|token| has(event, token)));
    found
        .map(|event| {
            let opened = event.open().expect("ours");
            let command = opened.command.expect("announced");
            let Action::RecordAnnounce(announced) = &command.action else { panic!("only these have tokens") };
            SearchHit {
                record: announced.record,
                version: announced.version,
                owner: command.claims.act.expect("a person"),
                media_type: announced.media_type.clone(),
                body_bytes: announced.body_bytes,
                at: opened.at_ms,
                event: Receipt::from(event),
            }
        })
        .collect()
}
