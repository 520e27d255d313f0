//! The sealed part of a wallet file: its JSON, and the age encryption around it (age-encryption.org/v1, scrypt recipient, armored). Other files with
//! secrets are sealed in the same way: a witness' key is.

use std::io::{Read as _, Write as _};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, Encryptor, scrypt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::{Identity, MAX_WORK_FACTOR_LOG2, Passphrase, Wallet, WalletError};
use crate::vault::VaultPin;
use chartseal_envelope::key_release::RecipientSecret;

/// Longest sealed part, decrypted.
const MAX_INNER_BYTES: u64 = 16 * 1024;

/// What is sealed. Everything that stands outside stands here too, so that a change outside is noticed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    v: u32,
    sign: Key,
    seal: Key,
    identity: Identity,
    vault: Option<VaultPin>,
}

/// A secret key: base64url in JSON, zeroed when dropped.
struct Key(Zeroizing<[u8; 32]>);

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        // The decoder's estimate of the length is rounded up.
        let mut bytes = Zeroizing::new([0; 36]);
        let read = URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice());
        if read != Ok(32) {
            return Err(D::Error::custom("not a key"));
        }
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&bytes[..32]);
        Ok(Self(key))
    }
}

/// Seals a wallet.
pub(super) fn seal(wallet: &Wallet, passphrase: &Passphrase, work_factor_log2: u8) -> Result<String, WalletError> {
    let inner = Inner {
        v: 1,
        sign: Key(Zeroizing::new(wallet.signing_key().to_bytes())),
        seal: Key(Zeroizing::new(*wallet.recipient_secret().expose())),
        identity: wallet.identity,
        vault: wallet.vault.clone(),
    };
    // Large enough from the start: a buffer that grows leaves copies behind.
    let mut json = Zeroizing::new(Vec::with_capacity(4096));
    serde_json::to_writer(&mut *json, &inner).map_err(|_| WalletError::NotSealed)?;
    seal_bytes(&json, passphrase, work_factor_log2)
}

/// Seals a few bytes under a passphrase: an armored age file.
pub fn seal_bytes(bytes: &[u8], passphrase: &Passphrase, work_factor_log2: u8) -> Result<String, WalletError> {
    let mut recipient = scrypt::Recipient::new(passphrase.secret());
    recipient.set_work_factor(work_factor_log2);
    let sealed = || -> std::io::Result<Vec<u8>> {
        let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
            .map_err(std::io::Error::other)?;
        let armored = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armored)?;
        writer.write_all(bytes)?;
        writer.finish()?.finish()
    };
    String::from_utf8(sealed().map_err(|_| WalletError::NotSealed)?).map_err(|_| WalletError::NotSealed)
}

/// Opens a sealed wallet.
pub(super) fn open(armored: &str, passphrase: &Passphrase) -> Result<Wallet, WalletError> {
    let json = open_bytes(armored, passphrase)?;
    let inner: Inner = serde_json::from_slice(&json).map_err(|_| WalletError::NotAWallet)?;
    if inner.v != 1 {
        return Err(WalletError::LaterVersion);
    }
    Wallet::of_keys(&inner.sign.0, RecipientSecret::from_bytes(*inner.seal.0), inner.identity, inner.vault)
}

/// Opens what [`seal_bytes`] sealed.
pub fn open_bytes(armored: &str, passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, WalletError> {
    let decryptor = Decryptor::new(ArmoredReader::new(armored.as_bytes())).map_err(|_| WalletError::NotAWallet)?;
    if !decryptor.is_scrypt() {
        return Err(WalletError::NotAWallet);
    }
    let mut identity = scrypt::Identity::new(passphrase.secret());
    identity.set_max_work_factor(MAX_WORK_FACTOR_LOG2);
    let reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(|error| match error {
        DecryptError::ExcessiveWork { required, .. } => WalletError::TooMuchWork { required_log2: required },
        _ => WalletError::WrongPassphrase,
    })?;
    let mut json = Zeroizing::new(Vec::with_capacity(4096));
    reader.take(MAX_INNER_BYTES).read_to_end(&mut json).map_err(|_| WalletError::WrongPassphrase)?;
    Ok(json)
}
