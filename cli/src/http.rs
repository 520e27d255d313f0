//! The transport: small JSON calls to the vault that are safe to repeat, and long transfers from and to the object store. Every answer has a limit,
//! every wait an end, and no redirect is followed.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use chartseal_events::Code;
use chartseal_events::wire::{PresignedCall, Problem};
use serde::de::DeserializeOwned;
use ureq::{Agent, SendBody};

use crate::clock;
use crate::error::Error;

/// Longest answer of the vault. Lambda itself ends at 6 MB.
const MAX_ANSWER_BYTES: u64 = 8 * 1024 * 1024;
/// Longest address of a presigned call.
const MAX_URL_BYTES: usize = 16 * 1024;
/// How long one call to the vault may take; a cold start is a second or two.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one transfer of a body may take.
const TRANSFER_TIMEOUT: Duration = Duration::from_mins(15);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an object store may think about a body before it answers.
const STORE_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a vault is tried where nobody answers at all: the address is wrong, or somebody is waiting for a message that says so.
const NOBODY_THERE_PATIENCE: Duration = Duration::from_secs(2);
/// How often a body is sent or fetched at most.
pub(crate) const MAX_TRANSFERS: u32 = 4;

/// How long calls are repeated that met a busy vault or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// No new attempt after this. Below the 120 s for which a command is taken.
    pub total: Duration,
    /// The wait before the second attempt; it doubles each time.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(45),
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(5),
        }
    }
}

impl Patience {
    /// One attempt and no other.
    pub const NONE: Self = Self { total: Duration::ZERO, first_wait: Duration::ZERO, longest_wait: Duration::ZERO };

    /// The waits between attempts, until the time is over.
    pub(crate) fn begin(self) -> Waits {
        let began = Instant::now();
        Waits { began, until: began + self.total, next: self.first_wait, longest: self.longest_wait }
    }
}

/// The waits of one call.
pub(crate) struct Waits {
    began: Instant,
    until: Instant,
    next: Duration,
    longest: Duration,
}

impl Waits {
    /// Waits before the next attempt; false when the time is over.
    pub(crate) fn wait(&mut self) -> bool {
        // Many clients that met the same failure should not come back at the same moment.
        let mut byte = [128];
        let _ = getrandom::fill(&mut byte);
        let pause = self.next.mul_f64(0.5 + f64::from(byte[0]) / 256.0);
        if Instant::now() + pause >= self.until {
            return false;
        }
        std::thread::sleep(pause);
        self.next = (self.next * 2).min(self.longest);
        true
    }
}

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
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    agent: Agent,
}

impl Transport {
    pub(crate) fn new(on_this_machine: bool) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("chartseal/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT));
        if on_this_machine {
            config = config.proxy(None);
        }
        Self { agent: config.build().into() }
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
                Err(error) if is_nobody(error) => waits.began.elapsed() < NOBODY_THERE_PATIENCE,
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
        let date = response.headers().get("date").and_then(|date| date.to_str().ok());
        let date_ms = date.and_then(clock::of_http_date);
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec()?;
        Ok(RawAnswer { status, date_ms, body })
    }

    /// Sends a body to the object store, once. The status says how it went.
    pub(crate) fn put(&self, call: &PresignedCall, body: &mut dyn Read) -> Result<u16, Error> {
        let url = presigned(call, "PUT")?;
        let builder = with_headers(ureq::http::Request::builder().method("PUT").uri(url), &call.headers);
        let failed = |error| unreachable(url, error);
        let built = builder.body(SendBody::from_reader(body)).map_err(|error| failed(error.into()))?;
        let request = self
            .agent
            .configure_request(built)
            .timeout_send_body(Some(TRANSFER_TIMEOUT))
            .timeout_recv_response(Some(STORE_TIMEOUT))
            .build();
        Ok(self.agent.run(request).map_err(failed)?.status().as_u16())
    }

    /// Fetches a body of at most `limit_bytes` from the object store, once. A body that goes on has one byte more.
    pub(crate) fn get(&self, call: &PresignedCall, limit_bytes: u64, out: &mut dyn Write) -> Result<u64, Fetch> {
        let url = presigned(call, "GET").map_err(Fetch::Other)?;
        let builder = ureq::http::Request::builder().method("GET").uri(url).header("accept-encoding", "identity");
        let failed = |error| Fetch::Other(unreachable(url, error));
        let built = with_headers(builder, &call.headers).body(()).map_err(|error| failed(error.into()))?;
        let request = self
            .agent
            .configure_request(built)
            .timeout_recv_response(Some(STORE_TIMEOUT))
            .timeout_recv_body(Some(TRANSFER_TIMEOUT))
            .build();
        let mut response = self.agent.run(request).map_err(failed)?;
        if response.status() != 200 {
            return Err(Fetch::Other(Error::StorageRefused { status: response.status().as_u16() }));
        }
        let mut body = response.body_mut().as_reader().take(limit_bytes.saturating_add(1));
        let mut buffer = vec![0; 64 * 1024];
        let mut total = 0;
        loop {
            match body.read(&mut buffer) {
                Ok(0) => return Ok(total),
                Ok(read) => {
                    out.write_all(&buffer[..read]).map_err(Fetch::Write)?;
                    total += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(ureq::Error::Io(error))),
            }
        }
    }
}

/// Why a body was not fetched.
pub(crate) enum Fetch {
    /// Our own file.
    Write(io::Error),
    /// The store or the network.
    Other(Error),
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
    // The query of a presigned URL is a credential.
    let url = url.split('?').next().unwrap_or_default();
    Error::Unreachable { url: url.to_owned(), source: Box::new(error) }
}
