//! `init`: the first contact. It pins the vault and the log's key, and gives a witness a key that has never signed.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use chartseal_cli::{Error, Passphrase, Vault, VaultPin, WalletFile};
use chartseal_ledger::note::{Note, VerifierKey};

use crate::config::{Config, Kind, Mode};
use crate::durable::FileError;
use crate::key::{WitnessKey, WitnessKeyError};
use crate::witness::Witness;

/// A node is not made.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The vault, or the wallet.
    #[error(transparent)]
    Client(#[from] Error),
    /// The folder.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key.
    #[error(transparent)]
    Key(#[from] WitnessKeyError),
    /// Neither a wallet nor an address.
    #[error("no vault is named: say --wallet FILE or --api URL")]
    NoVault,
    /// A full node reads events.
    #[error(
        "to check what events say, the node needs an auditor's or operator's wallet: say --wallet FILE, or --hashes-only"
    )]
    NoWallet,
    /// The vault says another log key than the caller.
    #[error("the vault's log key is {0}, which is not the one that was given")]
    OtherLog(Box<VerifierKey>),
    /// Somebody of this name has cosigned already.
    #[error(
        "a witness of the name {0} has cosigned this log: one that has lost its state must not go on under its name; choose another"
    )]
    NameTaken(String),
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Beginning<'a> {
    /// The folder to make.
    pub folder: &'a Path,
    /// The wallet whose vault it is.
    pub wallet: Option<&'a Path>,
    /// The vault's address.
    pub api: Option<&'a str>,
    /// The log's key from elsewhere.
    pub log: Option<&'a VerifierKey>,
    /// What is to be checked.
    pub mode: Mode,
}

impl Beginning<'_> {
    /// Makes a mirror.
    pub fn mirror(self) -> Result<Config, BeginError> {
        let (_, config) = self.meet(Kind::Mirror)?;
        self.make_folder()?;
        config.create(self.folder)?;
        Ok(config)
    }

    /// Makes a witness, and gives its public key.
    pub fn witness(self, name: &str, passphrase: &Passphrase) -> Result<(Config, VerifierKey), BeginError> {
        let key = WitnessKey::generate(name)?;
        let (vault, config) = self.meet(Kind::Witness)?;
        for path in ["/ledger/checkpoint", "/ledger/cosigned"] {
            let shown = vault.get_raw(path, None)?;
            let note = Note::parse(&shown.body).ok().filter(|_| shown.status == 200);
            if note.is_some_and(|note| note.signatures().iter().any(|line| line.name() == name)) {
                return Err(BeginError::NameTaken(name.to_owned()));
            }
        }
        self.make_folder()?;
        config.create(self.folder)?;
        Witness::create(self.folder, key.verifier(), &config.log)?;
        // The key last: there is none without a state.
        key.create(self.folder, passphrase)?;
        Ok((config, key.verifier().clone()))
    }

    fn meet(self, kind: Kind) -> Result<(Vault, Config), BeginError> {
        if self.mode == Mode::Full && self.wallet.is_none() {
            return Err(BeginError::NoWallet);
        }
        let vault = match (self.wallet, self.api) {
            (Some(wallet), api) => {
                let pin = WalletFile::read(wallet)?.head().vault.clone().ok_or(Error::NoVault)?;
                Vault::new(VaultPin { api: api.map_or(pin.api.clone(), str::to_owned), ..pin })?
            }
            (None, Some(api)) => Vault::discover(api)?,
            (None, None) => return Err(BeginError::NoVault),
        };
        let log = vault.log_key()?;
        if self.log.is_some_and(|given| *given != log) {
            return Err(BeginError::OtherLog(Box::new(log)));
        }
        let config = Config { kind, mode: self.mode, vault: vault.pin().clone(), log };
        Ok((vault, config))
    }

    /// A folder of its own, for its owner alone. One that is empty will do.
    fn make_folder(self) -> Result<(), FileError> {
        let failed = || FileError::of(self.folder);
        match std::fs::DirBuilder::new().mode(0o700).create(self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let mut entries = std::fs::read_dir(self.folder).map_err(failed())?;
                if entries.next().is_none() {
                    Ok(())
                } else {
                    Err(failed()(std::io::ErrorKind::DirectoryNotEmpty.into()))
                }
            }
            made => made.map_err(failed()),
        }
    }
}
