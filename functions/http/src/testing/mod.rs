//! What the functions' tests stand on: a vault in memory that has begun, an operator, hospitals, their records, and calls as wallets sign
//! them. Everything given goes the way it goes in production, through decisions and the road; only Lambda and AWS are not there.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use chartseal_events::command::RecordCreate;
//! use chartseal_http::testing::Stage;
//!
//! let stage = Stage::new().await;
//! let hospital = stage.hospital("St. Mary").await;
//! let call = stage.post(&hospital, "/records", RecordCreate {}, &[]);
//! assert_eq!(call.method, "POST");
//! # });
//! ```
#![allow(clippy::missing_panics_doc, reason = "a fixture panics where a test's story cannot be told, and says so")]

mod calls;
mod people;
mod records;
mod slow;

use std::sync::atomic::{AtomicU64, Ordering};

use chartseal_events::event::Genesis;
use chartseal_events::private::{PrivatePart, PrivateValue};
use chartseal_events::{Action, Bytes, Command, Facts, Hash, Id, Observation};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{Clock as _, ClockKey as _, KeyItem, LogKey as _};
use chartseal_infra::road::{self, Luggage, Taken};

pub use calls::{Call, call, document, refused};
pub use people::Wallet;
pub use records::{Body, announcement_of};
pub use slow::Slow;

/// The vault's name in tests.
pub const ORIGIN: &str = "vault.example";

/// A vault in memory that has begun, and its first operator.
pub struct Stage {
    /// The vault: every port.
    pub vault: MemoryVault,
    /// Its operator.
    pub operator: Wallet,
    /// The leaf hash of its genesis event.
    pub genesis: Hash,
    count: AtomicU64,
}

impl Stage {
    /// A vault with one operator and nobody else.
    pub async fn new() -> Self {
        let vault = MemoryVault::new();
        let operator = Wallet::operator(0xF0);
        let genesis = Genesis {
            origin: ORIGIN.to_owned(),
            log_key: vault.public_key().await.expect("memory"),
            clock_key: vault.clock_key().await.expect("memory"),
            search_key: Bytes([0xF2; 32]),
            operators: vec![operator.sign_key()],
            operator_threshold: 1,
        };
        let begun = road::observe(&vault, &vault, &Observation::Deployed(genesis)).await.expect("the vault begins");
        Self { vault, operator, genesis: begun.event.leaf, count: AtomicU64::new(1) }
    }

    /// The time, Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.vault.now_ms()
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    fn jti(&self) -> Id {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.next().to_be_bytes());
        Id::from_parts(self.now_ms(), random)
    }

    /// A command with its private part, signed now.
    pub fn command(
        &self,
        wallet: &Wallet,
        action: impl Into<Action>,
        private: &[(&str, &str)],
    ) -> (Command, PrivatePart) {
        let part: PrivatePart = private
            .iter()
            .map(|(name, value)| {
                let mut salt = [0; 16];
                salt[8..].copy_from_slice(&self.next().to_be_bytes());
                ((*name).to_owned(), PrivateValue { salt: Bytes(salt), value: (*value).to_owned() })
            })
            .collect();
        let command = wallet.sign(ORIGIN, self.now_ms(), self.jti(), action.into(), &part);
        (command, part)
    }

    /// Takes a command; what is given in a story.
    pub async fn taken(&self, wallet: &Wallet, action: impl Into<Action>, private: &[(&str, &str)]) -> Taken {
        self.taken_with(wallet, action, private, Facts::default(), Vec::new()).await
    }

    /// Takes a command with what the vault adds to it.
    pub async fn taken_with(
        &self,
        wallet: &Wallet,
        action: impl Into<Action>,
        private: &[(&str, &str)],
        facts: Facts,
        keys: Vec<KeyItem>,
    ) -> Taken {
        let (command, private) = self.command(wallet, action, private);
        let luggage = Luggage { facts, private, keys };
        road::take(&self.vault, &self.vault, &command, &luggage).await.expect("the command is taken")
    }

    /// Something the vault finds out.
    pub async fn observed(&self, observation: Observation) -> Taken {
        road::observe(&self.vault, &self.vault, &observation).await.expect("the observation is written")
    }

    /// The private values beside an event, as name and value.
    pub async fn private(&self, place: chartseal_events::EventRef) -> Vec<(String, String)> {
        use chartseal_infra::ports::EventStore as _;
        let part = self.vault.private(&place).await.expect("memory");
        part.into_iter().map(|(name, value)| (name, value.value)).collect()
    }
}
