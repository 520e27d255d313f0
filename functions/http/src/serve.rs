//! Between Lambda's HTTP events (API Gateway, payload 2.0) and [`answer`].

use std::time::SystemTime;

use lambda_http::http::header::AUTHORIZATION;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt as _, Response, service_fn};

use crate::{Answer, Incoming, Service, answer};

/// Why a function stopped.
pub type Error = lambda_http::Error;

/// Serves invocations until Lambda ends the process.
pub async fn serve<S: Service>(service: S) -> Result<(), Error> {
    let service = &service;
    let one = |request: Request| async move {
        let incoming = incoming(&request);
        response(&answer(service, &incoming).await, SystemTime::now())
    };
    lambda_http::run(service_fn(one)).await
}

fn incoming(request: &Request) -> Incoming {
    let mut query = std::collections::BTreeMap::new();
    for (name, value) in request.query_string_parameters_ref().into_iter().flat_map(|query| query.iter()) {
        query.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    Incoming {
        method: request.method().as_str().to_owned(),
        path: request.raw_http_path().to_owned(),
        query,
        authorization: request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned),
        body: request.body().as_ref().to_vec(),
        request_id: request_id(request),
    }
}

/// API Gateway's id of the call, which its own log has too; else Lambda's.
fn request_id(request: &Request) -> String {
    let of_gateway = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    let of_lambda = || request.lambda_context_ref().map(|context| context.request_id.clone());
    of_gateway.or_else(of_lambda).unwrap_or_default()
}

/// Every answer says what time it is (RFC 9110 section 6.6.1), so that a client can correct its clock before it signs.
fn response(answer: &Answer, now: SystemTime) -> Result<Response<Body>, Error> {
    let response = Response::builder()
        .status(answer.status)
        .header("content-type", answer.media_type())
        .header("cache-control", "no-store")
        .header("x-content-type-options", "nosniff")
        .header("date", httpdate::fmt_http_date(now))
        .body(Body::Text(answer.json.clone()))?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn sample(text: &str) -> Incoming {
        incoming(&lambda_http::request::from_str(text).expect("an invocation"))
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
        let answer = Answer { status: 201, json: "{}".to_owned(), problem: None };
        let response = response(&answer, UNIX_EPOCH + Duration::from_secs(784_111_777)).expect("a response");
        let header = |name: &str| response.headers()[name].to_str().expect("ASCII").to_owned();
        assert_eq!(response.status(), 201);
        // RFC 9110 section 5.6.7
        assert_eq!(header("date"), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
    }
}
