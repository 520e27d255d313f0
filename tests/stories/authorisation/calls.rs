//! How each operation is called by each caller: whatever the answer will be, the call itself is well formed.

use std::sync::OnceLock;

use chartseal_cli::{Client, SignedCommand};
use chartseal_events::command::{
    AccessApprove, AccessDeny, AccessRequest, AuditorAdd, AuditorRemove, KeyIssue, OperatorAdd, OperatorRemove,
    ProviderInvite, ProviderRegister, ProviderSuspend, ProviderVerify, RecordCreate, RecordDownload, RecordKey,
    RecordVersion, RequestDownload, SearchPerform,
};
use chartseal_events::jws::{Jws, READ_TYP, ReadClaims};
use chartseal_events::purpose::Purpose;
use chartseal_events::wire::{CompleteRequest, PartDigest, PartsRequest};
use chartseal_events::{Action, Bytes, Command, Hash, Id, Kid};
use serde_json::json;

use super::cast::{Caller, Cast, On, a_token};
use super::table::{Access, Row};

/// A ristretto255 element (RFC 9496, the generator): as good a blinded term as any.
const ELEMENT: &str = "4vKuCmq8TnGohKlhxQBRX1jjC2qlgt2NtqZZReCNLXY";

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The content type.
    pub media_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What is sent.
#[derive(Debug, Default)]
struct Call {
    path: String,
    token: Option<String>,
    body: Option<Vec<u8>>,
}

/// Tries an operation on an object; a token that is for something else is tried in each way that it can be.
pub fn attempt(cast: &Cast<'_>, row: &Row, caller: Caller) -> Vec<Answer> {
    let (method, pattern) = row.operation.split_once(' ').expect("method and path");
    let path = path(cast, pattern, row.on);
    let calls = match row.access {
        Access::Command => vec![commanding(cast, row, pattern, &path, caller)],
        Access::Anyone => vec![Call { path, ..Call::default() }],
        Access::Read => {
            let other_method = if method == "GET" { "POST" } else { "GET" };
            let targets = match caller {
                Caller::Misdirected => vec![(other_method, path.clone()), (method, format!("{path}/more"))],
                _ => vec![(method, path.clone())],
            };
            let call = |(method, target): (&str, String)| Call {
                path: path.clone(),
                token: token(cast, caller, method, &target),
                body: question(cast, pattern),
            };
            targets.into_iter().map(call).collect()
        }
    };
    calls.iter().map(|call| send(cast, method, call)).collect()
}

/// The path of an object.
fn path(cast: &Cast<'_>, pattern: &str, on: On) -> String {
    if pattern.contains("{kid}") {
        return pattern.replace("{kid}", &cast.operator(on).to_string());
    }
    // The beginning of the log, which is there for ever.
    let genesis = cast.stack.vault().pin().genesis.to_string();
    let beginning = [("{tile}", "0/000.p/1"), ("{height}", "0"), ("{first}", "0"), ("{leaf}", &genesis)];
    if beginning.iter().any(|(place, _)| pattern.contains(place)) {
        return beginning.iter().fold(pattern.to_owned(), |path, (place, first)| path.replace(place, first));
    }
    if pattern.contains("{id}") { pattern.replace("{id}", &cast.id(on).to_string()) } else { pattern.to_owned() }
}

fn commanding(cast: &Cast<'_>, row: &Row, pattern: &str, path: &str, caller: Caller) -> Call {
    let header = pattern.ends_with("/upload").then_some(cast.announcement.1.as_slice());
    if caller == Caller::Nobody {
        return Call { path: path.to_owned(), body: Some(b"{}".to_vec()), ..Call::default() };
    }
    let (action, private) = action(cast, row, caller);
    if caller != Caller::Misdirected {
        let body = Some(signed(cast, caller, action, &private).body(header));
        return Call { path: path.to_owned(), body, ..Call::default() };
    }
    if pattern.contains('{') {
        let other = path_of_another(cast, pattern);
        return Call { path: other, body: Some(signed(cast, caller, action, &private).body(header)), token: None };
    }
    let action = RecordVersion { record: cast.id(On::NoRecord) }.into();
    Call { path: path.to_owned(), body: Some(signed(cast, caller, action, &[]).body(header)), token: None }
}

