//! The file a wallet is kept in: JSON whose open part says whose it is, and whose `secret` is an age passphrase file.
//!
//! The open part is for `wallet status`, which asks for no passphrase. It is believed by nothing else: everything in it stands in the sealed
//! part too, and a difference is tampering. Files are written whole, to a temporary file that is then renamed, readable by their owner alone.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use chartseal_events::{Bytes, Kid, strict};
use serde::{Deserialize, Serialize};

use super::{Identity, Member, Passphrase, Wallet, WalletError, secret};
use crate::error::Error;
use crate::vault::VaultPin;

/// scrypt's N is 2 to this: 64 MiB, a fifth of a second natively, about a second in a browser.
pub const WORK_FACTOR_LOG2: u8 = 16;
/// The most that is done to open a file, so that a file from elsewhere cannot take the machine hostage.
pub const MAX_WORK_FACTOR_LOG2: u8 = 18;
/// Longest wallet file.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// The version of the file's shape.
const VERSION: u32 = 1;

/// What a wallet file says openly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletHead {
    /// Who its holder is.
    pub identity: Identity,
    /// The Ed25519 public key.
    pub sign_key: Bytes<32>,
    /// The X25519 public key.
    pub seal_key: Bytes<32>,
    /// The vault it is for, once it is known.
    pub vault: Option<VaultPin>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outer {
    v: u32,
    kind: Kind,
    sign_key: Bytes<32>,
    seal_key: Bytes<32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<Kid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<chartseal_events::Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vault: Option<VaultPin>,
    secret: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Operator,
    Staff,
}

impl Wallet {
    /// What its file says openly.
    pub fn head(&self) -> WalletHead {
        WalletHead {
            identity: self.identity,
            sign_key: self.sign_key(),
            seal_key: self.seal_key(),
            vault: self.vault.clone(),
        }
    }
}

impl WalletHead {
    /// The `kid` that the holder signs as.
    pub fn kid(&self) -> Kid {
        match self.identity {
            Identity::Staff { member: Some(member) } => Kid::Person(member.kid),
            _ => Kid::Key(chartseal_events::Thumbprint::of(&self.sign_key)),
        }
    }
}

impl Outer {
    fn new(head: WalletHead, secret: String) -> Self {
        let (kind, member) = match head.identity {
            Identity::Operator => (Kind::Operator, None),
            Identity::Staff { member } => (Kind::Staff, member),
        };
        Self {
            v: VERSION,
            kind,
            sign_key: head.sign_key,
            seal_key: head.seal_key,
            kid: (kind == Kind::Operator || member.is_some()).then(|| head.kid()),
            provider: member.map(|member| member.provider),
            vault: head.vault,
            secret,
        }
    }

    /// Reads the open part; whatever is not exactly as it is written is no wallet.
    fn parse(text: &[u8]) -> Result<(WalletHead, String), WalletError> {
        let value = strict::value(text).map_err(|_| WalletError::NotAWallet)?;
        let version = value.get("v").and_then(serde_json::Value::as_u64).ok_or(WalletError::NotAWallet)?;
        if version > u64::from(VERSION) {
            return Err(WalletError::LaterVersion);
        }
        let outer: Self = serde_json::from_value(value).map_err(|_| WalletError::NotAWallet)?;
        let identity = match (outer.kind, outer.kid, outer.provider) {
            (Kind::Operator, Some(Kid::Key(_)), None) => Identity::Operator,
            (Kind::Staff, None, None) => Identity::Staff { member: None },
            (Kind::Staff, Some(Kid::Person(kid)), Some(provider)) => {
                Identity::Staff { member: Some(Member { kid, provider }) }
            }
            _ => return Err(WalletError::NotAWallet),
        };
        let head = WalletHead { identity, sign_key: outer.sign_key, seal_key: outer.seal_key, vault: outer.vault };
        // The thumbprint of an operator is written for people; it must be the key's.
        if outer.kid.is_some_and(|kid| kid != head.kid()) {
            return Err(WalletError::Tampered);
        }
        Ok((head, outer.secret))
    }
}

/// A wallet file.
#[derive(Debug, Clone)]
pub struct WalletFile {
    path: PathBuf,
    head: WalletHead,
    secret: String,
}

impl WalletFile {
    /// Writes a new wallet; a file that is there is not replaced.
    pub fn create(path: &Path, wallet: &Wallet, passphrase: &Passphrase) -> Result<Self, Error> {
        passphrase.check_new()?;
        // Before the scrypt work: the commonest mistake should be told at once.
        if path.exists() {
            return Err(Error::FileExists(path.to_owned()));
        }
        let file = Self::sealed(path, wallet, passphrase)?;
        file.write(false)?;
        Ok(file)
    }

    /// Reads a wallet file's open part.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut text = Vec::new();
        let file = File::open(path).map_err(Error::file(path))?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text).map_err(Error::file(path))?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(WalletError::NotAWallet.into());
        }
        let (head, secret) = Outer::parse(&text)?;
        Ok(Self { path: path.to_owned(), head, secret })
    }

    /// Opens the sealed part and holds the open part to it.
    pub fn open(&self, passphrase: &Passphrase) -> Result<Wallet, Error> {
        let wallet = secret::open(&self.secret, passphrase)?;
        if wallet.head() == self.head { Ok(wallet) } else { Err(WalletError::Tampered.into()) }
    }

    /// Replaces the wallet by what it has become: registered, or connected to a vault.
    pub fn save(&mut self, wallet: &Wallet, passphrase: &Passphrase) -> Result<(), Error> {
        let file = Self::sealed(&self.path, wallet, passphrase)?;
        file.write(true)?;
        *self = file;
        Ok(())
    }

    /// What it says openly.
    pub fn head(&self) -> &WalletHead {
        &self.head
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn sealed(path: &Path, wallet: &Wallet, passphrase: &Passphrase) -> Result<Self, WalletError> {
        let secret = secret::seal(wallet, passphrase, WORK_FACTOR_LOG2)?;
        Ok(Self { path: path.to_owned(), head: wallet.head(), secret })
    }

    fn write(&self, replace: bool) -> Result<(), Error> {
        let folder = folder_of(&self.path);
        let failed = || Error::file(&self.path);
        let text = serde_json::to_string_pretty(&Outer::new(self.head.clone(), self.secret.clone()))
            .map_err(|_| WalletError::NotSealed)?;
        // Mode 0600 from the first byte on.
        let mut file = tempfile::Builder::new().prefix(".chartseal-").tempfile_in(folder).map_err(failed())?;
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(failed())?;
        file.as_file().sync_all().map_err(failed())?;
        if replace {
            file.persist(&self.path).map_err(|error| failed()(error.error))?;
        } else {
            file.persist_noclobber(&self.path).map_err(|error| match error.error.kind() {
                std::io::ErrorKind::AlreadyExists => Error::FileExists(self.path.clone()),
                _ => failed()(error.error),
            })?;
        }
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed())
    }
}

/// The folder a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
