//! The passphrase of a wallet file.

use std::fmt;

use age::secrecy::{ExposeSecret as _, SecretString};

use super::WalletError;

/// A passphrase. Zeroed when dropped, never printed.
#[derive(Clone)]
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Fewest characters of a new one.
    pub const MIN_CHARS: usize = 8;

    /// A passphrase to open a wallet with.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// Checks that it may guard a new wallet.
    pub fn check_new(&self) -> Result<(), WalletError> {
        let chars = self.0.expose_secret().chars().count();
        if chars < Self::MIN_CHARS { Err(WalletError::ShortPassphrase) } else { Ok(()) }
    }

    /// Whether two are the same: asked twice, said twice.
    pub fn is(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }

    pub(super) fn secret(&self) -> SecretString {
        self.0.clone()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}
