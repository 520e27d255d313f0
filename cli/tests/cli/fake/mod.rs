//! A vault in this process: one thread that answers HTTP, streams in memory, an object store under `/s3/`. It lies as it is told to.

mod log;
mod objects;
mod routes;
mod server;
mod store;

use std::sync::{Arc, Mutex, MutexGuard};

use chartseal_cli::{Client, Person, State, Vault, Wallet};
use chartseal_events::Observation;
use chartseal_events::event::Genesis;
use chartseal_ledger::terms::{OsRng, SearchKey};
use serde_json::Value;

pub use store::Store;

/// The vault's name.
pub const ORIGIN: &str = "vault.test";

/// What happens to the next calls before the vault sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed without an answer; the vault never saw the call.
    Dropped,
    /// The vault did what was asked, and its answer was lost.
    AnswerLost,
    /// HTTP 503.
    Unavailable,
    /// This HTTP status, before any of the request's body is read.
    Status(u16),
    /// This HTTP status with S3's document of this code and message, before any of the request's body is read.
    Refused(u16, &'static str, &'static str),
    /// The connection is closed after so many bytes: of what is sent to it, or of what it answers.
    Cut(usize),
    /// `Range` is ignored, and all of the body is sent.
    RangeIgnored,
}

/// How S3 says that an address's time is over: that of the credentials behind it, and its own.
pub const EXPIRED: [Fault; 3] = [
    Fault::Refused(400, "ExpiredToken", "The provided token has expired."),
    Fault::Refused(403, "AccessDenied", "Request has expired"),
    Fault::Refused(
        403,
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
];

/// Changes an answer: the path, and the document.
pub type Twist = Box<dyn FnMut(&str, &mut Value) + Send>;

/// A running vault.
pub struct FakeVault {
    pub api: String,
    pub operator: Client,
    /// Where its people keep unfinished transfers.
    pub state: tempfile::TempDir,
    store: Arc<Mutex<Store>>,
}

impl FakeVault {
    /// Begins a vault with one operator, and connects the operator.
    pub fn start() -> Self {
        let wallet = Wallet::generate_operator().expect("a wallet");
        let search_key = SearchKey::generate(&mut OsRng);
        let log_key = ed25519_dalek::SigningKey::from_bytes(&store::random());
        let clock_key = ed25519_dalek::SigningKey::from_bytes(&store::random());
        let genesis = Genesis {
            origin: ORIGIN.to_owned(),
            log_key: chartseal_events::Bytes(log_key.verifying_key().to_bytes()),
            clock_key: chartseal_events::Bytes(clock_key.verifying_key().to_bytes()),
            search_key: chartseal_events::Bytes(search_key.public_key()),
            operators: vec![wallet.sign_key()],
            operator_threshold: 1,
        };
        let mut store = Store::new(search_key, log_key, clock_key);
        store.observe(&Observation::Deployed(genesis)).expect("a vault begins");
        let store = Arc::new(Mutex::new(store));
        let api = server::serve(Arc::clone(&store));
        let operator = Client::new(Vault::discover(&api).expect("the vault is there"), wallet);
        operator.connect_operator().expect("it is its operator");
        Self { api, operator, state: tempfile::tempdir().expect("a folder"), store }
    }

    /// What the vault holds.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().expect("no test panicked with it")
    }

    /// From now on answers are changed.
    pub fn twist(&self, twist: impl FnMut(&str, &mut Value) + Send + 'static) {
        self.store().twist = Some(Box::new(twist));
    }

    /// The next calls of a POST go wrong like this.
    pub fn fail(&self, faults: &[Fault]) {
        self.fail_at("POST", "", faults);
    }

    /// The next calls of a method and a path that has this in it go wrong like this.
    pub fn fail_at(&self, method: &'static str, path: &str, faults: &[Fault]) {
        self.store().faults.push((method, path.to_owned(), faults.iter().copied().collect()));
    }

    /// How many calls there were of a method and a path that has this in it.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.store().calls.iter().filter(|(by, target)| by == method && target.contains(path)).count()
    }

    /// A person of a verified provider.
    pub fn hospital(&self, name: &str) -> Client {
        let invited = self.operator.invite(Some(name), 7).expect("invited");
        let vault = Vault::new(invited.invitation.vault.clone()).expect("an address");
        let mut client = Client::new(vault, Wallet::generate().expect("a wallet"));
        client.transfers.state = State::Kept(self.state.path().to_owned());
        let who = Person { organisation: name, name: "Ann", phone: "+43 1 1", email: Some("ann@example.org") };
        let registered = client.register(&invited.invitation, &who).expect("registered");
        let looked_at = self.operator.show_provider(registered.answer.provider).expect("shown");
        self.operator.verify_provider(&looked_at).expect("verified");
        client
    }
}