/// The path of something that no row is about.
fn path_of_another(cast: &Cast<'_>, pattern: &str) -> String {
    let kid = cast.client(Caller::Stranger).wallet.thumbprint();
    pattern.replace("{kid}", &kid.to_string()).replace("{id}", &Id::from_parts(2, [99; 10]).to_string())
}

/// Who is said to sign, and for whom.
fn identity(cast: &Cast<'_>, caller: Caller) -> (Kid, Option<Id>) {
    let (own, owner) = (&cast.client(caller).wallet, &cast.client(Caller::Owner).wallet);
    match caller {
        Caller::Forger => (owner.kid(), owner.provider()),
        Caller::Impostor => (own.kid(), owner.provider()),
        _ => (own.kid(), own.provider()),
    }
}

fn signed(cast: &Cast<'_>, caller: Caller, action: Action, private: &[(&str, &str)]) -> SignedCommand {
    let client = cast.client(caller);
    let signed = client.sign(action, private).expect("signed");
    let (kid, act) = identity(cast, caller);
    let claims = chartseal_events::command::Claims { act, ..signed.command.claims.clone() };
    let action = signed.command.action.clone();
    let command = Command::sign(kid, claims, action, &signed.private, client.wallet.signing_key());
    SignedCommand { command, private: signed.private }
}

/// A read token; nobody has none.
fn token(cast: &Cast<'_>, caller: Caller, method: &str, path: &str) -> Option<String> {
    if caller == Caller::Nobody {
        return None;
    }
    let (kid, act) = identity(cast, caller);
    let client = cast.client(caller);
    let iat = client.vault.now_ms() / 1000;
    let aud = client.vault.origin().to_owned();
    let claims = ReadClaims { aud, iat, exp: iat + 60, htm: method.to_owned(), htu: path.to_owned(), act };
    let payload = serde_json::to_vec(&claims).expect("JSON");
    Some(Jws::sign(READ_TYP, kid, &payload, client.wallet.signing_key()).text().to_owned())
}

/// The body of a read that has one.
fn question(cast: &Cast<'_>, pattern: &str) -> Option<Vec<u8>> {
    let message_id = cast.large_run;
    let body = match pattern {
        "/tokens" => json!({"blinded": [ELEMENT]}),
        "/records/{id}/upload/parts" => {
            let parts = vec![PartDigest { number: 1, sha256: Hash([1; 32]) }];
            json!(PartsRequest { version: 1, message_id, upload_id: None, parts })
        }
        "/records/{id}/upload/complete" => {
            json!(CompleteRequest { version: 1, message_id, upload_id: "no-such-upload".to_owned() })
        }
        _ => return None,
    };
    Some(body.to_string().into_bytes())
}

type Private = Vec<(&'static str, &'static str)>;

