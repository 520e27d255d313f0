//! The witness' key: an Ed25519 key for cosignatures under a name of its own, in a file that is sealed with a passphrase as a wallet is.
//!
//! Sealed, although the passphrase has to be given for an unattended start: a copy of the folder (a backup, a disk that was sold) is then not a copy of the
//! key, as long as the passphrase is kept elsewhere (docs/WITNESS.md says how with systemd).

use std::fmt;
use std::path::{Path, PathBuf};

use chartseal_cli::Passphrase;
use chartseal_cli::wallet::{WORK_FACTOR_LOG2, WalletError, open_bytes, seal_bytes};
use chartseal_ledger::note::{KeyError, Note, SignatureError, SignatureType, VerifierKey};
use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::durable::{self, FileError};

/// Longest key file.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;
const FILE: &str = "key.json";

/// A key file that is of no use.
#[derive(Debug, thiserror::Error)]
pub enum WitnessKeyError {
    /// Not there, or not readable.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not sealed as it should be, or the passphrase is another.
    #[error("the witness' key: {0}")]
    Sealed(#[from] WalletError),
    /// A name that no key can have.
    #[error("the witness' name: {0}")]
    Name(#[from] KeyError),
    /// It is none, or another than it says openly.
    #[error("{} is not a witness' key file", .0.display())]
    NotAKey(PathBuf),
}

/// The key, open. Zeroed when dropped, never printed.
pub struct WitnessKey {
    signing: SigningKey,
    verifier: VerifierKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    v: u32,
    key: String,
    secret: String,
}

impl WitnessKey {
    /// A fresh key under this name. Nothing is written.
    pub fn generate(name: &str) -> Result<Self, WitnessKeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(|_| WalletError::Entropy)?;
        Self::from_seed(name, &seed)
    }

    /// The key of these bytes: frozen vectors are made with it.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, WitnessKeyError> {
        let signing = SigningKey::from_bytes(seed);
        let public = signing.verifying_key().to_bytes();
        Ok(Self { verifier: VerifierKey::new(name, SignatureType::Cosignature, &public)?, signing })
    }

    /// Writes the key into a folder that has none.
    pub fn create(&self, folder: &Path, passphrase: &Passphrase) -> Result<(), WitnessKeyError> {
        passphrase.check_new()?;
        let secret = seal_bytes(self.signing.as_bytes(), passphrase, WORK_FACTOR_LOG2)?;
        let file = KeyFile { v: 1, key: self.verifier.to_string(), secret };
        // A struct of strings always serialises.
        let bytes = serde_json::to_vec_pretty(&file).unwrap_or_default();
        Ok(durable::create(&folder.join(FILE), &bytes)?)
    }

    /// Opens the key of a folder.
    pub fn open(folder: &Path, passphrase: &Passphrase) -> Result<Self, WitnessKeyError> {
        let path = folder.join(FILE);
        let none = || WitnessKeyError::NotAKey(path.clone());
        let bytes = durable::read(&path, MAX_KEY_FILE_BYTES)?.ok_or_else(none)?;
        let file: KeyFile = serde_json::from_slice(&bytes).map_err(|_| none())?;
        let said: VerifierKey = file.key.parse().map_err(|_| none())?;
        let opened = open_bytes(&file.secret, passphrase)?;
        let seed = Zeroizing::new(<[u8; 32]>::try_from(opened.as_slice()).map_err(|_| none())?);
        let key = Self::from_seed(said.name(), &seed)?;
        if file.v == 1 && key.verifier == said { Ok(key) } else { Err(none()) }
    }

    /// What clients are given.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Adds a cosignature of this time. Whether it may be made is [`crate::witness`]' to say.
    pub(crate) fn cosign(&self, note: &mut Note, timestamp_s: u64) -> Result<(), SignatureError> {
        let signature = self.signing.sign(note.cosignature_message(timestamp_s).as_bytes());
        note.cosign(&self.verifier, timestamp_s, &signature.to_bytes())
    }
}

impl fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WitnessKey({}, ..)", self.verifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_opened_by_its_passphrase_alone_and_shown_to_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let passphrase = Passphrase::new("correct horse battery");
        let key = WitnessKey::generate("witness.example/one").expect("a key");
        key.create(folder.path(), &passphrase).expect("written");
        let opened = WitnessKey::open(folder.path(), &passphrase).expect("opened");
        assert_eq!(opened.verifier(), key.verifier());
        assert!(WitnessKey::open(folder.path(), &Passphrase::new("incorrect horse")).is_err());
        assert!(key.create(folder.path(), &passphrase).is_err(), "a key is never written over");
        let file = std::fs::read_to_string(folder.path().join(FILE)).expect("there");
        let secret = chartseal_events::encoding::base64url(key.signing.as_bytes());
        assert!(!file.contains(&secret) && !format!("{key:?}").contains(&secret));
        let other = WitnessKey::generate("witness.example/two").expect("a key");
        let swapped = file.replace(&key.verifier.to_string(), &other.verifier.to_string());
        std::fs::write(folder.path().join(FILE), swapped).expect("written");
        assert!(matches!(WitnessKey::open(folder.path(), &passphrase), Err(WitnessKeyError::NotAKey(_))));
    }
}
