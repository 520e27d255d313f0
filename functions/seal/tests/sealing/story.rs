//! A small history: hospitals, a record, a request for it.

use chartseal_http::testing::Stage;

/// Two hospitals, a record of one, a request of the other.
pub async fn morning(stage: &Stage) {
    let owner = stage.hospital("St. Mary").await;
    stage.vault.advance(1_000);
    let requester = stage.hospital("St. John").await;
    let body = stage.uploaded(&owner, b"a scan").await;
    stage.vault.advance(1_000);
    stage.granted(&requester, body.record, 3_600).await;
}

/// A third hospital that is suspended again, and a further record.
pub async fn afternoon(stage: &Stage) {
    stage.vault.advance(3_600_000);
    let third = stage.hospital("St. Luke").await;
    stage.created(&third).await;
    stage.suspended(third.provider()).await;
}
