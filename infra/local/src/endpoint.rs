//! The AWS endpoint a stack is deployed to: its address and the credentials for it.

use std::env;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;

/// How long an endpoint the user named may take to answer at all.
const REACH_LIMIT: Duration = Duration::from_secs(5);

/// An AWS-compatible endpoint and the credentials of its administrator.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Base address, without a slash at its end.
    pub url: String,
    /// Region.
    pub region: String,
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token of temporary credentials.
    pub session_token: Option<String>,
}

impl Endpoint {
    /// An emulator's endpoint, with its administrator's well-known credentials.
    pub fn emulated(url: impl Into<String>) -> Self {
        let test = || "test".to_owned();
        Self {
            url: url.into().trim_end_matches('/').to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: test(),
            secret_access_key: test(),
            session_token: None,
        }
    }

    /// The endpoint named by `AWS_ENDPOINT_URL`, with the environment's credentials where it has some; `None` where it is not set.
    pub fn from_environment() -> Option<Self> {
        Self::read(&|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// [`Endpoint::from_environment`] with another environment.
    pub(crate) fn read(read: &impl Fn(&str) -> Option<String>) -> Option<Self> {
        let mut endpoint = Self::emulated(read("AWS_ENDPOINT_URL")?);
        if let Some(region) = read("AWS_REGION").or_else(|| read("AWS_DEFAULT_REGION")) {
            endpoint.region = region;
        }
        if let (Some(id), Some(secret)) = (read("AWS_ACCESS_KEY_ID"), read("AWS_SECRET_ACCESS_KEY")) {
            endpoint.access_key_id = id;
            endpoint.secret_access_key = secret;
            endpoint.session_token = read("AWS_SESSION_TOKEN");
        }
        Some(endpoint)
    }

    /// Fails when nothing answers HTTP at this address.
    pub fn reach(&self) -> Result<(), Error> {
        match get(&self.url, REACH_LIMIT) {
            Ok(_) => Ok(()),
            Err(cause) => Err(Error::EndpointUnreachable { endpoint: self.url.clone(), cause: cause.to_string() }),
        }
    }

    /// The variables an AWS SDK or tool reads to use this endpoint, and no other configuration.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_ACCESS_KEY_ID", self.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_access_key.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ];
        variables.extend(self.session_token.clone().map(|token| ("AWS_SESSION_TOKEN", token)));
        variables
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Endpoint").field("url", &self.url).field("region", &self.region).finish_non_exhaustive()
    }
}

/// One GET, with any status; the status code.
pub(crate) fn get(url: &str, limit: Duration) -> Result<u16, ureq::Error> {
    let configuration =
        ureq::Agent::config_builder().timeout_global(Some(limit)).http_status_as_error(false).proxy(None);
    let agent: ureq::Agent = configuration.build().into();
    Ok(agent.get(url).call()?.status().as_u16())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_endpoint_that_does_not_answer_is_named_with_what_to_do() {
        // A port that was free a moment ago, and that nobody listens on now.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = Endpoint::emulated(format!("http://127.0.0.1:{port}/")).reach().unwrap_err().to_string();
        assert!(error.contains(&format!("AWS_ENDPOINT_URL is http://127.0.0.1:{port}, ")), "{error}");
        assert!(error.contains("unset AWS_ENDPOINT_URL"), "{error}");
    }

    #[test]
    fn debug_shows_no_credentials() {
        let mut endpoint = Endpoint::emulated("http://127.0.0.1:1");
        endpoint.secret_access_key = "s3cr3t".to_owned();
        assert!(!format!("{endpoint:?}").contains("s3cr3t"));
    }
}
