//! What happens in a vault over some days, told once by the tools that every function's tests use; each world replays it in an order of its own.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use chartseal_events::event::{Seen, StoredEvent};
use chartseal_events::{EventRef, StreamId};
use chartseal_http::testing::Stage;

use super::dice::Dice;
use crate::check::opened;

/// The history's events, in the order in which they happened.
pub fn told() -> &'static [StoredEvent] {
    static TOLD: OnceLock<Vec<StoredEvent>> = OnceLock::new();
    TOLD.get_or_init(|| {
        // On a thread of its own: the tests have runtimes already.
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(tell())
        })
        .join()
        .unwrap()
    })
}

async fn tell() -> Vec<StoredEvent> {
    let stage = Stage::new().await;
    let mut hospitals = Vec::new();
    for number in 0..14 {
        hospitals.push(stage.hospital(&format!("hospital {number}")).await);
        stage.vault.advance(700);
    }
    for (number, owner) in hospitals.iter().cycle().take(36).enumerate() {
        let requester = &hospitals[(number * 5 + 3) % hospitals.len()];
        let body = stage.uploaded(owner, b"a scan").await;
        stage.vault.advance(300);
        if requester.provider() != owner.provider() {
            stage.granted(requester, body.record, 3_600).await;
        }
        if number % 9 == 8 {
            let short = stage.hospital("another").await;
            stage.suspended(short.provider()).await;
        }
        stage.vault.advance(500);
    }
    stage.vault.events()
}

/// What an event has before it: its stream's events, and what it has seen.
fn before(event: &StoredEvent) -> Vec<EventRef> {
    let opened = opened(event).expect("an event of the history");
    let own = event.at.seq.checked_sub(1).map(|seq| EventRef { stream: event.at.stream, seq });
    own.into_iter()
        .chain(opened.seen.iter().map(|Seen(stream, seq, _)| EventRef { stream: *stream, seq: *seq }))
        .collect()
}

/// The same events in another order in which they could have happened. The first so many stay where they are.
pub fn shuffled(kept: usize, dice: &mut Dice) -> Vec<StoredEvent> {
    let events = told();
    let mut order = events[..kept].to_vec();
    let mut there: BTreeSet<EventRef> = order.iter().map(|event| event.at).collect();
    let mut rest: Vec<(&StoredEvent, Vec<EventRef>)> =
        events[kept..].iter().map(|event| (event, before(event))).collect();
    while !rest.is_empty() {
        let ready: Vec<usize> =
            (0..rest.len()).filter(|at| rest[*at].1.iter().all(|place| there.contains(place))).take(12).collect();
        let (event, _) = rest.remove(*dice.pick(&ready).expect("the history is in order"));
        there.insert(event.at);
        order.push(event.clone());
    }
    order
}

/// An event that is spoilt, or is not there; and all that can never be sealed for it.
pub fn spoil(order: &mut Vec<StoredEvent>, from: usize, dice: &mut Dice) -> BTreeSet<EventRef> {
    let candidates: Vec<usize> = (from..order.len()).filter(|at| order[*at].at.stream != StreamId::Vault).collect();
    let at = *dice.pick(&candidates).expect("more than the vault's stream");
    let place = order[at].at;
    let mut lost = BTreeSet::from([place]);
    for event in &order[at + 1..] {
        if before(event).iter().any(|place| lost.contains(place)) {
            lost.insert(event.at);
        }
    }
    let body = order[at].body.clone();
    match dice.below(3) {
        0 => drop(order.remove(at)),
        1 => order[at] = StoredEvent::new(place, body.replacen("\"outcome\":", "\"autcome\":", 1)),
        // Another event before it than there is.
        _ => {
            let prev = order[at].open().unwrap().prev.to_string();
            let other = prev.replace(|digit: char| digit.is_ascii_hexdigit(), "7");
            order[at] = StoredEvent::new(place, body.replacen(&prev, &other, 1));
        }
    }
    lost
}
