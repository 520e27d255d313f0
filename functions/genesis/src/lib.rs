//! The custom resource `Custom::Genesis`: writes the vault's first event when the stack is created, and says its leaf hash, the vault's identity.
//!
//! In scope: making the search key, reading the keys of the log and of its clock, `vault.genesis.v1`, answering CloudFormation whatever happens. The stack's parameter
//! `OperatorKeys` seeds the vault and does nothing else: a later change of it changes nothing (operators change by signed commands). The origin can
//! never change: an update that tries is refused. Deleting the stack deletes nothing here.
#![forbid(unsafe_code)]

mod answer;

use chartseal_events::event::Genesis;
use chartseal_events::state::Operators;
use chartseal_events::{Bytes, Code, Hash, Observation, StreamId};
use chartseal_http::ConfigError;
use chartseal_infra::ports::{Clock, ClockKey, EventStore, LogKey, SearchKeyVault, StoreError};
use chartseal_infra::road::{Failure, look, observe};
use chartseal_infra::telemetry::{fields, note};
use chartseal_ledger::terms::{OsRng, SearchKey};

pub use answer::{Answer, Request, RequestType, Undelivered, deliver};

/// The first epoch of the search key; the genesis event has its public key.
const FIRST_EPOCH: u32 = 1;

/// Where the vault begins, and with what.
#[derive(Debug)]
pub struct Vault<E, S, L, K, C> {
    /// The streams.
    pub events: E,
    /// The search keys.
    pub search_keys: S,
    /// The ledger's key.
    pub log_key: L,
    /// The key of the ledger's clock.
    pub clock_key: K,
    /// The time.
    pub clock: C,
    /// The vault's name.
    pub origin: String,
    /// The first operators' Ed25519 public keys, base64url, comma-separated.
    pub operator_keys: String,
}

/// Why there is no vault, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// The function cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An operator key cannot be read.
    #[error("OperatorKeys: key {0} (counted from 1) is not an Ed25519 public key in base64url without padding")]
    BadOperatorKey(usize),
    /// The vault has begun under another name.
    #[error("Origin: this vault began as {0}, and its origin can never change")]
    OriginChanged(String),
    /// The first event was refused.
    #[error("the vault cannot begin: {0} (OperatorKeys must be 1 to 64 distinct Ed25519 public keys)")]
    Refused(chartseal_events::Refusal),
    /// A service failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Failure> for GenesisError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Refused(refusal),
            Failure::Store(error) => Self::Store(error),
        }
    }
}

impl<E: EventStore, S: SearchKeyVault, L: LogKey, K: ClockKey, C: Clock> Vault<E, S, L, K, C> {
    /// Does what CloudFormation asks for; gives the leaf hash of the genesis event, unless the stack goes away.
    pub async fn handle(&self, request: &Request) -> Result<Option<Hash>, GenesisError> {
        note::set(&fields::OPERATION, request.request_type.name());
        match request.request_type {
            RequestType::Create | RequestType::Update => self.begin().await.map(Some),
            RequestType::Delete => Ok(None),
        }
    }

    /// Makes sure that the vault has begun.
    async fn begin(&self) -> Result<Hash, GenesisError> {
        if let Some(operators) = self.operators().await? {
            return self.identity(&operators);
        }
        let operators = self.first_operators()?;
        let fresh = SearchKey::generate(&mut OsRng);
        // Of a run that ended before it wrote the event, the key is kept: its public key stands beside it, so that nothing has to be opened here.
        let search_key = self.search_keys.keep(FIRST_EPOCH, &fresh.to_bytes(), &Bytes(fresh.public_key())).await?;
        let genesis = Genesis {
            origin: self.origin.clone(),
            log_key: self.log_key.public_key().await?,
            clock_key: self.clock_key.clock_key().await?,
            search_key,
            operators,
            operator_threshold: 1,
        };
        match observe(&self.events, &self.clock, &Observation::Deployed(genesis)).await {
            Ok(taken) => Ok(taken.event.leaf),
            // Another run was first.
            Err(Failure::Refused(refusal)) if refusal.code == Code::Conflict => {
                let operators = self.operators().await?.ok_or(GenesisError::Refused(refusal))?;
                self.identity(&operators)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    fn first_operators(&self) -> Result<Vec<Bytes<32>>, GenesisError> {
        let keys = self.operator_keys.split(',').map(str::trim).zip(1..);
        keys.map(|(key, number)| key.parse().map_err(|_| GenesisError::BadOperatorKey(number))).collect()
    }

    async fn operators(&self) -> Result<Option<Operators>, GenesisError> {
        Ok(look(&self.events, [StreamId::Vault], self.clock.now_ms()).await?.operators().cloned())
    }

    fn identity(&self, operators: &Operators) -> Result<Hash, GenesisError> {
        if operators.genesis.origin == self.origin {
            Ok(operators.genesis_leaf)
        } else {
            Err(GenesisError::OriginChanged(operators.genesis.origin.clone()))
        }
    }
}

#[cfg(test)]
mod tests;
