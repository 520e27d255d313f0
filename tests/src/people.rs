//! People: hospitals that have been invited, have registered and are verified, and the records they keep.

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chartseal_cli::{Client, Download, DownloadOf, NewRecord, NewRequest, Person, Silent, Uploaded, Vault, Wallet};
use chartseal_events::purpose::Purpose;
use chartseal_events::{Event, Id};
use chartseal_ledger::terms::Term;
use tempfile::{NamedTempFile, TempDir};

use crate::Stack;

/// How long a story waits for something that takes milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A word that no other story uses.
pub fn unique(word: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    format!("{word}-{}-{}-{count}", std::process::id(), now.as_nanos())
}

/// A file of this many bytes that no other story has.
pub fn sample(bytes: usize) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    let line = unique("sample");
    let mut content = line.as_bytes().repeat(bytes / line.len() + 1);
    content.truncate(bytes);
    file.write_all(&content).expect("written");
    file
}

/// A verified hospital's person.
#[derive(Debug, Clone)]
pub struct Hospital {
    /// Their client.
    pub client: Client,
}

impl std::ops::Deref for Hospital {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Hospital {
    /// Invited and registered; nobody has verified it.
    pub fn pending(stack: &Stack, name: &str) -> Self {
        let invitation = stack.operator().invite(None, 1).expect("invited").invitation;
        let mut client = Client::new(stack.vault(), Wallet::generate().expect("a wallet"));
        let person = Person { organisation: name, name: "Doctor", phone: "+43 1 1", email: None };
        client.register(&invitation, &person).expect("registered");
        Self { client }
    }

    /// Invited, registered, verified.
    pub fn verified(stack: &Stack, name: &str) -> Self {
        let hospital = Self::pending(stack, name);
        let operator = stack.operator();
        let looked_at = operator.show_provider(hospital.id()).expect("shown");
        operator.verify_provider(&looked_at).expect("verified");
        hospital
    }

    /// Its cloud ID.
    pub fn id(&self) -> Id {
        self.client.provider().expect("registered")
    }

    /// The same person, but by way of another address.
    #[must_use]
    pub fn by_way_of(&self, vault: Vault) -> Self {
        Self { client: Client::new(vault, self.client.wallet.clone()) }
    }

    /// Uploads a file under these terms.
    pub fn keep(&self, path: &Path, terms: &[&str]) -> Uploaded {
        let terms: Vec<Term> = terms.iter().map(|term| Term::parse(term).expect("a term")).collect();
        let new = NewRecord { path, media_type: "text/plain", label: Some("a story's file"), terms: &terms };
        self.client.upload(&new, &Silent).expect("uploaded")
    }

    /// Asks for version 1 of a record.
    pub fn ask(&self, record: Id) -> Id {
        self.asked(record).0
    }

    /// The same, with the event that the vault says it is.
    pub fn asked(&self, record: Id) -> (Id, Event) {
        let new = NewRequest {
            record,
            version: 1,
            purpose: Purpose::Treatment,
            grant_seconds: 3_600,
            justification: "the patient is here",
        };
        self.client.request_access(&new).expect("requested")
    }

    /// A request that an operator has approved.
    pub fn granted(&self, stack: &Stack, record: Id) -> Id {
        let request = self.ask(record);
        let operator = stack.operator();
        let looked_at = operator.wait_request(request, "verified", PATIENCE).expect("verified by the workflow");
        operator.approve(&looked_at, None).expect("approved");
        request
    }

    /// Downloads into a new folder.
    pub fn fetch(&self, of: DownloadOf) -> (Result<Download, chartseal_cli::Error>, TempDir) {
        let folder = TempDir::new().expect("a folder");
        let out = folder.path().join("out");
        (self.client.download(of, &out, false, &Silent), folder)
    }
}
