//! What people who mean ill, or err, send: each with planted values where a careless line would take them from.

use chartseal_events::encoding::base64url;
use chartseal_events::jws::{COMMAND_TYP, READ_TYP};
use chartseal_local::{Operation, operations};
use chartseal_tests::{Hands, Hospital, Liar, Stack};
use serde_json::{Value, json};

use super::planted::Planted;

/// Sends nonsense to every route, and wakes every function with it.
pub fn everywhere(stack: &Stack, way: &Liar, anna: &Hospital, planted: &mut Planted) {
    over_http(stack, way, planted);
    by_events(stack, planted);
    behind_its_back(stack, anna, planted);
}

fn over_http(stack: &Stack, way: &Liar, planted: &mut Planted) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let url = format!("{}{path}", way.api);
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = agent.run(request.body(body.to_vec()).expect("a request")).expect("an answer");
        assert!(answer.status().as_u16() < 500, "{method} {path}: {}", answer.status());
    };
    let document = std::fs::read_to_string(stack.workspace.root().join("docs/openapi.json")).expect("the document");
    for Operation { method, path: pattern, .. } in operations(&document).expect("an OpenAPI document") {
        let segment = planted.word(&format!("{method} {pattern}: path"));
        let query = planted.word(&format!("{method} {pattern}: query"));
        let header = planted.word(&format!("{method} {pattern}: header"));
        let body = planted.text(&format!("{method} {pattern}: body"));
        let named: String = pattern
            .split('{')
            .map(|part| part.split_once('}').map_or(part.to_owned(), |(_, rest)| format!("{segment}{rest}")))
            .collect();
        let path = format!("{named}?{query}={query}&cursor={query}&limit={query}");
        let trace = format!("Root=1-{header};Parent={header};Sampled={header}");
        let headers = [
            ("authorization", header.as_str()),
            ("x-amzn-trace-id", &trace),
            ("x-request-id", &header),
            ("user-agent", &header),
        ];
        send(&method, &path, &headers, body.as_bytes());

        // Well formed as far as it gets, with a planted value at each depth.
        let jws = |typ: &str, kid: &str, claims: &Value| {
            let head = json!({"alg": "EdDSA", "kid": kid, "typ": typ});
            [head.to_string(), claims.to_string(), "s".repeat(64)].map(|part| base64url(part.as_bytes())).join(".")
        };
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let read = jws(READ_TYP, id, &json!({"aud": body, "iat": 1, "exp": 2, "htm": method, "htu": body}));
        let command =
            jws(COMMAND_TYP, id, &json!({"aud": body, "iat": 1, "jti": body, "typ": body, "private": {&body: body}}));
        let typed = jws(COMMAND_TYP, &body, &json!({}));
        let bodies = [
            json!({ "command": command, "private": {&body: {"value": body, "salt": body}}, "header": body })
                .to_string(),
            json!({ "command": typed }).to_string(),
            json!({ "command": body, &body: body }).to_string(),
            json!({ "blinded": [body] }).to_string(),
            format!("{{\"{segment}"),
        ];
        let bearer = format!("Bearer {read}");
        planted.secret("a made-up token", &read);
        planted.secret("a made-up command", &command);
        for body in bodies {
            let whole = pattern.replace("{id}", id).replace("{kid}", &"A".repeat(43));
            send(&method, &whole, &[("authorization", &bearer)], body.as_bytes());
        }
    }
    let nowhere = planted.word("a path that is no route");
    send("GET", &format!("/{nowhere}/{nowhere}"), &[], b"");
    send("DELETE", &format!("/records/{nowhere}"), &[], nowhere.as_bytes());
    let long = planted.text("a body that is too long").repeat(5_000);
    send("POST", "/records", &[], long.as_bytes());
}

/// Payloads that nothing but a mistake, or an administrator, could send.
fn by_events(stack: &Stack, planted: &mut Planted) {
    let mut nonsense = Vec::new();
    for function in stack.outputs.functions.keys() {
        let text = planted.text(&format!("{function}: payload"));
        let call = json!({"requestContext": {"http": text}, "rawPath": text, "version": "2.0"});
        let payloads = [json!(text), json!({ &text: text }), json!([text]), call];
        nonsense.extend(payloads.map(|payload| (function.as_str(), payload)));
    }
    // Whether they fail is another question.
    Hands(stack).invoke_all(&nonsense);

    let (text, id) = (planted.text("a task"), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    let tasks = [
        json!({"task": text, "request": id}),
        json!({"task": "verify", "request": text}),
        json!({"task": "verify", "request": id, "trace": text}),
        json!({"task": "await", "request": id, "token": text}),
        json!({"task": "await", "request": id, "token": text, &text: text}),
    ];
    let answered = Hands(stack).invoke_all(&tasks.map(|payload| ("workflow", payload)));
    assert!(!answered.contains(&true), "no such request or task");

    let keys = |stream: &str, seq: &str| {
        let keys = json!({"stream": {"S": stream}, "seq": {"N": seq}});
        json!({"Records": [{"dynamodb": {"Keys": keys, "SequenceNumber": "1"}}]})
    };
    let stream = format!("record/{text}");
    let batches = [keys(&text, "0"), keys(&stream, &text), keys(&stream, "0"), keys(&format!("record/{id}"), "7")];
    let objects =
        [text.clone(), format!("records/{text}"), format!("records/{id}/1/{text}"), format!("records/{id}/1/1")];
    let objects = objects.map(|key| json!({"detail": {"object": {"key": key}}}));
    let passed_over: Vec<_> = batches.map(|payload| ("consumer", payload)).into_iter().collect();
    let passed_over = [passed_over, objects.map(|payload| ("commit", payload)).to_vec()].concat();
    assert!(!Hands(stack).invoke_all(&passed_over).contains(&false), "they pass over what is no event, and not ours");
}

/// Stored bytes that somebody changed: the vault stops, and its error must not quote them.
fn behind_its_back(stack: &Stack, anna: &Hospital, planted: &mut Planted) {
    let hands = Hands(stack);
    let record = anna.create_record().expect("created").record;
    let text = planted.word("a changed event");
    let from = r#""version":1"#;
    hands.forge_event(&format!("record/{record}"), 0, from, &format!(r#""version":"{text}""#));
    let error = anna.record(record).expect_err("the stream cannot be read");
    assert_eq!(error.code(), "internal");
    // What was put there is in the table by our own hand; let the look for what is in the open not find it.
    hands.forge_event(&format!("record/{record}"), 0, &format!(r#""version":"{text}""#), from);
}
