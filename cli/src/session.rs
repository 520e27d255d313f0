//! What most commands begin with: the wallet file, its passphrase, the vault it is connected to.

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use chartseal_cli::{Client, Error, Passphrase, State, Vault, VaultPin, Wallet, WalletFile};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::options::Globals;

/// Longest passphrase.
const MAX_PASSPHRASE_BYTES: u64 = 4096;
const PASSPHRASE_VARIABLE: &str = "CHARTSEAL_PASSPHRASE";

/// The options that stand before the command.
#[derive(Debug)]
pub struct Session {
    globals: Globals,
}

/// A wallet that is open, with what is needed to write it back.
pub struct OpenWallet {
    pub file: WalletFile,
    pub passphrase: Passphrase,
    pub wallet: Wallet,
}

impl Session {
    pub fn new(globals: Globals) -> Self {
        Self { globals }
    }

    /// What stood before the command.
    pub fn globals(&self) -> &Globals {
        &self.globals
    }

    /// The address of `--api`.
    pub fn api(&self) -> Option<&str> {
        self.globals.api.as_deref()
    }

    /// The wallet file, its open part only.
    pub fn wallet_file(&self) -> Result<WalletFile, Failure> {
        let path = self
            .globals
            .wallet
            .as_deref()
            .ok_or_else(|| Failure::usage("no wallet is named", "Say --wallet FILE, or set CHARTSEAL_WALLET."))?;
        Ok(WalletFile::read(path)?)
    }

    /// The wallet, opened.
    pub fn open_wallet(&self) -> Result<OpenWallet, Failure> {
        let file = self.wallet_file()?;
        let passphrase = self.passphrase(&format!("Passphrase of {}: ", file.path().display()))?;
        let wallet = file.open(&passphrase)?;
        Ok(OpenWallet { file, passphrase, wallet })
    }

    /// The wallet at its vault.
    pub fn client(&self) -> Result<Client, Failure> {
        let file = self.wallet_file()?;
        // Before the passphrase is asked for.
        if file.head().vault.is_none() {
            return Err(Error::NoVault.into());
        }
        let OpenWallet { wallet, .. } = self.open_wallet()?;
        let pin = wallet.vault.clone().ok_or(Error::NoVault)?;
        let api = self.globals.api.clone().unwrap_or_else(|| pin.api.clone());
        let mut client = Client::new(Vault::new(VaultPin { api, ..pin })?, wallet);
        client.transfers.state = State::of_environment();
        client.receipts.clone_from(&self.globals.receipts);
        Ok(client)
    }

    /// The vault that the wallet knows. Asks for no passphrase: what is read there is public.
    pub fn vault(&self) -> Result<Vault, Failure> {
        let pin = self.wallet_file()?.head().vault.clone().ok_or(Error::NoVault)?;
        let api = self.globals.api.clone().unwrap_or_else(|| pin.api.clone());
        Ok(Vault::new(VaultPin { api, ..pin })?)
    }

    /// Writes a new wallet.
    pub fn create(&self, out: &Path, wallet: &Wallet) -> Result<WalletFile, Failure> {
        if out.exists() {
            return Err(Error::FileExists(out.to_owned()).into());
        }
        let passphrase = self.new_passphrase(out)?;
        Ok(WalletFile::create(out, wallet, &passphrase)?)
    }

    fn new_passphrase(&self, out: &Path) -> Result<Passphrase, Failure> {
        let first = self.passphrase(&format!("New passphrase for {}: ", out.display()))?;
        first.check_new().map_err(Error::from)?;
        if self.is_prompted() && !first.is(&self.passphrase("The same again: ")?) {
            return Err(Failure::usage("the two passphrases differ", "Type the same passphrase twice."));
        }
        Ok(first)
    }

    fn is_prompted(&self) -> bool {
        self.globals.passphrase_file.is_none() && std::env::var_os(PASSPHRASE_VARIABLE).is_none()
    }

    fn passphrase(&self, prompt: &str) -> Result<Passphrase, Failure> {
        if let Some(path) = &self.globals.passphrase_file {
            return first_line(path);
        }
        match std::env::var(PASSPHRASE_VARIABLE) {
            Ok(text) => return Ok(Passphrase::new(text)),
            Err(std::env::VarError::NotPresent) => {}
            Err(_) => {
                return Err(Failure::usage(format!("{PASSPHRASE_VARIABLE} is not UTF-8"), "Use a passphrase file."));
            }
        }
        let advice = "Say --passphrase-file FILE, set CHARTSEAL_PASSPHRASE, or run it in a terminal.";
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage("the wallet's passphrase is not given", advice));
        }
        let typed = rpassword::prompt_password(prompt);
        typed.map(Passphrase::new).map_err(|_| Failure::usage("the passphrase cannot be read", advice))
    }
}

fn first_line(path: &Path) -> Result<Passphrase, Failure> {
    let failed = |source| Failure::from(Error::File { path: path.to_owned(), source });
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_PASSPHRASE_BYTES).read_to_string(&mut text).map_err(failed)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Passphrase::new(line)),
        _ => {
            let what = format!("the first line of the passphrase file {} is empty", path.display());
            Err(Failure::usage(what, "Write the wallet's passphrase into the first line of the file."))
        }
    }
}
