//! CloudFormation's side: what it asks of a custom resource, and the answer it waits for at a presigned URL.

use std::time::Duration;

use chartseal_events::Hash;
use serde::{Deserialize, Serialize};

use crate::GenesisError;

/// How long an attempt to answer may take.
const TIMEOUT: Duration = Duration::from_secs(8);
/// How often it is tried.
const ATTEMPTS: u32 = 2;
/// CloudFormation reads at most this of a reason.
const MAX_REASON_CHARS: usize = 1_000;
/// One vault in a stack, for ever: a changed id would have CloudFormation delete the old one.
const PHYSICAL_ID: &str = "vault";

/// What CloudFormation asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum RequestType {
    /// The stack is new.
    Create,
    /// A property changed.
    Update,
    /// The stack goes away, or an update failed.
    Delete,
}

impl RequestType {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// A request to a custom resource, as far as it is used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    /// What is asked for.
    pub request_type: RequestType,
    /// Where the answer goes; none when somebody invokes the function directly.
    #[serde(rename = "ResponseURL", default)]
    pub response_url: Option<String>,
    #[serde(default)]
    stack_id: String,
    #[serde(rename = "RequestId", default)]
    id: String,
    #[serde(default)]
    logical_resource_id: String,
    #[serde(default)]
    physical_resource_id: Option<String>,
}

/// The answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Answer {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    physical_resource_id: String,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    genesis: Hash,
}

impl Answer {
    /// The answer to a request; `done` is none where nothing was to be done.
    pub fn new(request: &Request, done: Result<Option<Hash>, GenesisError>) -> Self {
        let (status, reason, data) = match done {
            Ok(genesis) => ("SUCCESS", None, genesis.map(|genesis| Data { genesis })),
            Err(error) => ("FAILED", Some(error.to_string().chars().take(MAX_REASON_CHARS).collect()), None),
        };
        Self {
            status,
            reason,
            physical_resource_id: request.physical_resource_id.clone().unwrap_or_else(|| PHYSICAL_ID.to_owned()),
            stack_id: request.stack_id.clone(),
            request_id: request.id.clone(),
            logical_resource_id: request.logical_resource_id.clone(),
            data,
        }
    }
}

/// Why CloudFormation did not get its answer.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// The answer was not taken.
    #[error("the answer could not be sent: {0}")]
    Http(#[from] Box<ureq::Error>),
    /// The answer could not be written, or its thread ended.
    #[error("the answer could not be made: {0}")]
    Inside(Box<dyn std::error::Error + Send + Sync>),
}

/// Sends the answer to where the request says, if it says so.
pub async fn deliver(request: &Request, answer: &Answer) -> Result<(), Undelivered> {
    let Some(url) = request.response_url.clone() else { return Ok(()) };
    let body = serde_json::to_vec(answer).map_err(|error| Undelivered::Inside(error.into()))?;
    let put = tokio::task::spawn_blocking(move || put(&url, &body)).await;
    Ok(put.map_err(|error| Undelivered::Inside(error.into()))??)
}

fn put(url: &str, body: &[u8]) -> Result<(), Box<ureq::Error>> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
    let mut attempt = 1;
    loop {
        // The URL is signed for a PUT without a content type.
        match agent.put(url).header("content-type", "").send(body) {
            Ok(_) => return Ok(()),
            Err(error) if attempt == ATTEMPTS => return Err(Box::new(error)),
            Err(_) => attempt += 1,
        }
    }
}
