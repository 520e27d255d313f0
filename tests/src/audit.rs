//! `chartseal audit --store` within a story's own process: the same library, with a clock that can be set forward.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use chartseal_audit::{Report, Settings};
use chartseal_infra::aws::{Inventory, StoreNames, config_for};
use chartseal_infra::ports::StoreError;
use chartseal_local::Endpoint;

use crate::Stack;

/// For this very vault, and with no time for its workers.
pub fn impatient(stack: &Stack) -> Settings {
    let genesis = Some(stack.output("Genesis").parse().expect("a hash"));
    Settings { grace_ms: 0, genesis, ..Settings::default() }
}

/// Audits a stack's store, as if it were so much later.
pub fn audit(stack: &Stack, settings: Settings, later: Duration) -> Report {
    audit_as(&stack.endpoint, stack, settings, later).expect("the store can be read")
}

/// The same with somebody's own credentials.
pub fn audit_as(endpoint: &Endpoint, stack: &Stack, settings: Settings, later: Duration) -> Result<Report, StoreError> {
    let credentials = Credentials::new(
        &endpoint.access_key_id,
        &endpoint.secret_access_key,
        endpoint.session_token.clone(),
        None,
        "story",
    );
    let config = config_for(
        Some(Region::new(endpoint.region.clone())),
        Some(endpoint.url.clone()),
        SharedCredentialsProvider::new(credentials),
    );
    let name = |output: &str| stack.output(output).to_owned();
    let names = StoreNames {
        events: name("EventsTable"),
        private: name("PrivateTable"),
        keys: name("KeysTable"),
        search_keys: name("SearchKeysTable"),
        index: name("IndexTable"),
        work: name("WorkTable"),
        blocks: name("BlocksTable"),
        sealed: name("SealedTable"),
        bucket: name("BlobBucket"),
        ledger_bucket: name("LedgerBucket"),
    };
    let now_ms = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970") + later;
        u64::try_from(now.as_millis()).expect("before the end")
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let inventory = Inventory::new(&config, names);
    runtime.block_on(chartseal_audit::audit(&inventory, settings, now_ms, &|_| ()))
}

/// Waits until there is nothing to find and nothing pending, although the workers are given no time at all; `meanwhile` runs between two looks.
pub fn audited(stack: &Stack, patience: Duration, mut meanwhile: impl FnMut()) -> Report {
    let begun = Instant::now();
    loop {
        let report = audit(stack, impatient(stack), Duration::ZERO);
        if report.sound && report.pending.is_empty() {
            return report;
        }
        assert!(begun.elapsed() < patience, "after {patience:?} the audit says:\n{}", report.in_words());
        meanwhile();
    }
}
