//! One configuration for every client: from the environment alone (Lambda sets it), so that a cold start asks no metadata service.

use std::env;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

/// AWS answers a connection within milliseconds or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// One attempt; the next one repeats the same bytes.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// All attempts of a call: less than the 15 s that a function has.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
/// The first try and its repetitions. Every write of ours may be repeated: appends recognise their own, the rest is idempotent.
const MAX_ATTEMPTS: u32 = 3;
/// The SDK's own default, a second, is longer than most calls of a function.
const FIRST_BACKOFF: Duration = Duration::from_millis(25);
/// Longest wait between attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// The configuration of all clients: region, credentials and `AWS_ENDPOINT_URL` from the environment.
pub fn config() -> SdkConfig {
    let read = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    let region = read("AWS_REGION").or_else(|| read("AWS_DEFAULT_REGION"));
    config_for(region.map(Region::new), read("AWS_ENDPOINT_URL"), credentials)
}

/// The same for an endpoint and credentials of one's own. Put together by hand: the SDK's own loader can ask profiles, containers and token services
/// for credentials, and links all of that (megabytes) into every function.
pub fn config_for(
    region: Option<Region>,
    endpoint_url: Option<String>,
    credentials: SharedCredentialsProvider,
) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(MAX_ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(MAX_BACKOFF);
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region)
        .credentials_provider(credentials)
        .timeout_config(timeouts)
        .retry_config(retries);
    builder.set_endpoint_url(endpoint_url);
    builder.build()
}
