//! The way to the witnesses: one POST, with an end to every wait and to every answer. No redirect is followed, no proxy is taken from the environment.

use std::future::Future;
use std::time::Duration;

use ureq::Agent;

/// How long a call may take, all of it.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest answer that is read: a few signature lines.
pub const MAX_ANSWER_BYTES: u64 = 16 * 1024;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Nothing usable came back.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// No connection, no answer in time, or too long a one.
    #[error("it does not answer: {0}")]
    Http(#[from] Box<ureq::Error>),
    /// The call's thread ended.
    #[error("the call could not be made: {0}")]
    Inside(#[from] tokio::task::JoinError),
}

/// The way to the witnesses.
pub trait Net: Send + Sync {
    /// Posts a text.
    fn post(&self, url: &str, body: String) -> impl Future<Output = Result<Answer, NetError>> + Send;
}

/// By HTTP over TLS; to this machine also without.
#[derive(Debug, Clone)]
pub struct Https {
    agent: Agent,
}

impl Default for Https {
    fn default() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("chartseal/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(TIMEOUT));
        Self { agent: config.build().into() }
    }
}

impl Net for Https {
    async fn post(&self, url: &str, body: String) -> Result<Answer, NetError> {
        let (agent, url) = (self.agent.clone(), url.to_owned());
        // A call that hangs has a thread of its own, and holds up nobody.
        Ok(tokio::task::spawn_blocking(move || post(&agent, &url, &body)).await??)
    }
}

fn post(agent: &Agent, url: &str, body: &str) -> Result<Answer, Box<ureq::Error>> {
    let mut answer = agent.post(url).header("content-type", "text/plain; charset=utf-8").send(body)?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec()?;
    Ok(Answer { status, body })
}
