//! What every route refuses before it does anything: calls that are no calls, commands and tokens that are not what they should be.

use chartseal_events::command::{Claims, ProviderInvite, ProviderSuspend};
use chartseal_events::encoding::base64url;
use chartseal_events::jws::{COMMAND_TYP, Jws, READ_TYP, ReadClaims};
use chartseal_events::limits::MAX_BODY_BYTES;
use chartseal_events::private::PrivatePart;
use chartseal_events::{Action, Code, Command, Hash, Id, Kid};
use chartseal_http::testing::{ORIGIN, Stage, Wallet, call, refused};
use chartseal_http::{
    Access, Answer, Failure, Incoming, PathValues, Reader, Route, Service, accept, admit, authenticate, reader, same,
};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::Clock as _;

/// A function with one route of each kind.
struct Small(MemoryVault);

#[derive(Clone, Copy)]
enum Call {
    Suspend,
    Read,
    ReadInAnyState,
}

impl Service for Small {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = &[
        Route {
            method: "POST",
            pattern: "/providers/{id}/suspend",
            access: Access::Command,
            call: Call::Suspend,
            codes: &[Code::NotOperator, Code::NotRegistered, Code::AlreadySuspended],
        },
        Route { method: "GET", pattern: "/small/{id}", access: Access::Read, call: Call::Read, codes: &[] },
        Route { method: "GET", pattern: "/open", access: Access::Read, call: Call::ReadInAnyState, codes: &[] },
    ];

    async fn handle(&self, call: Call, incoming: &Incoming, path: &PathValues) -> Result<Answer, Failure> {
        let now_ms = self.0.now_ms();
        match call {
            Call::Suspend => {
                let admitted = admit(incoming, ORIGIN, now_ms)?;
                let Action::ProviderSuspend(fields) = &admitted.command.action else {
                    return Err(Code::WrongCommand.into());
                };
                same("provider", path.id("id")?, fields.provider)?;
                accept(&self.0, &self.0, &admitted).await
            }
            Call::Read => {
                let who = match reader(incoming, ORIGIN, &self.0, now_ms).await? {
                    Reader::Operator(_) => "operator".to_owned(),
                    Reader::Auditor(_) => "auditor".to_owned(),
                    Reader::Member { provider, .. } => provider.to_string(),
                };
                path.id("id")?;
                Answer::ok(&who)
            }
            Call::ReadInAnyState => {
                authenticate(incoming, ORIGIN, &self.0, now_ms).await?;
                Answer::ok(&())
            }
        }
    }
}

struct Story {
    stage: Stage,
    small: Small,
    hospital: Wallet,
    path: String,
}

impl Story {
    async fn begin() -> Self {
        let stage = Stage::new().await;
        let hospital = stage.hospital("St. Mary").await;
        let path = format!("/providers/{}/suspend", hospital.provider());
        Self { small: Small(stage.vault.clone()), stage, hospital, path }
    }

    fn suspend(&self) -> ProviderSuspend {
        ProviderSuspend { provider: self.hospital.provider() }
    }

    fn good(&self) -> Incoming {
        self.stage.post(&self.stage.operator, &self.path, self.suspend(), &[("reason", "an audit")])
    }

    /// A call whose body this changed, as text.
    fn with_body(&self, change: impl FnOnce(String) -> String) -> Incoming {
        let good = self.good();
        let body = change(String::from_utf8(good.body.clone()).expect("JSON is text"));
        Incoming { body: body.into_bytes(), ..good }
    }

    async fn refused(&self, incoming: &Incoming) -> Code {
        let before = self.stage.vault.events().len();
        let code = refused(&call(&self.small, incoming).await);
        assert_eq!(self.stage.vault.events().len(), before, "a refused call leaves nothing behind");
        code
    }
}

