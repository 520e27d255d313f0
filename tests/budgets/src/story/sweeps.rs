//! The sweeper's turns: one with nothing to do, and one for each kind of work.

use chartseal_events::{EventRef, StreamId};
use chartseal_sweeper::Report;

use super::People;
use super::access::{approved, ask, await_decision};
use super::records::{announced, put, upload};
use crate::vault::{DEADLINE_S, Vault};

/// The schedule.
const TURN_MS: u64 = 60_000;

/// Every kind of turn.
pub async fn swept(vault: &Vault, people: &People) {
    let owner = &people.owner;
    settle(vault).await;
    turn(vault, "sweeper", "nothing to do").await;

    let record = upload(vault, owner).await;
    turn(vault, "sweeper, after an upload", "3 events of a record whose every hint came; 8 terms").await;

    let body = announced(vault, owner).await;
    put(vault, body.record, 1, body.seq, &body.bytes).await;
    let report =
        turn(vault, "sweeper, a lost hint", "a record whose body is there, and no hint ever came; 8 terms").await;
    assert_eq!((report.healed, report.failed), (2, 0));
    settle(vault).await;

    let request = ask(vault, people, record, None).await;
    await_decision(vault, request).await;
    turn(vault, "sweeper, after a request", "2 events of a request whose every hint came").await;

    // From here on things come due: each has its whole time, and the turn after its end is measured. First what is waited for so far ends.
    wait_for_the_end(vault).await;
    settle(vault).await;
    let body = announced(vault, owner).await;
    vault.consume(&[0, 1].map(|seq| EventRef { stream: StreamId::Record(body.record), seq })).await;
    wait_for_the_end(vault).await;
    let name = "sweeper, an upload that never came";
    turn(vault, name, "1 upload is given up; the record's stream has 2 events").await;
    vault.measure_consumed(EventRef { stream: StreamId::Record(body.record), seq: 2 }).await;

    settle(vault).await;
    let request = ask(vault, people, record, None).await;
    await_decision(vault, request).await;
    wait_for_the_end(vault).await;
    turn(vault, "sweeper, an undecided request", "1 request that nobody decided; its stream has 2 events").await;

    settle(vault).await;
    approved(vault, people, record).await;
    wait_for_the_end(vault).await;
    turn(vault, "sweeper, a grant that is over", "1 grant, and its request's own deadline at the same time; 3 events")
        .await;
}

/// A measured turn, a minute after the last one.
async fn turn(vault: &Vault, name: &str, situation: &str) -> Report {
    vault.stage.vault.advance(TURN_MS);
    vault.measure(name, situation, async { (vault.sweep().await, 0) }).await
}

/// Turns until there is nothing left to do, and the last was just now. What one finds, the next one reacts to.
async fn settle(vault: &Vault) {
    for _ in 0..3 {
        vault.stage.vault.advance(2 * TURN_MS);
        vault.sweep().await;
    }
}

/// Waits until what began just now ends within the next turn, and sweeps meanwhile.
async fn wait_for_the_end(vault: &Vault) {
    vault.stage.vault.advance(DEADLINE_S * 1000 - TURN_MS / 2);
    vault.sweep().await;
}
