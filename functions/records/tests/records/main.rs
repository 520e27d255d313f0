//! The function of records, in stories: creating, announcing, seeing, downloading.

mod announcing;
mod creating;
mod downloading;
mod seeing;

use chartseal_events::Code;
use chartseal_http::testing::{ORIGIN, Stage, Wallet, call, refused};
use chartseal_http::{Answer, Incoming};
use chartseal_infra::memory::MemoryVault;
use chartseal_records::Records;

/// How long an upload is waited for in these stories.
const UPLOAD_EXPIRY_MS: u64 = 3_600_000;

/// The function on a vault in memory, and a hospital.
struct Story {
    stage: Stage,
    function: Records<MemoryVault, MemoryVault, MemoryVault, MemoryVault>,
    owner: Wallet,
}

impl Story {
    async fn begin() -> Self {
        let stage = Stage::new().await;
        let owner = stage.hospital("St. Mary").await;
        let vault = || stage.vault.clone();
        let function = Records {
            origin: ORIGIN.to_owned(),
            upload_expiry_ms: UPLOAD_EXPIRY_MS,
            store: vault(),
            blobs: vault(),
            data_keys: vault(),
            clock: vault(),
        };
        Self { stage, function, owner }
    }

    async fn call(&self, incoming: &Incoming) -> Answer {
        call(&self.function, incoming).await
    }

    async fn refused(&self, incoming: &Incoming) -> Code {
        let left = || (self.stage.vault.events().len(), self.stage.vault.keys().len());
        let before = left();
        let code = refused(&self.call(incoming).await);
        assert_eq!(left(), before, "a refused call leaves nothing behind");
        code
    }
}