#[tokio::test]
async fn a_body_is_exactly_the_documented_json() {
    let story = Story::begin().await;
    for (what, body) in [
        ("nothing", String::new()),
        ("no JSON", "{".to_owned()),
        ("an array", "[]".to_owned()),
        ("no command", r#"{"private":{}}"#.to_owned()),
        ("a number", r#"{"command":1,"private":{}}"#.to_owned()),
    ] {
        assert_eq!(story.refused(&story.with_body(|_| body)).await, Code::MalformedJson, "{what}");
    }
    let member = |text: &str| story.with_body(|body| body.replacen('{', &format!("{{{text},"), 1));
    assert_eq!(story.refused(&member(r#""extra":1"#)).await, Code::MalformedJson, "an unknown member");
    assert_eq!(story.refused(&member(r#""private":{}"#)).await, Code::MalformedJson, "a member that stands twice");
    assert_eq!(story.refused(&member(r#""header":"AA""#)).await, Code::MalformedJson, "a header where none is taken");
    let trailing = story.with_body(|body| format!("{body} {{}}"));
    assert_eq!(story.refused(&trailing).await, Code::MalformedJson, "something behind the object");
    let not_text = Incoming { body: vec![0xFF; 8], ..story.good() };
    assert_eq!(story.refused(&not_text).await, Code::MalformedJson, "no UTF-8");
    let spaces = story.with_body(|body| format!("{body}{}", " ".repeat(MAX_BODY_BYTES)));
    assert_eq!(story.refused(&spaces).await, Code::BodyTooLarge);
    assert_eq!(call(&story.small, &story.good()).await.status, 201);
}

#[tokio::test]
async fn a_command_is_for_this_route_and_path() {
    let story = Story::begin().await;
    let (stage, operator) = (&story.stage, &story.stage.operator);
    let invite = ProviderInvite { code_hash: Hash::ZERO, expires_at: stage.now_ms() + 1 };
    assert_eq!(story.refused(&stage.post(operator, &story.path, invite, &[])).await, Code::WrongCommand);

    let another = stage.registered("St. Elsewhere").await;
    let suspend = ProviderSuspend { provider: another.provider() };
    let elsewhere = stage.post(operator, &story.path, suspend, &[("reason", "x")]);
    assert_eq!(story.refused(&elsewhere).await, Code::PathMismatch);

    let lower = story.path.replace(&story.hospital.provider().to_string(), "01arz3ndektsv4rrffq69g5fav");
    assert_eq!(story.refused(&stage.post(operator, &lower, story.suspend(), &[("reason", "x")])).await, Code::BadId);
    for path in ["/providers", "/providers/x/suspend/y", "/", ""] {
        let call = stage.post(operator, path, story.suspend(), &[("reason", "x")]);
        assert_eq!(story.refused(&call).await, Code::NoRoute, "{path}");
    }
    let get = Incoming { method: "GET".to_owned(), ..story.good() };
    assert_eq!(story.refused(&get).await, Code::NoRoute);
}

#[tokio::test]
async fn a_command_is_for_this_vault_and_of_now() {
    let story = Story::begin().await;
    let (stage, operator) = (&story.stage, &story.stage.operator);
    let sign = |aud: &str, at_ms: u64, jti_ms: u64| {
        let claims = Claims { aud: aud.to_owned(), iat: at_ms / 1000, jti: Id::from_parts(jti_ms, [9; 10]), act: None };
        let (_, private) = stage.command(operator, story.suspend(), &[("reason", "x")]);
        let command = Command::sign(operator.kid, claims, story.suspend().into(), &private, &operator.key);
        stage.submit(&story.path, &command, &private, None)
    };
    let now = stage.now_ms();
    assert_eq!(story.refused(&sign("another.example", now, now)).await, Code::WrongAudience);
    assert_eq!(story.refused(&sign(ORIGIN, now - 121_000, now - 121_000)).await, Code::ClockSkew);
    assert_eq!(story.refused(&sign(ORIGIN, now + 121_000, now + 121_000)).await, Code::ClockSkew);
    assert_eq!(story.refused(&sign(ORIGIN, now, now - 3_600_000)).await, Code::BadJti);
}

#[tokio::test]
async fn a_private_part_opens_its_commitments() {
    let story = Story::begin().await;
    let other = story.with_body(|body| body.replace("an audit", "a whim"));
    assert_eq!(story.refused(&other).await, Code::PrivateMismatch, "another value");
    let (command, _) = story.stage.command(&story.stage.operator, story.suspend(), &[("reason", "x")]);
    let none = story.stage.submit(&story.path, &command, &PrivatePart::new(), None);
    assert_eq!(story.refused(&none).await, Code::PrivateMismatch, "left out");
    let long = "x".repeat(1_001);
    let long = story.stage.post(&story.stage.operator, &story.path, story.suspend(), &[("reason", &long)]);
    assert_eq!(story.refused(&long).await, Code::BadField, "too long");
    let more = [("reason", "x"), ("colour", "red")];
    let more = story.stage.post(&story.stage.operator, &story.path, story.suspend(), &more);
    assert_eq!(story.refused(&more).await, Code::MalformedCommand, "a field that it does not have");
}

/// A JWS with this header and payload, signed by the operator, whatever the header says.
fn crafted(wallet: &Wallet, header: &str, payload: &[u8]) -> String {
    use ed25519_dalek::Signer as _;
    let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(payload));
    let signature = wallet.key.sign(signed.as_bytes());
    format!("{signed}.{}", base64url(&signature.to_bytes()))
}

#[tokio::test]
async fn signatures_are_eddsa_by_the_named_person_or_nothing() {
    let story = Story::begin().await;
    let operator = &story.stage.operator;
    let (command, private) = story.stage.command(operator, story.suspend(), &[("reason", "x")]);
    let payload = command.jws().payload().to_vec();
    let kid = operator.kid;
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, operator.sign_key());
    for (header, expected) in [
        (format!(r#"{{"alg":"none","kid":"{kid}","typ":"{COMMAND_TYP}"}}"#), Code::BadAlgorithm),
        (format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"{COMMAND_TYP}"}}"#), Code::BadAlgorithm),
        (format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"{READ_TYP}"}}"#), Code::MalformedCommand),
        (format!(r#"{{"alg":"EdDSA","jwk":{jwk},"kid":"{kid}","typ":"{COMMAND_TYP}"}}"#), Code::MalformedCommand),
        (format!(r#"{{"alg":"EdDSA","crit":["x"],"kid":"{kid}","typ":"{COMMAND_TYP}"}}"#), Code::MalformedCommand),
        (
            format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"{COMMAND_TYP}"}}"#, Wallet::operator(1).kid),
            Code::UnknownSigner,
        ),
    ] {
        let text = crafted(operator, &header, &payload);
        let body = format!(
            r#"{{"command":"{text}","private":{{"reason":{{"salt":"{}","value":"x"}}}}}}"#,
            private["reason"].salt
        );
        assert_eq!(story.refused(&story.with_body(|_| body)).await, expected, "{header}");
    }

    // Signed by somebody else under the operator's name.
    let forged = Wallet { kid: operator.kid, ..Wallet::operator(2) };
    let forged = story.stage.post(&forged, &story.path, story.suspend(), &[("reason", "x")]);
    assert_eq!(story.refused(&forged).await, Code::SignatureInvalid);
    let unsigned = command.jws().text().rsplit_once('.').expect("three parts").0;
    let body = format!(r#"{{"command":"{unsigned}.","private":{{}}}}"#);
    assert_eq!(story.refused(&story.with_body(|_| body)).await, Code::MalformedCommand, "not signed at all");
}

#[tokio::test]
async fn the_same_command_twice_is_one_event_and_another_under_its_jti_is_refused() {
    let story = Story::begin().await;
    let good = story.good();
    let first = call(&story.small, &good).await;
    let events = story.stage.vault.events().len();
    let second = call(&story.small, &good).await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(first.json, second.json, "the same answer");
    assert_eq!(story.stage.vault.events().len(), events);

    let jti = Id::from_parts(story.stage.now_ms(), [7; 10]);
    let sign = |reason: &str| {
        let (_, private) = story.stage.command(&story.stage.operator, story.suspend(), &[("reason", reason)]);
        let command = story.stage.operator.sign(ORIGIN, story.stage.now_ms(), jti, story.suspend().into(), &private);
        story.stage.submit(&story.path, &command, &private, None)
    };
    story.stage.verified(story.hospital.provider()).await;
    assert_eq!(call(&story.small, &sign("one")).await.status, 201);
    assert_eq!(story.refused(&sign("another")).await, Code::JtiReused);
}

#[tokio::test]
async fn a_read_needs_a_token_for_this_vault_method_path_and_minute() {
    let story = Story::begin().await;
    let (stage, hospital) = (&story.stage, &story.hospital);
    let path = format!("/small/{}", hospital.provider());
    let plain = stage.send("GET", &path, "");
    let claims = stage.claims(hospital, &plain);
    let with = |authorization: String| Incoming { authorization: Some(authorization), ..plain.clone() };
    let token = |claims: ReadClaims| with(hospital.bearer(&claims));

    assert_eq!(call(&story.small, &token(claims.clone())).await.status, 200);
    assert_eq!(story.refused(&plain).await, Code::MissingToken);
    assert_eq!(story.refused(&with("Basic eDp5".to_owned())).await, Code::MissingToken);
    assert_eq!(story.refused(&with("Bearer".to_owned())).await, Code::MissingToken);
    assert_eq!(story.refused(&with("Bearer a.b.c".to_owned())).await, Code::MalformedToken);
    let aud = "another.example".to_owned();
    assert_eq!(story.refused(&token(ReadClaims { aud, ..claims.clone() })).await, Code::WrongAudience);
    let exp = claims.iat + 61;
    assert_eq!(story.refused(&token(ReadClaims { exp, ..claims.clone() })).await, Code::TokenExpired);
    let (iat, exp) = (claims.iat - 90, claims.iat - 30);
    assert_eq!(story.refused(&token(ReadClaims { iat, exp, ..claims.clone() })).await, Code::TokenExpired);
    let (iat, exp) = (claims.iat + 300, claims.iat + 330);
    assert_eq!(story.refused(&token(ReadClaims { iat, exp, ..claims.clone() })).await, Code::ClockSkew);
    let htm = "POST".to_owned();
    assert_eq!(story.refused(&token(ReadClaims { htm, ..claims.clone() })).await, Code::TokenTarget);
    let htu = "/open".to_owned();
    assert_eq!(story.refused(&token(ReadClaims { htu, ..claims.clone() })).await, Code::TokenTarget);
    assert_eq!(story.refused(&token(ReadClaims { act: None, ..claims.clone() })).await, Code::MalformedToken);
    let act = Some(stage.registered("St. Elsewhere").await.provider());
    assert_eq!(story.refused(&token(ReadClaims { act, ..claims.clone() })).await, Code::NotMember);

    // A command is no token, and a token is no command.
    let (command, _) = stage.command(&stage.operator, story.suspend(), &[("reason", "x")]);
    assert_eq!(story.refused(&with(format!("Bearer {}", command.jws().text()))).await, Code::MalformedToken);
    let bearer = hospital.bearer(&claims);
    let body = format!(r#"{{"command":"{}","private":{{}}}}"#, bearer.trim_start_matches("Bearer "));
    assert_eq!(story.refused(&story.with_body(|_| body)).await, Code::MalformedCommand);
}

#[tokio::test]
async fn a_token_is_signed_by_who_it_names() {
    let story = Story::begin().await;
    let (stage, hospital) = (&story.stage, &story.hospital);
    let path = format!("/small/{}", hospital.provider());
    let get = |wallet: &Wallet| stage.get(wallet, &path);
    assert_eq!(story.refused(&get(&Wallet::operator(1))).await, Code::UnknownSigner);
    let stranger = Wallet { kid: Kid::Person(Id::from_parts(1, [1; 10])), ..hospital.clone() };
    assert_eq!(story.refused(&get(&stranger)).await, Code::UnknownSigner);
    let thief = Wallet { key: Wallet::operator(3).key, ..hospital.clone() };
    assert_eq!(story.refused(&get(&thief)).await, Code::SignatureInvalid);
    let claims = serde_json::to_vec(&stage.claims(hospital, &stage.send("GET", &path, ""))).expect("JSON");
    for alg in ["none", "HS256", "ES256"] {
        let header = format!(r#"{{"alg":"{alg}","kid":"{}","typ":"{READ_TYP}"}}"#, hospital.kid);
        let authorization = Some(format!("Bearer {}", crafted(hospital, &header, &claims)));
        let call = Incoming { authorization, ..stage.send("GET", &path, "") };
        assert_eq!(story.refused(&call).await, Code::BadAlgorithm, "{alg}");
    }
    let unknown = Jws::sign(READ_TYP, hospital.kid, br#"{"aud":"vault.example","admin":true}"#, &hospital.key);
    let authorization = Some(format!("Bearer {}", unknown.text()));
    let call = Incoming { authorization, ..stage.send("GET", &path, "") };
    assert_eq!(story.refused(&call).await, Code::MalformedToken, "a claim that does not belong there");
}

#[tokio::test]
async fn pending_and_suspended_providers_read_nothing_but_what_is_for_any_state() {
    let story = Story::begin().await;
    let stage = &story.stage;
    let pending = stage.registered("St. Elsewhere").await;
    let path = format!("/small/{}", pending.provider());
    assert_eq!(story.refused(&stage.get(&pending, &path)).await, Code::ProviderPending);
    assert_eq!(call(&story.small, &stage.get(&pending, "/open")).await.status, 200);
    stage.suspended(story.hospital.provider()).await;
    assert_eq!(story.refused(&stage.get(&story.hospital, &path)).await, Code::ProviderSuspended);
    assert_eq!(call(&story.small, &stage.get(&story.hospital, "/open")).await.status, 200);
    assert_eq!(call(&story.small, &stage.get(&stage.operator, &path)).await.status, 200);
}
