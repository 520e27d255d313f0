//! The recording layer: an HTTP client in front of the SDKs' own, so that whatever an adapter asks of AWS is seen as it leaves, repetitions included.
//!
//! Every client that is made of one `SdkConfig` has it. Calls of DynamoDB are asked for the capacity that they consumed, behind the adapter's back:
//! what the emulator says is compared with what [`Mirror`] works out.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;

use crate::call::{Call, Service, Units, action_of};
use crate::mirror::Mirror;

/// Where DynamoDB says what a call consumed.
const CONSUMED: &str = "ConsumedCapacity";

/// Records calls. Clones share what they have recorded.
#[derive(Clone)]
pub struct Recorder {
    inner: SharedHttpClient,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    calls: Vec<Call>,
    mirror: Mirror,
}

impl Recorder {
    /// One that has recorded nothing. Plain HTTP: it is for an emulator on this machine.
    pub fn new() -> Self {
        Self { inner: Builder::new().build_http(), seen: Arc::default() }
    }

    /// The calls since this was asked last, in the order in which they ended.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.seen().calls)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Unwrap safety: whoever panics while holding it ends the measurement.
        self.seen.lock().expect("not poisoned")
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl HttpClient for Recorder {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Recording { inner, seen: self.seen.clone() })
    }
}

/// A connection that records.
struct Recording {
    inner: SharedHttpConnector,
    seen: Arc<Mutex<Seen>>,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").finish_non_exhaustive()
    }
}

impl HttpConnector for Recording {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let start = Instant::now();
        let (service, action) = action_of(&request);
        // Bodies of ours are in memory; what is streamed would be a body of S3, which never passes through the vault.
        let sent = request.body().bytes().unwrap_or_default().to_vec();
        let asked: Value = serde_json::from_slice(&sent).unwrap_or_default();
        if service == Service::DynamoDb && asked.is_object() && !action.ends_with("Table") {
            let mut asking = asked.clone();
            asking["ReturnConsumedCapacity"] = "INDEXES".into();
            let body = asking.to_string();
            // The signature no longer fits; the emulator's administrator is let in without one.
            request.headers_mut().insert("content-length", body.len().to_string());
            *request.body_mut() = SdkBody::from(body);
        }
        let (answer, seen) = (self.inner.call(request), self.seen.clone());
        HttpConnectorFuture::new(async move {
            let mut response = answer.await?;
            let body = std::mem::replace(response.body_mut(), SdkBody::taken());
            let bytes = ByteStream::new(body).collect().await.map_err(|error| ConnectorError::io(error.into()))?;
            let bytes = bytes.into_bytes();
            let mut answered: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let consumed = answered.as_object_mut().and_then(|members| members.remove(CONSUMED));
            let received_bytes = if answered.is_object() { document_bytes(&answered) } else { bytes.len() };
            let mut call = Call {
                service,
                action,
                asked,
                answered,
                consumed,
                status: response.status().as_u16(),
                sent_bytes: sent.len(),
                received_bytes,
                start,
                end: Instant::now(),
                units: Units::default(),
            };
            record(&seen, &mut call);
            *response.body_mut() = SdkBody::from(bytes);
            Ok::<HttpResponse, ConnectorError>(response)
        })
    }
}

/// A time in seconds with six decimals, as the emulator says when an execution started; last zeros are left out, so its length is chance.
const TIME_BYTES: usize = "1795400000.123456".len();

/// Bytes of an answer, without what is chance: the commas between its items (into which of an index's partitions an event falls differs), and the
/// length of a time.
fn document_bytes(answered: &Value) -> usize {
    let commas = answered["Items"].as_array().map_or(0, |items| items.len().saturating_sub(1));
    let time = answered.get("startDate").map(|time| time.to_string().len());
    answered.to_string().len() - commas - time.unwrap_or(0) + time.map_or(0, |_| TIME_BYTES)
}

fn record(seen: &Mutex<Seen>, call: &mut Call) {
    // Unwrap safety: as above.
    let mut seen = seen.lock().expect("not poisoned");
    if call.service == Service::DynamoDb {
        call.units = seen.mirror.observe(&call.action, &call.asked, call.status, &call.answered);
    }
    seen.calls.push(call.clone());
}

/// What the emulator says that a call of DynamoDB consumed: of tables and indexes together; none where it does not say.
pub fn consumed_units(consumed: &Value) -> Option<f64> {
    match consumed {
        Value::Array(tables) => tables.iter().map(|table| table["CapacityUnits"].as_f64()).sum(),
        one => one["CapacityUnits"].as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn consumed_capacity_is_summed_over_tables() {
        assert_eq!(consumed_units(&json!({"CapacityUnits": 2.5})), Some(2.5));
        assert_eq!(consumed_units(&json!([{"CapacityUnits": 2.0}, {"CapacityUnits": 3.0}])), Some(5.0));
        assert_eq!(consumed_units(&json!({})), None);
    }
}