/// The command that an operation takes, about the row's object.
fn action(cast: &Cast<'_>, row: &Row, caller: Caller) -> (Action, Private) {
    let (on, head) = (row.on, cast.head(row.on));
    let none = Private::new();
    match row.operation {
        "POST /invitations" => {
            let expires_at = cast.stack.vault().now_ms() + 60_000;
            (ProviderInvite { code_hash: Hash([1; 32]), expires_at }.into(), none)
        }
        "POST /operators" => (OperatorAdd { sign_key: cast.spare.sign_key() }.into(), none),
        "POST /operators/{kid}/remove" => {
            (OperatorRemove { operator: cast.operator(on) }.into(), vec![("reason", "was there to be removed")])
        }
        "POST /auditors" => (AuditorAdd { sign_key: cast.spare_auditor.sign_key() }.into(), none),
        "POST /auditors/{kid}/remove" => {
            (AuditorRemove { auditor: cast.operator(on) }.into(), vec![("reason", "was there to be removed")])
        }
        "POST /providers" => registration(cast, on, cast.client(caller)),
        "POST /providers/{id}/verify" => (ProviderVerify { provider: cast.id(on), head }.into(), none),
        "POST /providers/{id}/suspend" => {
            (ProviderSuspend { provider: cast.id(on) }.into(), vec![("reason", "was there to be suspended")])
        }
        "POST /requests/{id}/approve" => (AccessApprove { request: cast.id(on), head }.into(), none),
        "POST /requests/{id}/deny" => (AccessDeny { request: cast.id(on), head }.into(), vec![("reason", "no")]),
        "POST /requests/{id}/key" => (KeyIssue { request: cast.id(on), record: cast.record_of(on) }.into(), none),
        "POST /requests/{id}/download" => {
            (RequestDownload { request: cast.id(on), record: cast.record_of(on) }.into(), none)
        }
        "POST /search" => {
            static QUERY: OnceLock<String> = OnceLock::new();
            let query = QUERY.get_or_init(|| format!(r#"{{"any":[["{}"]]}}"#, a_token()));
            (SearchPerform {}.into(), vec![("query", query.as_str())])
        }
        "POST /records" => (RecordCreate {}.into(), none),
        of_a_record => about_a_record(cast, of_a_record, cast.id(on)),
    }
}

fn about_a_record(cast: &Cast<'_>, operation: &str, record: Id) -> (Action, Private) {
    let none = Private::new();
    let version = 1;
    match operation {
        "POST /records/{id}/key" => (RecordKey { record, version }.into(), none),
        "POST /records/{id}/download" => (RecordDownload { record, version }.into(), none),
        "POST /records/{id}/versions" => (RecordVersion { record }.into(), none),
        "POST /records/{id}/upload" => {
            static TOKENS: OnceLock<String> = OnceLock::new();
            let mut announcement = cast.announcement.0.clone();
            announcement.record = record;
            (announcement.into(), vec![("tokens", TOKENS.get_or_init(a_token))])
        }
        "POST /records/{id}/requests" => {
            let purpose = Purpose::Treatment;
            let asked = AccessRequest { record, version, purpose, grant_seconds: 3_600 };
            (asked.into(), vec![("justification", "the patient is here")])
        }
        unknown => panic!("say in tests/stories/authorisation/calls.rs how {unknown} is called"),
    }
}

/// A registration of the caller's own keys, on an invitation that is there for this one attempt.
fn registration(cast: &Cast<'_>, on: On, caller: &Client) -> (Action, Private) {
    let invitation = cast.stack.operator().invite(None, 1).expect("invited").invitation;
    let provider = if on == On::NoProvider { cast.id(on) } else { invitation.provider };
    let code = if on == On::WrongCode { Bytes([5; 16]) } else { invitation.code };
    let (sign_key, seal_key) = (caller.wallet.sign_key(), caller.wallet.seal_key());
    let private = vec![("organisation", "St. Nova"), ("name", "Doctor"), ("phone", "+43 1 1")];
    (ProviderRegister { provider, code, sign_key, seal_key }.into(), private)
}

fn send(cast: &Cast<'_>, method: &str, call: &Call) -> Answer {
    static AGENT: OnceLock<ureq::Agent> = OnceLock::new();
    let agent =
        AGENT.get_or_init(|| ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into());
    let url = format!("{}{}", cast.stack.api, call.path);
    let authorization = call.token.as_ref().map(|token| format!("Bearer {token}"));
    let answer = if method == "GET" {
        let request = agent.get(url);
        match &authorization {
            Some(value) => request.header("authorization", value).call(),
            None => request.call(),
        }
    } else {
        let request = agent.post(url).header("content-type", "application/json");
        let body = call.body.as_deref().unwrap_or_default();
        match &authorization {
            Some(value) => request.header("authorization", value).send(body),
            None => request.send(body),
        }
    };
    let mut answer = answer.expect("an answer");
    let media_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default().to_owned();
    let status = answer.status().as_u16();
    Answer { status, media_type, body: answer.body_mut().read_to_vec().expect("read") }
}
