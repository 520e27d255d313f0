//! One call of AWS, as it was seen on its way.

use std::time::Instant;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::Value;

/// A service of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// DynamoDB.
    DynamoDb,
    /// KMS.
    Kms,
    /// S3.
    S3,
    /// Step Functions.
    StepFunctions,
}

impl Service {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "DynamoDB",
            Self::Kms => "KMS",
            Self::S3 => "S3",
            Self::StepFunctions => "Step Functions",
        }
    }
}

/// What a call of DynamoDB consumed, in request units.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Units {
    /// Read request units.
    pub read: f64,
    /// Write request units, those of indexes included.
    pub write: f64,
}

/// A call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The service.
    pub service: Service,
    /// What was asked of it.
    pub action: String,
    /// The request's JSON; null where it has none.
    pub asked: Value,
    /// The answer's JSON; null where it has none.
    pub answered: Value,
    /// What the emulator says that the call consumed.
    pub consumed: Option<Value>,
    /// HTTP status.
    pub status: u16,
    /// Bytes of the request's body.
    pub sent_bytes: usize,
    /// Bytes of the answer's body.
    pub received_bytes: usize,
    /// When it left.
    pub start: Instant,
    /// When its answer was there.
    pub end: Instant,
    /// What it consumed by DynamoDB's rules.
    pub units: Units,
}

impl Call {
    /// `DynamoDB Query`
    pub fn name(&self) -> String {
        format!("{} {}", self.service.name(), self.action)
    }
}

/// The service and action of a request. The three JSON services name both in a header; S3 says it by method and query.
pub(crate) fn action_of(request: &HttpRequest) -> (Service, String) {
    match request.headers().get("x-amz-target").and_then(|target| target.split_once('.')) {
        Some((service, action)) => (service_of(service), action.to_owned()),
        None => (Service::S3, s3_action(request.method(), request.uri()).to_owned()),
    }
}

fn service_of(target: &str) -> Service {
    match target {
        "TrentService" => Service::Kms,
        "AWSStepFunctions" => Service::StepFunctions,
        other if other.starts_with("DynamoDB_") => Service::DynamoDb,
        other => panic!("a call of {other}: no price is known for it"),
    }
}

/// # Panics
/// Where it is a call that nobody counts yet.
fn s3_action(method: &str, uri: &str) -> &'static str {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    match method {
        "HEAD" => "HeadObject",
        "DELETE" if has("uploadId") => "AbortMultipartUpload",
        "DELETE" => "DeleteObject",
        "POST" if has("uploads") => "CreateMultipartUpload",
        "POST" if has("uploadId") => "CompleteMultipartUpload",
        "GET" if has("uploads") => "ListMultipartUploads",
        "GET" if has("uploadId") => "ListParts",
        "GET" if has("x-id") => "GetObject",
        "PUT" if has("x-id") => "PutObject",
        _ => panic!("a {method} of S3 that nobody counts yet: name it in call.rs, and give it a price"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_says_by_method_and_query_what_is_asked() {
        for (method, uri, action) in [
            ("HEAD", "http://localhost/b/k", "HeadObject"),
            ("DELETE", "http://localhost/b/k?versionId=v&x-id=DeleteObject", "DeleteObject"),
            ("DELETE", "http://localhost/b/k?uploadId=u&x-id=AbortMultipartUpload", "AbortMultipartUpload"),
            ("POST", "http://localhost/b/k?uploads", "CreateMultipartUpload"),
            ("POST", "http://localhost/b/k?uploadId=u", "CompleteMultipartUpload"),
            ("GET", "http://localhost/b?uploads&prefix=k", "ListMultipartUploads"),
            ("GET", "http://localhost/b/k?max-parts=2&uploadId=u", "ListParts"),
            ("GET", "http://localhost/b/checkpoint?x-id=GetObject", "GetObject"),
            ("PUT", "http://localhost/b/checkpoint?x-id=PutObject", "PutObject"),
        ] {
            assert_eq!(s3_action(method, uri), action, "{method} {uri}");
        }
    }
}
