//! Between Lambda's HTTP events (API Gateway, payload 2.0) and [`answer`].

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_events::Code;
use chartseal_infra::telemetry::{TimeIsUp, Work, invocation, note};
use lambda_http::http::header::AUTHORIZATION;
use lambda_http::lambda_runtime::{LambdaEvent, run};
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt as _, service_fn};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::waking::{Unanswered, arrival};
use crate::{Answer, File, Incoming, Service, answer, problem};

/// Why a function stopped.
pub type Error = lambda_http::Error;

/// Serves invocations until Lambda ends the process.
pub async fn serve<S: Service>(service: S) -> Result<(), Error> {
    let service = &service;
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        let lambda_id = event.context.request_id.as_str();
        let mut request_id = lambda_id.to_owned();
        let work: Work<'_, Result<Answer, Unanswered>> = Box::pin(async {
            // Read here and not in the runtime, whose words for what is wrong quote the payload.
            let Ok(request) = lambda_http::request::from_str(event.payload.get()) else {
                note::failed(None, &Unanswered::Payload);
                return Err(Unanswered::Payload);
            };
            let incoming = incoming(&request, lambda_id);
            request_id.clone_from(&incoming.request_id);
            Ok(answer(service, &incoming).await)
        });
        let answer = match invocation(arrival(&event.context), work).await {
            Ok(done) => done?,
            Err(TimeIsUp) => problem(&Code::Unavailable.into(), &request_id),
        };
        Ok::<_, Error>(Reply::of(answer, SystemTime::now()))
    }))
    .await
}

fn incoming(request: &Request, lambda_id: &str) -> Incoming {
    let mut query = BTreeMap::new();
    for (name, value) in request.query_string_parameters_ref().into_iter().flat_map(|query| query.iter()) {
        query.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    Incoming {
        method: request.method().as_str().to_owned(),
        path: request.raw_http_path().to_owned(),
        query,
        authorization: request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned),
        body: request.body().as_ref().to_vec(),
        request_id: request_id(request, lambda_id),
    }
}

/// API Gateway's id of the call, which its own log has too; else Lambda's.
fn request_id(request: &Request, lambda_id: &str) -> String {
    let of_gateway = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    of_gateway.unwrap_or_else(|| lambda_id.to_owned())
}

/// An answer as API Gateway takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    status_code: u16,
    headers: BTreeMap<&'static str, String>,
    body: String,
    is_base64_encoded: bool,
}

impl Reply {
    /// Every answer says what time it is (RFC 9110 section 6.6.1), so that a client can correct its clock before it signs.
    fn of(answer: Answer, now: SystemTime) -> Self {
        let headers = [
            ("content-type", answer.media_type().to_owned()),
            ("cache-control", answer.cache.control()),
            ("x-content-type-options", "nosniff".to_owned()),
            ("date", httpdate::fmt_http_date(now)),
        ];
        let headers = BTreeMap::from(headers);
        let (body, is_base64_encoded) = match answer.file {
            None => (answer.json, false),
            Some(File::Text(text)) => (text, false),
            Some(File::Bytes(bytes)) => (STANDARD.encode(bytes), true),
        };
        Self { status_code: answer.status, headers, body, is_base64_encoded }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::Cache;

    fn sample(text: &str) -> Incoming {
        incoming(&lambda_http::request::from_str(text).expect("an invocation"), "lambda's")
    }

    #[test]
    fn an_invocation_becomes_a_call() {
        let call = sample(include_str!("../../../events/samples/records-announce.json"));
        assert_eq!(call.method, "POST");
        assert_eq!(call.path, "/records/01JD304F6H8K0M2N4P6Q8R0S2T/upload");
        assert_eq!(call.request_id, "JKJaXmPLvHcESHA=");
        assert!(call.body.starts_with(br#"{"command":"#));
        assert_eq!(call.authorization, None);

        let call = sample(include_str!("../../../events/samples/register-show.json"));
        assert!(call.authorization.is_some_and(|value| value.starts_with("Bearer ")));
        assert!(call.body.is_empty());
    }

    #[test]
    fn base64_bodies_and_queries_are_read() {
        let text = include_str!("../../../events/samples/records-announce.json");
        let mut event: serde_json::Value = serde_json::from_str(text).expect("JSON");
        event["isBase64Encoded"] = true.into();
        event["body"] = "eyJhIjoxfQ==".into();
        event["rawQueryString"] = "limit=5&cursor=a%2Bb&limit=6".into();
        let call = sample(&event.to_string());
        assert_eq!(call.body, br#"{"a":1}"#);
        assert_eq!(call.query.get("limit").map(String::as_str), Some("5"));
        assert_eq!(call.query.get("cursor").map(String::as_str), Some("a+b"));
    }

    #[test]
    fn an_answer_tells_the_time_and_is_not_kept() {
        let answer = Answer { status: 201, ..Answer::ok(&serde_json::json!({})).expect("a document") };
        let reply = Reply::of(answer, UNIX_EPOCH + Duration::from_secs(784_111_777));
        let reply = serde_json::to_value(&reply).expect("JSON");
        assert_eq!((&reply["statusCode"], &reply["body"]), (&201.into(), &"{}".into()));
        // RFC 9110 section 5.6.7
        assert_eq!(reply["headers"]["date"], "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(reply["headers"]["content-type"], "application/json");
        assert_eq!(reply["headers"]["cache-control"], "no-store");
        assert_eq!(reply["headers"]["x-content-type-options"], "nosniff");
        assert_eq!(reply["isBase64Encoded"], false);
    }

    #[test]
    fn a_file_is_kept_as_long_as_it_is_good() {
        let reply = |answer| serde_json::to_value(Reply::of(answer, UNIX_EPOCH)).expect("JSON");
        let tile = reply(Answer::bytes(vec![0, 255]).cached(Cache::Forever));
        assert_eq!((&tile["body"], &tile["isBase64Encoded"]), (&"AP8=".into(), &true.into()));
        assert_eq!(tile["headers"]["content-type"], "application/octet-stream");
        assert_eq!(tile["headers"]["cache-control"], "public, max-age=31536000, immutable");
        let note = reply(Answer::text("é\n".to_owned()).cached(Cache::Seconds(1)));
        assert_eq!((&note["body"], &note["isBase64Encoded"]), (&"é\n".into(), &false.into()));
        assert_eq!(note["headers"]["content-type"], "text/plain; charset=utf-8");
        assert_eq!(note["headers"]["cache-control"], "public, max-age=1");
    }
}
