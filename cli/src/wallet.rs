//! Wallets: a person's Ed25519 signing key and X25519 key, who they are to a vault, and which vault that is.
//!
//! This file is the wallet in memory; [`WalletFile`] is the passphrase file it is kept in.

mod file;
mod passphrase;
mod secret;
#[cfg(test)]
mod tests;

use std::fmt;

use chartseal_envelope::key_release::RecipientSecret;
use chartseal_events::{Bytes, Id, Kid, Thumbprint};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub(crate) use file::folder_of;
pub use file::{MAX_WORK_FACTOR_LOG2, WORK_FACTOR_LOG2, WalletFile, WalletHead};
pub use passphrase::Passphrase;
pub use secret::{open_bytes, seal_bytes};

use crate::vault::VaultPin;

/// What is wrong with a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// Not a wallet's JSON.
    #[error("the file is not a wallet")]
    NotAWallet,
    /// Written by a later version.
    #[error("the wallet was written by a later version of chartseal")]
    LaterVersion,
    /// The passphrase does not open it, or the sealed part was changed.
    #[error("the passphrase does not open the wallet")]
    WrongPassphrase,
    /// Opening it would take longer than a wallet of ours ever does.
    #[error(
        "the wallet asks for too much work to open: 2^{required_log2} steps, at most 2^{MAX_WORK_FACTOR_LOG2} are done"
    )]
    TooMuchWork {
        /// The logarithm it asks for.
        required_log2: u8,
    },
    /// What stands outside differs from what is sealed inside.
    #[error("the wallet file was tampered with: what it says openly is not what is sealed in it")]
    Tampered,
    /// A new passphrase is too short.
    #[error("the passphrase is too short: at least {} characters", Passphrase::MIN_CHARS)]
    ShortPassphrase,
    /// No random bytes.
    #[error("the operating system gives no random bytes")]
    Entropy,
    /// The wallet could not be sealed.
    #[error("the wallet could not be sealed")]
    NotSealed,
}

impl WalletError {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::NotAWallet => "not-a-wallet",
            Self::LaterVersion => "wallet-version",
            Self::WrongPassphrase => "wrong-passphrase",
            Self::TooMuchWork { .. } => "wallet-work-factor",
            Self::Tampered => "wallet-tampered",
            Self::ShortPassphrase => "short-passphrase",
            Self::Entropy => "no-entropy",
            Self::NotSealed => "wallet-not-sealed",
        }
    }

    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::NotAWallet => "Name a file that `chartseal wallet create` or `chartseal operator init` wrote.",
            Self::LaterVersion => "Use that version of chartseal.",
            Self::WrongPassphrase => "Check the passphrase; a changed file is not opened by the right one either.",
            Self::TooMuchWork { .. } => "Do not open it: no wallet of chartseal's is like this.",
            Self::Tampered => "Do not use it. Restore the wallet from a copy.",
            Self::ShortPassphrase => "Choose a longer one: several words that do not belong together.",
            Self::Entropy => "Try again on a machine whose random source works.",
            Self::NotSealed => "Try again; no file was written.",
        }
    }
}

/// Who a wallet's holder is to the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Identity {
    /// An operator of the vault: signs as the key's thumbprint.
    Operator,
    /// A person of a provider.
    Staff {
        /// Their id and provider, from the registration on.
        #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
        member: Option<Member>,
    },
}

/// A registered person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The person's id: the `kid` of their commands.
    pub kid: Id,
    /// The provider they act for.
    pub provider: Id,
}

/// A wallet, open. The keys are zeroed when it is dropped and never printed.
#[derive(Clone)]
pub struct Wallet {
    sign: SigningKey,
    seal: RecipientSecret,
    seal_public: Bytes<32>,
    /// Who its holder is.
    pub identity: Identity,
    /// The vault it is for, once it is known.
    pub vault: Option<VaultPin>,
}

impl Wallet {
    /// A fresh wallet of a person who has not registered yet. Nothing is written.
    pub fn generate() -> Result<Self, WalletError> {
        Self::fresh(Identity::Staff { member: None })
    }

    /// A fresh wallet of an operator. Nothing is written.
    pub fn generate_operator() -> Result<Self, WalletError> {
        Self::fresh(Identity::Operator)
    }

    fn fresh(identity: Identity) -> Result<Self, WalletError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(|_| WalletError::Entropy)?;
        let seal = RecipientSecret::generate().map_err(|_| WalletError::Entropy)?;
        Self::of_keys(&seed, seal, identity, None)
    }

    fn of_keys(
        seed: &[u8; 32],
        seal: RecipientSecret,
        identity: Identity,
        vault: Option<VaultPin>,
    ) -> Result<Self, WalletError> {
        let seal_public = Bytes(seal.public_key().map_err(|_| WalletError::NotAWallet)?);
        Ok(Self { sign: SigningKey::from_bytes(seed), seal, seal_public, identity, vault })
    }

    /// The Ed25519 key. Signing something else than commands and read tokens with it is for tests.
    pub fn signing_key(&self) -> &SigningKey {
        &self.sign
    }

    /// The X25519 secret key.
    pub fn recipient_secret(&self) -> &RecipientSecret {
        &self.seal
    }

    /// The Ed25519 public key.
    pub fn sign_key(&self) -> Bytes<32> {
        Bytes(self.sign.verifying_key().to_bytes())
    }

    /// The X25519 public key.
    pub fn seal_key(&self) -> Bytes<32> {
        self.seal_public
    }

    /// The RFC 7638 thumbprint of the Ed25519 public key.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::of(&self.sign_key())
    }

    /// The registered person, where there is one.
    pub fn member(&self) -> Option<Member> {
        match self.identity {
            Identity::Staff { member } => member,
            Identity::Operator => None,
        }
    }

    /// The `kid` that the holder signs as.
    pub fn kid(&self) -> Kid {
        self.member().map_or_else(|| Kid::Key(self.thumbprint()), |member| Kid::Person(member.kid))
    }

    /// The provider that the holder acts for.
    pub fn provider(&self) -> Option<Id> {
        self.member().map(|member| member.provider)
    }

    /// Whether it is an operator's.
    pub fn is_operator(&self) -> bool {
        self.identity == Identity::Operator
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wallet({}, keys ..)", self.kid())
    }
}
