//! What the real adapters run against: an emulator, or a real account (`CHARTSEAL_STACK=aws`).
//!
//! In scope: finding it, the configuration of clients, and the two services that speak forms (IAM and STS), signed by hand because their SDKs would
//! be linked for a handful of calls. Not in scope: what is made there (`made.rs`).

use std::io::Write as _;
use std::sync::OnceLock;
use std::thread;
use std::time::SystemTime;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chartseal_infra::aws::config_for;
use chartseal_local::{Choice, Emulator, Endpoint, Place, Workspace, install, shared_file};

/// IAM is one service for the whole world, and signs as this region.
const IAM_REGION: &str = "us-east-1";

/// Every emulator's.
const EMULATED_ACCOUNT: &str = "000000000000";

/// Where adapters are tried.
pub struct Ground {
    pub region: String,
    pub account: String,
    credentials: Credentials,
    /// Absent on AWS, where each service's address follows from the region.
    endpoint_url: Option<String>,
}

/// Why there is none. Every test fails with it: what was asked for and is absent is never skipped.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Absent {
    #[error("CHARTSEAL_STACK is aws, but no region is set: set AWS_REGION, or a region in the profile of AWS_PROFILE")]
    Region,
    #[error(
        "CHARTSEAL_STACK is aws, but there are no credentials ({cause}): set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY \
         (`aws configure export-credentials --format env` prints them, for single sign-on too)"
    )]
    Credentials { cause: String },
    #[error("CHARTSEAL_STACK is aws, but the account does not answer as ours: STS says {status} {said}")]
    Account { status: u16, said: String },
}

impl Ground {
    /// The one that the environment asks for; the same for all tests of this program.
    pub fn get() -> &'static Self {
        static GROUND: OnceLock<Result<Ground, Absent>> = OnceLock::new();
        match GROUND.get_or_init(find) {
            Ok(ground) => ground,
            Err(absent) => panic!("{absent}"),
        }
    }

    /// An emulator, by its administrator.
    pub fn of(emulator: &Endpoint) -> Self {
        let Endpoint { url, region, access_key_id, secret_access_key, session_token } = emulator.clone();
        let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "contract");
        Self { region, account: EMULATED_ACCOUNT.to_owned(), credentials, endpoint_url: Some(url) }
    }

    /// The functions' own configuration on it.
    pub fn config(&self) -> SdkConfig {
        let credentials = SharedCredentialsProvider::new(self.credentials.clone());
        config_for(Some(Region::new(self.region.clone())), self.endpoint_url.clone(), credentials)
    }

    /// A call of a service that takes forms: "iam" or "sts". Its status and its XML.
    pub fn call(&self, service: &str, version: &str, form: &[(&str, &str)]) -> (u16, String) {
        let global = service == "iam";
        let region = if global { IAM_REGION } else { &self.region };
        let of_aws = || {
            if global {
                "https://iam.amazonaws.com".to_owned()
            } else {
                format!("https://{service}.{region}.amazonaws.com")
            }
        };
        let url = format!("{}/", self.endpoint_url.clone().unwrap_or_else(of_aws));
        let pairs = form.iter().copied().chain([("Version", version)]);
        let body = pairs.map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&");
        let kind = ("content-type", "application/x-www-form-urlencoded");

        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder().identity(&identity).region(region).name(service);
        let parameters = parameters.time(SystemTime::now()).settings(SigningSettings::default());
        let parameters = parameters.build().expect("complete").into();
        let request = SignableRequest::new("POST", &url, [kind].into_iter(), SignableBody::Bytes(body.as_bytes()));
        let signed = sign(request.expect("a request"), &parameters).expect("signs").into_parts().0;
        let mut call = agent().post(&url).header(kind.0, kind.1);
        for (name, value) in signed.headers() {
            call = call.header(name, value);
        }
        let mut answer = call.send(body.as_bytes()).expect("the service answers");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("XML"))
    }
}

fn encoded(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The text of an XML element, of which there is one.
pub fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into()
}

/// What [`Choice`] says of this program's environment.
fn choice() -> Choice {
    let workspace = Workspace::find().expect("a checkout");
    Choice::from_environment(&workspace).unwrap_or_else(|error| panic!("{error}"))
}

/// Said past the test harness, which keeps what a test that passes prints.
fn say(line: &str) {
    let _unheard = writeln!(std::io::stderr(), "{line}");
}

fn find() -> Result<Ground, Absent> {
    if shared_file().is_some() {
        return Ok(Ground::of(endpoint()));
    }
    let Choice::Aws { endpoint_url } = choice() else { return Ok(Ground::of(endpoint())) };
    // Asked on a thread of its own, because tests run in runtimes of theirs.
    let found = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(account(endpoint_url))
    });
    found.join().expect("it does not panic")
}

/// The account of the default chain: environment, profiles, web identity, container, instance.
async fn account(endpoint_url: Option<String>) -> Result<Ground, Absent> {
    let region = DefaultRegionChain::builder().build().region().await.ok_or(Absent::Region)?.to_string();
    let chain = DefaultCredentialsChain::builder().region(Region::new(region.clone())).build().await;
    let credentials = chain.provide_credentials().await;
    let credentials = credentials.map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Absent::Credentials { cause }
    })?;
    let mut ground = Ground { region, account: String::new(), credentials, endpoint_url };
    let (status, said) = ground.call("sts", "2011-06-15", &[("Action", "GetCallerIdentity")]);
    let account = element(&said, "Account").filter(|_| status == 200);
    let account = account.ok_or_else(|| Absent::Account { status, said: said.clone() })?;
    account.clone_into(&mut ground.account);
    match &ground.endpoint_url {
        Some(url) => {
            say(&format!("stack: {url}, which stands for AWS (account {}, {})", ground.account, ground.region));
        }
        None => say(&format!("stack: AWS itself, account {}, {}", ground.account, ground.region)),
    }
    Ok(ground)
}

/// An emulator, whatever the adapters run on: some tests lose answers on the way, which nobody can do to AWS. One that is started here ends with
/// the process: it holds a pipe to us.
pub fn endpoint() -> &'static Endpoint {
    static PLACE: OnceLock<(Endpoint, Option<Emulator>, Option<Place>)> = OnceLock::new();
    let (endpoint, ..) = PLACE.get_or_init(|| {
        if shared_file().is_none() && matches!(choice(), Choice::Aws { .. }) {
            say("stack: an embedded emulator for the tests that lose answers on the way: they never run on AWS");
            let workspace = Workspace::find().expect("a checkout");
            install(&workspace).expect("the emulator can be installed");
            let emulator = Emulator::start_process(&workspace).expect("the emulator starts");
            return (emulator.endpoint().clone(), Some(emulator), None);
        }
        let place = Place::find().unwrap_or_else(|error| panic!("{error}"));
        (place.endpoint().clone(), None, Some(place))
    });
    endpoint
}

/// The functions' own configuration, aimed at an address of the emulator or in front of it.
pub async fn config_at(url: &str) -> SdkConfig {
    let endpoint = endpoint();
    let (id, secret, token) = (&endpoint.access_key_id, &endpoint.secret_access_key, endpoint.session_token.clone());
    let credentials = SharedCredentialsProvider::new(Credentials::new(id, secret, token, None, "contract"));
    config_for(Some(Region::new(endpoint.region.clone())), Some(url.to_owned()), credentials)
}
