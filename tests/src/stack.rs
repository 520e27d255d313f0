//! Which stack the stories run on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use chartseal_cli::{Client, Passphrase, Vault, Wallet, WalletFile};
use chartseal_local::{
    Deployment, Endpoint, LocalStack, Options, Outputs, Workspace, build, deploy, install, prerequisites, shared_file,
};
use serde::Deserialize;

use crate::Witness;

/// What `cargo xtask test` writes of the stack it shares.
#[derive(Deserialize)]
struct Shared {
    endpoint: Endpoint,
    api: String,
    outputs: Outputs,
    operator_wallet: PathBuf,
    passphrase_file: PathBuf,
}

/// A deployed stack with an operator's wallet.
#[derive(Debug)]
pub struct Stack {
    /// The checkout.
    pub workspace: Workspace,
    /// Where it runs.
    pub endpoint: Endpoint,
    /// Base address of its API.
    pub api: String,
    /// Its outputs.
    pub outputs: Outputs,
    operator: Wallet,
    /// Keeps the emulator up until the program ends; it ends with its parent.
    _emulator: Option<LocalStack>,
}

impl Stack {
    /// The stack with the template's parameters.
    pub fn usual() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(|| match shared_file() {
            Some(file) => Self::shared(&file),
            None => Self::own(),
        })
    }

    /// Another stack on the same endpoint, whose uploads and requests expire within seconds.
    pub fn hasty() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        let deadlines = [("UploadExpirySeconds", "4"), ("DecisionSeconds", "4"), ("TokensPerMinute", "40")];
        STACK.get_or_init(|| Self::usual().beside("hasty", &deadlines))
    }

    /// Another stack on the same endpoint, for what may happen to a whole vault: operators come and go.
    pub fn rough() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(|| Self::usual().beside("rough", &[]))
    }

    /// Another stack on the same endpoint, whose log is read whole: nobody else calls it.
    pub fn overheard() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(|| Self::usual().beside("overheard", &[("LogLevel", "debug"), ("UploadExpirySeconds", "20")]))
    }

    /// Another stack on the same endpoint, whose functions are killed and whose hints are lost.
    pub fn stormy() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(|| Self::usual().beside("stormy", &[]))
    }

    /// Another stack on the same endpoint, whose sealers are killed, and whose every event is counted.
    pub fn sealing() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(|| Self::usual().beside("sealing", &[]))
    }

    /// Another stack on the same endpoint, behind whose back everything is changed.
    pub fn tampered() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(|| Self::usual().beside("tampered", &[]))
    }

    /// Another stack on the same endpoint, whose log has these witnesses.
    pub fn witnessed(witnesses: &[Witness], quorum: usize) -> Self {
        let named: Vec<String> = witnesses.iter().map(Witness::parameter).collect();
        let parameters = [("Witnesses", named.join(",")), ("WitnessQuorum", quorum.to_string())];
        let stack =
            Self::usual().beside("witnessed", &parameters.each_ref().map(|(name, value)| (*name, value.as_str())));
        let log = stack.vault().log_key().expect("the genesis event names a key");
        for witness in witnesses {
            witness.know(&log);
        }
        stack
    }

    /// Another stack on the same endpoint, for somebody who tells it its witnesses later ([`Stack::with_parameters`]).
    pub fn alone(name: &str) -> Self {
        Self::usual().beside(name, &[])
    }

    /// This stack, deployed again with other parameters. For one of [`Stack::alone`].
    #[must_use]
    pub fn with_parameters(self, name: &str, parameters: BTreeMap<String, String>) -> Self {
        let deployment = Deployment {
            endpoint: self.endpoint.clone(),
            stack_name: format!("{name}-{}", std::process::id()),
            parameters,
            binaries: build(&self.workspace).expect("the functions build"),
        };
        let outputs = deploy(&self.workspace, &deployment).expect("the stack is updated");
        assert_eq!(outputs.operation, "update");
        Self { api: outputs.api.clone(), outputs, ..self }
    }

    /// A stack of its own beside this one, with an operator of its own.
    fn beside(&self, name: &str, parameters: &[(&str, &str)]) -> Self {
        let operator = Wallet::generate_operator().expect("a wallet");
        let mut parameters: BTreeMap<String, String> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parameters.insert("OperatorKeys".to_owned(), operator.sign_key().to_string());
        parameters.insert("Origin".to_owned(), format!("{name}.local"));
        let deployment = Deployment {
            endpoint: self.endpoint.clone(),
            stack_name: format!("{name}-{}", std::process::id()),
            parameters,
            binaries: build(&self.workspace).expect("the functions build"),
        };
        let outputs = deploy(&self.workspace, &deployment).expect("a second stack deploys");
        Self {
            workspace: self.workspace.clone(),
            endpoint: self.endpoint.clone(),
            api: outputs.api.clone(),
            outputs,
            operator,
            _emulator: None,
        }
    }

    fn shared(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).expect("the file that CHARTSEAL_STACK_FILE names can be read");
        let shared: Shared = serde_json::from_str(&text).expect("it describes a stack");
        shared.endpoint.reach().expect("the stack that was asked for answers");
        let passphrase = std::fs::read_to_string(&shared.passphrase_file).expect("the passphrase file");
        let passphrase = Passphrase::new(passphrase.trim_end_matches('\n'));
        let wallet = WalletFile::read(&shared.operator_wallet).expect("the operator's wallet file");
        eprintln!("stack: shared, {}", shared.api);
        Self {
            workspace: Workspace::find().expect("a checkout"),
            endpoint: shared.endpoint,
            api: shared.api,
            outputs: shared.outputs,
            operator: wallet.open(&passphrase).expect("the operator's wallet opens"),
            _emulator: None,
        }
    }

    fn own() -> Self {
        prerequisites().expect("what the stack needs");
        let workspace = Workspace::find().expect("a checkout");
        install(&workspace).expect("the emulator is installed");
        let binaries = build(&workspace).expect("the functions build");
        let operator = Wallet::generate_operator().expect("a wallet");
        let options = Options::new(binaries).with("OperatorKeys", operator.sign_key().to_string());
        let stack = LocalStack::start(&workspace, &options).expect("the stack starts");
        eprintln!("stack: started here, {}", stack.api());
        Self {
            workspace,
            endpoint: stack.endpoint().clone(),
            api: stack.api().to_owned(),
            outputs: stack.outputs().clone(),
            operator,
            _emulator: Some(stack),
        }
    }

    /// The vault, as a client finds it.
    pub fn vault(&self) -> Vault {
        static VAULTS: Mutex<BTreeMap<String, Vault>> = Mutex::new(BTreeMap::new());
        let mut vaults = VAULTS.lock().expect("no test panics while it holds this");
        vaults.entry(self.api.clone()).or_insert_with(|| Vault::discover(&self.api).expect("the vault answers")).clone()
    }

    /// The vault at another address: a liar's.
    pub fn vault_at(&self, api: &str) -> Vault {
        let mut pin = self.vault().pin().clone();
        api.clone_into(&mut pin.api);
        Vault::new(pin).expect("an address")
    }

    /// An operator of the vault.
    pub fn operator(&self) -> Client {
        Client::new(self.vault(), self.operator.clone())
    }

    /// The operator's wallet.
    pub fn operator_wallet(&self) -> &Wallet {
        &self.operator
    }

    /// A stack output.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name)
    }
}
