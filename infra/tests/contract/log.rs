//! The ledger's signing key in KMS.

use chartseal_infra::ports::LogKey as _;

use crate::subject::Subject;

pub async fn the_log_key_is_an_ed25519_key(subject: &impl Subject) {
    let key = subject.log().public_key().await.expect("a key");
    assert!(chartseal_events::jws::is_public_key(&key));
    assert_eq!(subject.log().public_key().await.expect("a key"), key);
}
