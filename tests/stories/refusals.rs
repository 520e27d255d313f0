//! Bad input: every malformed, foreign, stale or oversized thing gets a clear problem with a stable code, and leaves nothing behind.

use chartseal_cli::{Client, RawAnswer, SignedCommand, Wallet};
use chartseal_events::command::{
    AccessRequest, Claims, ProviderInvite, ProviderSuspend, ProviderVerify, RecordCreate, RecordKey, RecordVersion,
    SearchPerform,
};
use chartseal_events::encoding::base64url;
use chartseal_events::jws::{COMMAND_TYP, Jws, READ_TYP, ReadClaims};
use chartseal_events::limits::MAX_RECORD_BODY_BYTES;
use chartseal_events::purpose::Purpose;
use chartseal_events::wire::Problem;
use chartseal_events::{Action, Code, Command, Hash, Id};
use chartseal_tests::{Hands, Hospital, Stack, sample};
use serde_json::json;

/// The code of a problem, whose document must be whole.
fn code(answer: &RawAnswer) -> Code {
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_else(|error| {
        panic!("{error}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    });
    assert_eq!(problem.status, answer.status);
    assert!(!problem.request_id.is_empty() && !problem.detail.is_empty());
    let code = Code::from_name(&problem.code).expect("a documented code");
    assert_eq!(code.status(), answer.status);
    assert_ne!(code, Code::Internal);
    code
}

fn post(client: &Client, path: &str, body: &[u8]) -> Code {
    code(&client.vault.post_raw(path, body).expect("an answer"))
}

fn send(client: &Client, path: &str, action: impl Into<Action>, private: &[(&str, &str)]) -> Code {
    let signed = client.sign(action, private).expect("signed");
    post(client, path, &signed.body(None))
}

/// The same command with other claims.
fn resigned(client: &Client, signed: &SignedCommand, change: impl Fn(&mut Claims)) -> SignedCommand {
    let mut claims = signed.command.claims.clone();
    change(&mut claims);
    let wallet = &client.wallet;
    let command =
        Command::sign(wallet.kid(), claims, signed.command.action.clone(), &signed.private, wallet.signing_key());
    SignedCommand { command, private: signed.private.clone() }
}

#[test]
fn bodies_that_are_no_commands() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let good = String::from_utf8(anna.sign(RecordCreate {}, &[]).expect("signed").body(None)).expect("JSON");
    let refused = |body: &str| post(&anna, "/records", body.as_bytes());
    assert_eq!(refused(""), Code::MalformedJson);
    assert_eq!(refused("{"), Code::MalformedJson);
    assert_eq!(refused("[]"), Code::MalformedJson);
    assert_eq!(refused(&good.replacen('{', r#"{"more":1,"#, 1)), Code::MalformedJson);
    assert_eq!(refused(&good.replacen('{', r#"{"private":{},"#, 1)), Code::MalformedJson, "a member twice");
    assert_eq!(refused(r#"{"command":"x"}"#), Code::MalformedCommand);
    assert_eq!(refused(&format!("{}{}", good, " ".repeat(70_000))), Code::BodyTooLarge);
    assert_eq!(refused(&format!(r#"{{"command":"{}"}}"#, "a".repeat(20_000))), Code::MalformedCommand);
    assert_eq!(code(&anna.vault.post_raw("/records", &[0xff, 0xfe]).expect("an answer")), Code::MalformedJson);
}

#[test]
fn algorithm_games_and_foreign_signatures() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let text = anna.sign(RecordCreate {}, &[]).expect("signed").command.jws().text().to_owned();
    let (_, rest) = text.split_once('.').expect("three parts");
    let kid = anna.wallet.kid();
    let with_header = |header: String| {
        let command = format!("{}.{rest}", base64url(header.as_bytes()));
        post(&anna, "/records", json!({ "command": command }).to_string().as_bytes())
    };
    for alg in ["none", "HS256", "ES256"] {
        assert_eq!(
            with_header(format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"{COMMAND_TYP}"}}"#)),
            Code::BadAlgorithm
        );
    }
    let jwk = format!(r#"{{"alg":"EdDSA","jwk":{{}},"kid":"{kid}","typ":"{COMMAND_TYP}"}}"#);
    assert_eq!(with_header(jwk), Code::MalformedCommand);
    assert_eq!(with_header(format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"{READ_TYP}"}}"#)), Code::MalformedCommand);

    let other = Wallet::generate().expect("a wallet");
    let signed = anna.sign(RecordCreate {}, &[]).expect("signed");
    let forged =
        Command::sign(kid, signed.command.claims.clone(), RecordCreate {}.into(), &signed.private, other.signing_key());
    let forged = SignedCommand { command: forged, private: signed.private };
    assert_eq!(post(&anna, "/records", &forged.body(None)), Code::SignatureInvalid);
    let nobody = Client::new(stack.vault(), other);
    assert_eq!(send(&nobody, "/records", RecordCreate {}, &[]), Code::UnknownSigner);
}

#[test]
fn clocks_audiences_and_ids() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let signed = anna.sign(RecordCreate {}, &[]).expect("signed");
    let refused = |change: &dyn Fn(&mut Claims)| post(&anna, "/records", &resigned(&anna, &signed, change).body(None));
    assert_eq!(refused(&|claims| claims.iat -= 300), Code::ClockSkew);
    assert_eq!(refused(&|claims| claims.iat += 300), Code::ClockSkew);
    assert_eq!(refused(&|claims| claims.aud = "another.vault".to_owned()), Code::WrongAudience);
    assert_eq!(refused(&|claims| claims.jti = Id::from_parts(1, [1; 10])), Code::BadJti);
    assert_eq!(refused(&|claims| claims.act = Some(Id::from_parts(1, [1; 10]))), Code::NotMember);

    let id = Id::from_parts(1, [1; 10]);
    assert_eq!(send(&anna, &format!("/records/{id}/versions"), RecordVersion { record: id }, &[]), Code::NotFound);
    let lower = id.to_string().to_lowercase();
    assert_eq!(send(&anna, &format!("/records/{lower}/versions"), RecordVersion { record: id }, &[]), Code::BadId);
    let other = Id::from_parts(2, [2; 10]);
    assert_eq!(
        send(&anna, &format!("/records/{other}/versions"), RecordVersion { record: id }, &[]),
        Code::PathMismatch
    );
    assert_eq!(send(&anna, "/records", RecordVersion { record: id }, &[]), Code::WrongCommand);
}

#[test]
fn a_clock_that_is_off_corrects_itself_once() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    for offset_ms in [-900_000, 900_000] {
        let vault = stack.vault_at(&stack.api);
        vault.set_clock_offset_ms(offset_ms);
        let off = anna.by_way_of(vault);
        off.create_record().expect("the client corrects itself from the Date header");
        off.records(10).expect("and reads");
    }
}

#[test]
fn read_tokens_are_for_one_reader_path_and_minute() {
    let stack = Stack::usual();
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let record = anna.keep(sample(10).path(), &[]).record;
    let path = format!("/records/{record}");
    let get = |token: Option<&str>| {
        let answer = anna.vault.get_raw(&path, token).expect("an answer");
        if answer.status == 200 { None } else { Some(code(&answer)) }
    };
    let token = anna.read_token("GET", &path);
    assert_eq!(get(Some(&token)), None);
    assert_eq!(get(Some(&token)), None, "a read may be repeated");
    assert_eq!(get(None), Some(Code::MissingToken));
    assert_eq!(get(Some("abc")), Some(Code::MalformedToken));
    assert_eq!(get(Some(&anna.read_token("POST", &path))), Some(Code::TokenTarget));
    assert_eq!(get(Some(&anna.read_token("GET", "/records"))), Some(Code::TokenTarget));
    assert_eq!(get(Some(&benedikt.read_token("GET", &path))), Some(Code::NotFound), "a stranger");

    let now = anna.vault.now_ms() / 1000;
    let claims = |iat: u64, exp: u64| ReadClaims {
        aud: stack.vault().origin().to_owned(),
        iat,
        exp,
        htm: "GET".to_owned(),
        htu: path.clone(),
        act: anna.wallet.provider(),
    };
    let sign = |claims: &ReadClaims, key| {
        let payload = serde_json::to_vec(claims).expect("JSON");
        Jws::sign(READ_TYP, anna.wallet.kid(), &payload, key).text().to_owned()
    };
    let key = anna.wallet.signing_key();
    assert_eq!(get(Some(&sign(&claims(now - 70, now - 10), key))), Some(Code::TokenExpired));
    assert_eq!(get(Some(&sign(&claims(now, now + 600), key))), Some(Code::TokenExpired));
    assert_eq!(get(Some(&sign(&claims(now - 600, now - 540), key))), Some(Code::ClockSkew));
    let foreign = ReadClaims { aud: "another.vault".to_owned(), ..claims(now, now + 60) };
    assert_eq!(get(Some(&sign(&foreign, key))), Some(Code::WrongAudience));
    assert_eq!(get(Some(&sign(&claims(now, now + 60), benedikt.wallet.signing_key()))), Some(Code::SignatureInvalid));
    let command = anna.sign(RecordCreate {}, &[]).expect("signed");
    assert_eq!(get(Some(command.command.jws().text())), Some(Code::MalformedToken), "a command is no token");
}

#[test]
fn strangers_get_404_for_what_they_may_not_see() {
    let stack = Stack::usual();
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let carla = Hospital::verified(stack, "St. Carla");
    let record = anna.keep(sample(10).path(), &[]).record;
    let request = benedikt.ask(record);
    let get = |path: &str| code(&carla.vault.get_raw(path, Some(&carla.read_token("GET", path))).expect("an answer"));
    assert_eq!(get(&format!("/records/{record}")), Code::NotFound);
    assert_eq!(get(&format!("/requests/{request}")), Code::NotFound);
    assert_eq!(get(&format!("/records/{}", Id::from_parts(1, [1; 10]))), Code::NotFound);
    assert_eq!(send(&carla, &format!("/records/{record}/key"), RecordKey { record, version: 1 }, &[]), Code::NotFound);
    assert_eq!(send(&carla, &format!("/records/{record}/versions"), RecordVersion { record }, &[]), Code::NotFound);
    let issue = chartseal_events::command::KeyIssue { request, record };
    assert_eq!(send(&carla, &format!("/requests/{request}/key"), issue, &[]), Code::NotFound);
    assert!(carla.records(10).expect("listed").is_empty());
    assert!(carla.requests(10).expect("listed").is_empty());
    let missing = carla.vault.get_raw("/no/such/route", None).expect("an answer");
    assert_eq!(code(&missing), Code::NoRoute);
}

#[test]
fn asking_for_a_record_does_not_open_its_history() {
    let stack = Stack::usual();
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let record = anna.keep(sample(10).path(), &[]).record;
    let stream = chartseal_events::StreamId::Record(record);
    let request = benedikt.ask(record);
    let shown = |client: &Client| {
        client.request(request).expect("shown").view.evidence.expect("evidence").0.contains_key(&stream)
    };
    assert!(!shown(&benedikt), "not by asking");
    let operator = stack.operator();
    let looked_at = operator.wait_request(request, "verified", chartseal_tests::people::PATIENCE).expect("verified");
    assert!(shown(&operator) && shown(&anna), "operators and the owner see it");
    assert!(!shown(&benedikt), "not by waiting");
    operator.deny(&looked_at, "no").expect("denied");
    assert!(!shown(&benedikt), "not after a denial");
    let granted = benedikt.granted(stack, record);
    let evidence = benedikt.request(granted).expect("shown").view.evidence.expect("evidence");
    assert!(evidence.0.contains_key(&stream), "with a live grant");
}

#[test]
fn only_operators_govern() {
    let stack = Stack::usual();
    let (anna, pending) = (Hospital::verified(stack, "St. Anna"), Hospital::pending(stack, "St. Pia"));
    let invite = ProviderInvite { code_hash: Hash([1; 32]), expires_at: anna.vault.now_ms() + 60_000 };
    assert_eq!(send(&anna, "/invitations", invite, &[]), Code::NotOperator);
    let provider = pending.id();
    let verify = ProviderVerify { provider, head: Hash([1; 32]) };
    assert_eq!(send(&anna, &format!("/providers/{provider}/verify"), verify.clone(), &[]), Code::NotOperator);
    assert_eq!(send(&stack.operator(), &format!("/providers/{provider}/verify"), verify, &[]), Code::HeadMoved);
    let suspend = ProviderSuspend { provider };
    assert_eq!(send(&anna, &format!("/providers/{provider}/suspend"), suspend, &[("reason", "x")]), Code::NotOperator);
    assert_eq!(send(&pending, "/records", RecordCreate {}, &[]), Code::ProviderPending);
}

#[test]
fn a_suspended_provider_can_do_nothing() {
    let stack = Stack::usual();
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let record = anna.keep(sample(10).path(), &[]).record;
    let request = benedikt.granted(stack, record);
    benedikt.fetch(chartseal_cli::DownloadOf::Request(request)).0.expect("a live grant");
    let repeated = benedikt.sign(chartseal_events::command::KeyIssue { request, record }, &[]).expect("signed");
    let key = format!("/requests/{request}/key");
    assert_eq!(benedikt.post(&key, &repeated, None).expect("an answer").status, 201);

    stack.operator().suspend_provider(benedikt.id(), "an inspection").expect("suspended");
    assert_eq!(
        code(&benedikt.post(&key, &repeated, None).expect("an answer")),
        Code::ProviderSuspended,
        "repeated or not"
    );
    assert_eq!(send(&benedikt, "/records", RecordCreate {}, &[]), Code::ProviderSuspended);
    let query = format!(r#"{{"any":[["{}"]]}}"#, base64url(&[7; 32]));
    assert_eq!(send(&benedikt, "/search", SearchPerform {}, &[("query", &query)]), Code::ProviderSuspended);
    let get =
        |path: &str| code(&benedikt.vault.get_raw(path, Some(&benedikt.read_token("GET", path))).expect("an answer"));
    assert_eq!(get("/records"), Code::ProviderSuspended);
    assert_eq!(benedikt.show_provider(benedikt.id()).expect("its own profile").profile.status, "suspended");

    let operator = stack.operator();
    let looked_at = operator.show_provider(benedikt.id()).expect("shown");
    operator.verify_provider(&looked_at).expect("reinstated");
    benedikt.fetch(chartseal_cli::DownloadOf::Request(request)).0.expect("the grant lives on");
}

#[test]
fn private_parts_must_open_their_commitments() {
    let stack = Stack::usual();
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let record = anna.keep(sample(10).path(), &[]).record;
    let path = format!("/records/{record}/requests");
    let ask = AccessRequest { record, version: 1, purpose: Purpose::Treatment, grant_seconds: 3_600 };
    let private = [("justification", "the patient is here")];
    let signed = benedikt.sign(ask.clone(), &private).expect("signed");
    let mut other = signed.clone();
    other.private.get_mut("justification").expect("there").value = "another reason".to_owned();
    assert_eq!(post(&benedikt, &path, &other.body(None)), Code::PrivateMismatch);
    let mut none = signed.clone();
    none.private.clear();
    assert_eq!(post(&benedikt, &path, &none.body(None)), Code::PrivateMismatch);
    assert_eq!(
        send(&benedikt, &path, ask.clone(), &[]),
        Code::MalformedCommand,
        "a required field is not committed to"
    );
    let long = "x".repeat(3_000);
    assert_eq!(send(&benedikt, &path, ask.clone(), &[("justification", &long)]), Code::BadField);
    let short = AccessRequest { grant_seconds: 1, ..ask.clone() };
    assert_eq!(send(&benedikt, &path, short, &private), Code::BadField);
    let text = signed.command.jws().text();
    let payload = String::from_utf8(signed.command.jws().payload().to_vec()).expect("JSON").replace("TREAT", "CURIOUS");
    let curious = Jws::sign(COMMAND_TYP, benedikt.wallet.kid(), payload.as_bytes(), benedikt.wallet.signing_key());
    assert_ne!(curious.text(), text);
    let body = json!({"command": curious.text(), "private": serde_json::from_slice::<serde_json::Value>(&signed.body(None)).expect("JSON")["private"]});
    assert_eq!(
        post(&benedikt, &path, body.to_string().as_bytes()),
        Code::MalformedCommand,
        "an unknown purpose of use"
    );
    assert_eq!(send(&anna, &path, ask, &private), Code::OwnRecord);
    assert!(benedikt.requests(10).expect("listed").is_empty(), "nothing of it was kept");
}

#[test]
fn too_many_terms_and_bad_queries() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let token = base64url(&[7; 32]);
    let created = anna.create_record().expect("created");
    let spooled = created.spool(&b"a record"[..]).expect("encrypted");
    let announcement = chartseal_events::command::Announcement {
        record: created.record,
        version: 1,
        media_type: "text/plain".to_owned(),
        suite: chartseal_events::command::SUITE.to_owned(),
        message_id: chartseal_events::Bytes(spooled.sealed.message_id),
        commitment: chartseal_events::Bytes(spooled.sealed.commitment),
        frame_bytes: spooled.sealed.frame_bytes.get(),
        body_bytes: spooled.sealed.body_bytes,
        frames_root: Hash(spooled.sealed.frames_root),
        parts_root: Hash(spooled.sealed.parts_root),
    };
    let path = format!("/records/{}/upload", created.record);
    let announce = |announcement: &chartseal_events::command::Announcement, tokens: &str, header: Option<&[u8]>| {
        let signed = anna.sign(announcement.clone(), &[("tokens", tokens)]).expect("signed");
        code(&anna.post(&path, &signed, header).expect("an answer"))
    };
    let header = spooled.sealed.header.as_slice();
    let many = (0..33u8).map(|index| base64url(&[index; 32])).collect::<Vec<_>>().join(" ");
    assert!([Code::TooManyTerms, Code::BadField].contains(&announce(&announcement, &many, Some(header))));
    assert_eq!(announce(&announcement, "no token", Some(header)), Code::BadField);
    let mut flipped = header.to_vec();
    flipped[40] ^= 1;
    assert_eq!(announce(&announcement, &token, Some(&flipped)), Code::HeaderMismatch);
    assert_eq!(announce(&announcement, &token, Some(&header[..20])), Code::HeaderMismatch);
    assert_eq!(announce(&announcement, &token, None), Code::MalformedJson, "no header at all");
    let mut lie = announcement.clone();
    lie.commitment.0[0] ^= 1;
    assert_eq!(announce(&lie, &token, Some(header)), Code::HeaderMismatch);
    lie = announcement.clone();
    lie.suite = "0578".to_owned();
    assert_eq!(announce(&lie, &token, Some(header)), Code::BadField);
    lie = announcement.clone();
    lie.body_bytes = MAX_RECORD_BODY_BYTES + 1;
    assert_eq!(announce(&lie, &token, Some(header)), Code::UploadTooLarge);
    lie = announcement;
    lie.media_type = "text/plain; charset=utf-8".to_owned();
    assert_eq!(announce(&lie, &token, Some(header)), Code::BadField);
    assert_eq!(anna.record(created.record).expect("shown").view.versions[0].state, "open");

    let search = |query: &str| send(&anna, "/search", SearchPerform {}, &[("query", query)]);
    assert_eq!(search("{"), Code::BadQuery);
    assert_eq!(search(r#"{"any":[],"more":1}"#), Code::BadQuery);
    assert_eq!(search(r#"{"any":[["not a token"]]}"#), Code::BadQuery);
    let clause = format!("[{}]", vec![format!("\"{token}\""); 9].join(","));
    assert!([Code::TooManyTerms, Code::BadQuery].contains(&search(&format!(r#"{{"any":[{clause}]}}"#))));
}

#[test]
fn blind_terms_are_limited() {
    let stack = Stack::hasty();
    let anna = Hospital::verified(stack, "St. Anna");
    let ask = |body: &serde_json::Value| {
        let token = anna.read_token("POST", "/tokens");
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        let request = agent.post(format!("{}/tokens", stack.api)).header("authorization", format!("Bearer {token}"));
        let mut answer = request.header("content-type", "application/json").send(body.to_string()).expect("an answer");
        let bytes = answer.body_mut().read_to_vec().expect("read");
        let raw = RawAnswer { status: answer.status().as_u16(), date_ms: None, body: bytes };
        if raw.status == 200 { None } else { Some(code(&raw)) }
    };
    let element = base64url(&[0xff; 32]);
    assert_eq!(ask(&json!({"blinded": [element]})), Some(Code::BadBlindedElement));
    assert_eq!(ask(&json!({"blinded": vec![element; 33]})), Some(Code::TooManyTerms));
    assert_eq!(ask(&json!({"blinded": [], "more": 1})), Some(Code::MalformedJson));
    // 40 a minute on this stack: the minute may turn once in between, never twice.
    let mut refused = false;
    for _ in 0..12 {
        let terms: Vec<_> =
            (0..10).map(|n| chartseal_ledger::terms::Term::parse(&format!("keyword:{n}")).expect("a term")).collect();
        refused |= anna.tokens(&terms).is_err_and(|error| error.code() == Code::TooManyRequests.name());
    }
    assert!(refused, "120 terms passed a limit of 40");
}

#[test]
fn refusals_leave_nothing_behind() {
    // A stack of its own would be needed to count everything; one provider's streams are enough.
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let streams_before = anna.show_provider(anna.id()).expect("shown").profile.evidence;
    let _ = send(&anna, "/records", RecordVersion { record: Id::from_parts(1, [1; 10]) }, &[]);
    let _ = post(&anna, "/records", b"{}");
    let invite = ProviderInvite { code_hash: Hash([1; 32]), expires_at: anna.vault.now_ms() + 60_000 };
    let _ = send(&anna, "/invitations", invite, &[]);
    assert_eq!(anna.show_provider(anna.id()).expect("shown").profile.evidence, streams_before);
    assert!(anna.records(10).expect("listed").is_empty());
    let inventory = Hands(stack).inventory();
    assert!(inventory["objects"].as_u64().is_some());
}
