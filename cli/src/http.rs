//! The transport: small JSON calls to the vault that are safe to repeat, and long transfers from and to the object store. Every answer has a limit,
//! every wait an end, and no redirect is followed.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chartseal_events::Code;
use chartseal_events::wire::{PresignedCall, Problem};
use serde::de::DeserializeOwned;
use ureq::{Agent, SendBody};

use crate::clock;
use crate::error::Error;
use crate::patience::Patience;
use crate::s3_error;

/// Longest answer of the vault. Lambda itself ends at 6 MB.
const MAX_ANSWER_BYTES: u64 = 8 * 1024 * 1024;
/// Longest address of a presigned call.
const MAX_URL_BYTES: usize = 16 * 1024;
/// How long one call to the vault may take; a cold start is a second or two.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one transfer of a part or a body may take; a longer one is broken off and goes on where it stopped.
const TRANSFER_TIMEOUT: Duration = Duration::from_hours(1);
/// How long a transfer may stand still.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an object store may think about a body before it answers.
const STORE_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a vault is tried where nobody answers at all: the address is wrong, or somebody is waiting for a message that says so.
const NOBODY_THERE_PATIENCE: Duration = Duration::from_secs(2);
/// The status of an address that the object store does not take, or not any more.
pub(crate) const ADDRESS_REFUSED: u16 = 403;
/// How many connections are kept for the next call.
const MAX_IDLE_CONNECTIONS: usize = 16;

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The server's time, Unix milliseconds, from its `Date` header.
    pub date_ms: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// The problem it states, if it is one.
    pub fn problem(&self) -> Option<Problem> {
        if self.status < 400 { None } else { serde_json::from_slice(&self.body).ok() }
    }

    /// The problem's code, where this client knows it.
    pub fn code(&self) -> Option<Code> {
        self.problem().and_then(|problem| Code::from_name(&problem.code))
    }

    /// The documented answer, or the problem as an error.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if (200..300).contains(&self.status) {
            return serde_json::from_slice(&self.body).map_err(|_| Error::Undocumented { status: self.status });
        }
        match self.problem() {
            Some(problem) => Err(Error::Refused(Box::new(problem))),
            None => Err(Error::Undocumented { status: self.status }),
        }
    }

    /// Whether the same bytes may be taken at another attempt.
    fn is_passing(&self) -> bool {
        match self.code() {
            Some(code) => code == Code::Conflict || code.status() >= 500,
            // What stands before the functions throttles without a problem document.
            None => self.status >= 500 || self.status == 429,
        }
    }
}

/// A call to the vault.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    pub(crate) url: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) body: Option<&'a [u8]>,
}

/// Makes HTTP calls.
#[derive(Debug)]
pub(crate) struct Transport {
    agent: Agent,
    /// Whether a vault has ever answered: then nobody being there is a lost network, and no wrong address.
    answered: AtomicBool,
}

impl Transport {
    pub(crate) fn new(on_this_machine: bool) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("chartseal/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections_per_host(MAX_IDLE_CONNECTIONS)
            .timeout_connect(Some(CONNECT_TIMEOUT));
        if on_this_machine {
            config = config.proxy(None);
        }
        Self { agent: config.build().into(), answered: AtomicBool::new(false) }
    }

    /// One attempt.
    pub(crate) fn once(&self, request: Request<'_>) -> Result<RawAnswer, Error> {
        self.attempt(request).map_err(|error| unreachable(request.url, error))
    }

    /// Attempts until there is an answer that another attempt would not change. Tells whether the same bytes were sent before.
    pub(crate) fn patiently(&self, request: Request<'_>, patience: Patience) -> Result<(RawAnswer, bool), Error> {
        let mut waits = patience.begin();
        let mut resent = false;
        loop {
            let outcome = self.attempt(request);
            let passing = match &outcome {
                Ok(answer) => answer.is_passing(),
                Err(error) if is_nobody(error) => {
                    self.answered.load(Ordering::Relaxed) || waits.elapsed() < NOBODY_THERE_PATIENCE
                }
                Err(error) => is_passing(error),
            };
            if !passing || !waits.wait() {
                return outcome.map(|answer| (answer, resent)).map_err(|error| unreachable(request.url, error));
            }
            resent = true;
        }
    }

    fn attempt(&self, request: Request<'_>) -> Result<RawAnswer, ureq::Error> {
        let mut builder = ureq::http::Request::builder().method(request.method).uri(request.url);
        builder = builder.header("accept", "application/json, application/problem+json");
        if let Some(token) = request.token {
            builder = builder.header("authorization", format!("Bearer {token}"));
        }
        let agent = &self.agent;
        let mut response = if let Some(body) = request.body {
            let built = builder.header("content-type", "application/json").body(body)?;
            agent.run(agent.configure_request(built).timeout_global(Some(CALL_TIMEOUT)).build())?
        } else {
            agent.run(agent.configure_request(builder.body(())?).timeout_global(Some(CALL_TIMEOUT)).build())?
        };
        self.answered.store(true, Ordering::Relaxed);
        let date = response.headers().get("date").and_then(|date| date.to_str().ok());
        let date_ms = date.and_then(clock::of_http_date);
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec()?;
        Ok(RawAnswer { status, date_ms, body })
    }

