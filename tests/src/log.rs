//! The vault's log, as a client sees it.

use std::path::Path;
use std::time::{Duration, Instant};

use chartseal_cli::{Client, Vault, read_receipts};
use chartseal_events::wire::Receipt;
use chartseal_ledger::policy::Policy;

use crate::people::PATIENCE;

/// Whoever asks again is not told anything else at once.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Believe what the log's key has signed.
pub fn policy(vault: &Vault) -> Policy {
    Policy::new(vault.log_key().expect("the genesis event names a key"), None, vec![], 0).expect("a policy")
}

/// Waits until there is a checkpoint: the vault's first event, at least, is sealed then.
pub fn begun(vault: &Vault) {
    let (policy, deadline) = (policy(vault), Instant::now() + PATIENCE);
    while vault.checkpoint(&policy).expect("asked").is_none() {
        assert!(Instant::now() < deadline, "nothing is sealed");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// What a client does while it keeps its receipts in this file, and the receipts.
pub fn kept<T>(client: &Client, file: &Path, act: impl FnOnce(&Client) -> T) -> (T, Vec<Receipt>) {
    let mut client = client.clone();
    client.receipts = Some(file.to_owned());
    let done = act(&client);
    (done, read_receipts(file).expect("receipts"))
}
