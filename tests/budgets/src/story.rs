//! The story that is measured: two hospitals, a record, and everything that can be done with it, each operation in a defined situation.

mod access;
mod ledger;
mod parts;
mod people;
mod records;
mod sweeps;

use chartseal_events::Id;
use chartseal_events::command::Announcement;
use chartseal_events::encoding::base64url;
use chartseal_http::testing::Wallet;

pub use people::arrive as arrived;
pub use records::upload;

use crate::vault::{Measured, Vault};

/// Terms of each record.
pub const TERMS: u8 = 8;

/// Who is there.
pub struct People {
    /// A person of the hospital whose records they are.
    pub owner: Wallet,
    /// A person of the hospital that asks for them.
    pub requester: Wallet,
}

/// A body that was announced.
pub struct Announced {
    /// Its record.
    pub record: Id,
    /// What was signed.
    pub announcement: Announcement,
    /// The announcement's place in the record's stream.
    pub seq: u64,
    /// The body.
    pub bytes: Vec<u8>,
}

/// Tells the story on a new vault.
pub async fn tell(vault: &Vault) {
    // Each is boxed: a debug build would need more stack for all of them together than a test's thread has.
    let people = Box::pin(people::arrive(vault)).await;
    Box::pin(records::tokens(vault, &people)).await;
    let first = Box::pin(records::first(vault, &people)).await;
    Box::pin(access::search(vault, &people)).await;
    let request = Box::pin(access::granted(vault, &people, first.record)).await;
    Box::pin(access::used(vault, &people, first.record, request)).await;
    Box::pin(access::over(vault, request)).await;
    Box::pin(access::denied(vault, &people, first.record)).await;
    Box::pin(records::of_the_owner(vault, &people, &first)).await;
    Box::pin(parts::sent(vault, &people)).await;
    Box::pin(sweeps::swept(vault, &people)).await;
    Box::pin(people::leave(vault, &people)).await;
    Box::pin(ledger::sealed(vault, &people)).await;
}

/// Tells it on a vault of its own; gives what was measured.
pub async fn measured() -> Vec<Measured> {
    let vault = Box::pin(Vault::new()).await;
    Box::pin(tell(&vault)).await;
    vault.into_measured()
}

/// The token of a term, as the vault's evaluation would come to it.
pub fn token(number: u8) -> String {
    base64url(&[number; 32])
}

/// The tokens of a record, as an announcement has them.
pub fn tokens() -> String {
    (1..=TERMS).map(token).collect::<Vec<_>>().join(" ")
}