    /// Sends so many bytes to the object store, once. The status says how it went; that of an address whose time is over is [`ADDRESS_REFUSED`].
    pub(crate) fn put(&self, call: &PresignedCall, body: &mut dyn Read, body_bytes: u64) -> Result<u16, Error> {
        let url = presigned(call, "PUT")?;
        let mut builder = with_headers(ureq::http::Request::builder().method("PUT").uri(url), &call.headers);
        if !call.headers.keys().any(|name| name.eq_ignore_ascii_case("content-length")) {
            builder = builder.header("content-length", body_bytes);
        }
        let failed = |error| unreachable(url, error);
        let built = builder.body(SendBody::from_reader(body)).map_err(|error| failed(error.into()))?;
        let request = self
            .agent
            .configure_request(built)
            .timeout_per_write(Some(STALL_TIMEOUT))
            .timeout_send_body(Some(TRANSFER_TIMEOUT))
            .timeout_recv_response(Some(STORE_TIMEOUT))
            .timeout_recv_body(Some(STORE_TIMEOUT))
            .build();
        Ok(status_of_store(self.agent.run(request).map_err(failed)?))
    }

    /// Opens a body at the object store from this byte on (RFC 9110 section 14), once. An address whose time is over is refused with
    /// [`ADDRESS_REFUSED`].
    pub(crate) fn get(&self, call: &PresignedCall, from: u64) -> Result<Incoming, Error> {
        let url = presigned(call, "GET")?;
        let mut builder = ureq::http::Request::builder().method("GET").uri(url).header("accept-encoding", "identity");
        if from > 0 {
            builder = builder.header("range", format!("bytes={from}-"));
        }
        let failed = |error| unreachable(url, error);
        let built = with_headers(builder, &call.headers).body(()).map_err(|error| failed(error.into()))?;
        let request = self
            .agent
            .configure_request(built)
            .timeout_per_read(Some(STALL_TIMEOUT))
            .timeout_recv_response(Some(STORE_TIMEOUT))
            .timeout_recv_body(Some(TRANSFER_TIMEOUT))
            .build();
        let response = self.agent.run(request).map_err(failed)?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let range = header("content-range").and_then(content_range);
        let (start, total_bytes) = match response.status().as_u16() {
            200 => (0, header("content-length").and_then(|length| length.parse().ok())),
            206 => {
                let (start, total_bytes) = range.ok_or(Error::Undocumented { status: 206 })?;
                (start.ok_or(Error::Undocumented { status: 206 })?, total_bytes)
            }
            // The object ends before that byte.
            416 => (from, Some(range.and_then(|(_, total_bytes)| total_bytes).unwrap_or(from))),
            _ => return Err(Error::StorageRefused { status: status_of_store(response) }),
        };
        let url = without_query(url);
        Ok(Incoming { start, total_bytes, url, reader: Box::new(response.into_body().into_reader()) })
    }
}

/// How the object store answered. Where the time of the credentials is over that signed the address, S3 says 400, as it does of a damaged body.
fn status_of_store(response: ureq::http::Response<ureq::Body>) -> u16 {
    let status = response.status().as_u16();
    if status == 400 && s3_error::says_expired(response.into_body().into_reader()) { ADDRESS_REFUSED } else { status }
}

/// A body that comes from the object store.
pub(crate) struct Incoming {
    /// The byte of the object that it begins with.
    pub(crate) start: u64,
    /// Bytes of the whole object, where the store says so.
    pub(crate) total_bytes: Option<u64>,
    url: String,
    reader: Box<dyn Read + Send>,
}

impl Incoming {
    /// Reads some of it; nothing at its end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreachable(&self.url, ureq::Error::Io(error))),
                Ok(read) => return Ok(read),
            }
        }
    }

    /// That it ended before its time.
    pub(crate) fn broke_off(&self) -> Error {
        unreachable(&self.url, ureq::Error::Io(io::ErrorKind::UnexpectedEof.into()))
    }
}

/// The first byte and the whole length of `bytes 5-9/10`, `bytes 5-9/*` or `bytes */10`.
fn content_range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-').and_then(|(start, _)| start.parse().ok());
    Some((start, total.parse().ok()))
}

fn with_headers(
    mut builder: ureq::http::request::Builder,
    headers: &BTreeMap<String, String>,
) -> ureq::http::request::Builder {
    // The host is the URL's; sending it twice would be malformed.
    for (name, value) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        builder = builder.header(name, value);
    }
    builder
}

fn presigned<'a>(call: &'a PresignedCall, method: &str) -> Result<&'a str, Error> {
    if call.method != method || call.url.len() > MAX_URL_BYTES {
        return Err(Error::Undocumented { status: 200 });
    }
    Ok(&call.url)
}

/// Whether there is nobody at that address.
fn is_nobody(error: &ureq::Error) -> bool {
    use ureq::Error as E;
    matches!(error, E::HostNotFound | E::ConnectionFailed)
        || matches!(error, E::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Whether the same call may get through later.
fn is_passing(error: &ureq::Error) -> bool {
    use ureq::Error as E;
    matches!(error, E::Io(_) | E::Timeout(_) | E::Protocol(_))
}

fn unreachable(url: &str, error: ureq::Error) -> Error {
    if matches!(error, ureq::Error::BodyExceedsLimit(_)) {
        return Error::Undocumented { status: 200 };
    }
    Error::Unreachable { url: without_query(url), source: Box::new(error) }
}

/// The query of a presigned URL is a credential.
fn without_query(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_writes_them() {
        assert_eq!(content_range("bytes 5-9/10"), Some((Some(5), Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((Some(5), None)));
        assert_eq!(content_range("bytes */10"), Some((None, Some(10))));
        for bad in ["", "bytes", "5-9/10", "items 5-9/10"] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
