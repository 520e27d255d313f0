//! The Sealed table: where leaves stand, the map's pages, up to when everything is sealed. Nothing but what the blocks make of it.

use std::collections::HashMap;

use chartseal_events::{EventRef, Hash};
use chartseal_infra::aws::{Raw, RawItem};
use chartseal_ledger::policy::Policy;

use super::files;
use super::map::{PageIs, State};
use crate::account::{Account, Thing};
use crate::report::{Flaw, Report};
use crate::tables::{SWEEP_MS, key_text, number, text};

/// The item that says up to when everything is sealed.
const SEALED_UNTIL: &str = "sealed-until";
/// The item of the newest checkpoint that enough witnesses have cosigned.
const COSIGNED: &str = "cosigned";
/// How far behind the clock the sealer's sweep stays.
const LAG_MS: u64 = 15 * 60_000;

/// A log that a witness has cosigned: its size, and its root where the item has it.
type Cosigned = (u64, Option<Hash>);

/// What was found, as far as it is judged when all blocks are known.
#[derive(Default)]
pub(crate) struct Found {
    /// Leaves that no block had.
    leaves: Vec<(Hash, Option<(u64, u64)>)>,
    /// Pages with their newest state and the one before.
    pages: HashMap<String, Option<(State, Option<State>)>>,
    until_ms: Option<u64>,
    /// What witnesses have cosigned; none where it cannot be read.
    cosigned: Vec<(String, Option<Cosigned>)>,
}

/// Takes an item in.
pub(crate) fn item(item: &RawItem, account: &mut Account, report: &mut Report) {
    let name = text(item, "item").unwrap_or_default();
    match name.split_once('/') {
        Some(("leaf", hash)) if hash.parse::<Hash>().is_ok_and(|leaf| leaf.to_string() == hash) => {
            leaf(name, hash, item, account, report);
        }
        Some(("page", _)) => {
            let state = |height: &str, page: &str| match item.get(page) {
                Some(Raw::Bytes(bytes)) => Some((number::<u64>(item, height)?, Hash::of(&[bytes]))),
                _ => None,
            };
            let before = state("before_height", "before");
            let attributes = if before.is_some() { 5 } else { 3 };
            let states = state("height", "page").filter(|_| item.len() == attributes).map(|now| (now, before));
            account.ledger.sealed.pages.insert(name.to_owned(), states);
        }
        Some(("witness", id)) if id.len() == 8 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) => {
            let says = text(item, "line").and_then(|_| number(item, "size")).filter(|_| item.len() == 3);
            account.ledger.sealed.cosigned.push((name.to_owned(), says.map(|size| (size, None))));
        }
        None if name == COSIGNED => {
            let head = |(_, policy): &(String, Policy)| files::head(policy, text(item, "note")?.as_bytes()).ok();
            let head = account.ledger.log.as_ref().and_then(head);
            let says = head.filter(|(size, _)| number(item, "size") == Some(*size) && item.len() == 4);
            let says = says.filter(|_| number::<u64>(item, "witnesses").is_some());
            account.ledger.sealed.cosigned.push((name.to_owned(), says.map(|(size, root)| (size, Some(root)))));
        }
        None if name == SEALED_UNTIL => sealed_until(item, account, report),
        _ => {
            let place = account.place(Thing::Leaf).to_owned();
            report.foreign(Thing::Leaf, &place, &key_text(item, &["item"]), "neither a leaf nor a page");
        }
    }
}

fn leaf(name: &str, hash: &str, item: &RawItem, account: &mut Account, report: &mut Report) {
    let says = match (number(item, "index"), number(item, "height"), item.len()) {
        (Some(index), Some(height), 3) => Some((index, height)),
        _ => None,
    };
    let Ok(hash) = hash.parse::<Hash>() else { return };
    let sealed = account.ledger.leaves.get_mut(&hash).and_then(|leaf| {
        leaf.found |= leaf.sealed.is_some();
        leaf.sealed
    });
    match sealed {
        Some(sealed) => place_is(name, sealed, says, account, report),
        None => account.ledger.sealed.leaves.push((hash, says)),
    }
}

fn place_is(name: &str, sealed: (u64, u64), says: Option<(u64, u64)>, account: &Account, report: &mut Report) {
    if says == Some(sealed) {
        report.accounted(Thing::Leaf);
    } else {
        let what =
            format!("the leaf has the index {}, in block {}, and the item says something else", sealed.0, sealed.1);
        report.wrong(Thing::Leaf, Flaw::Changed, account.place(Thing::Leaf), name, what);
    }
}

fn sealed_until(item: &RawItem, account: &mut Account, report: &mut Report) {
    let place = account.place(Thing::SealedUntil).to_owned();
    let until_ms = number::<u64>(item, "at").filter(|_| item.len() == 2);
    account.ledger.sealed.until_ms = Some(until_ms.unwrap_or_default());
    match until_ms {
        Some(until_ms) if until_ms <= account.read_ms => {
            if account.late(until_ms.saturating_add(LAG_MS + SWEEP_MS)) <= account.now_ms {
                let what = format!("the sealer's sweep stands at {until_ms}");
                report.wrong(Thing::SealedUntil, Flaw::Overdue, &place, SEALED_UNTIL, what);
            } else {
                report.accounted(Thing::SealedUntil);
            }
        }
        _ => report.wrong(
            Thing::SealedUntil,
            Flaw::Changed,
            &place,
            SEALED_UNTIL,
            "it says a time that is still to come",
        ),
    }
}

/// What is judged at the end. `oldest`: of the events that are not sealed.
pub(super) fn close(oldest: Option<(u64, EventRef)>, account: &mut Account, report: &mut Report) {
    leaves(account, report);
    pages(account, report);
    cosigned(account, report);
    let place = account.place(Thing::SealedUntil);
    match (account.ledger.sealed.until_ms, oldest) {
        (Some(until_ms), Some((at_ms, event))) if at_ms < until_ms => {
            let what = format!("it says {until_ms}, and {event}, accepted at {at_ms}, is not sealed");
            report.find(Thing::SealedUntil, Flaw::Changed, place, SEALED_UNTIL, what);
        }
        (None, _) if !account.ledger.blocks.is_empty() => {
            let due_ms = account.late(account.ledger.at_ms(0).saturating_add(SWEEP_MS));
            if account.now_ms < due_ms {
                report.wait(Thing::SealedUntil, SEALED_UNTIL, due_ms);
            } else {
                report.find(Thing::SealedUntil, Flaw::Missing, place, SEALED_UNTIL, "the sealer's sweep writes it");
            }
        }
        _ => {}
    }
}

fn leaves(account: &mut Account, report: &mut Report) {
    for (hash, says) in std::mem::take(&mut account.ledger.sealed.leaves) {
        let name = format!("leaf/{hash}");
        let sealed = account.ledger.leaves.get_mut(&hash).and_then(|leaf| {
            leaf.found = true;
            leaf.sealed
        });
        let of_broken = says.is_none_or(|(_, height)| account.ledger.broken.is_some_and(|broken| height >= broken));
        match sealed {
            Some(sealed) => place_is(&name, sealed, says, account, report),
            None if account.ledger.broken.is_some() && of_broken => report.unjudged(Thing::Leaf, 1),
            None => {
                report.wrong(Thing::Leaf, Flaw::Orphan, account.place(Thing::Leaf), &name, "no block has this leaf");
            }
        }
    }
    for (hash, leaf) in &account.ledger.leaves {
        if let (Some((_, height)), false) = (leaf.sealed, leaf.found) {
            account.not_there(Thing::Leaf, &format!("leaf/{hash}"), height, report);
        }
    }
}

/// A witness cosigns the log as it stands after a block. Its key is not known here: who believes its line checks it.
fn cosigned(account: &mut Account, report: &mut Report) {
    let found = std::mem::take(&mut account.ledger.sealed.cosigned);
    let (ledger, place) = (&account.ledger, account.place(Thing::Cosigned));
    for (name, says) in found {
        let of_block = says.is_some_and(|(size, root)| {
            ledger.block_of(size).is_some_and(|block| root.is_none_or(|root| root == block.root))
        });
        if of_block {
            report.accounted(Thing::Cosigned);
        } else if ledger.broken.is_some() && says.is_some_and(|(size, _)| size > ledger.size()) {
            report.unjudged(Thing::Cosigned, 1);
        } else {
            let what = "it is no cosigned checkpoint of the blocks' log";
            report.wrong(Thing::Cosigned, Flaw::Changed, place, &name, what);
        }
    }
}

fn pages(account: &mut Account, report: &mut Report) {
    let found = std::mem::take(&mut account.ledger.sealed.pages);
    let ledger = &account.ledger;
    if ledger.broken.is_some() || ledger.map.broken {
        report.unjudged(Thing::Page, found.len() as u64);
        return;
    }
    let place = account.place(Thing::Page);
    for (name, states) in &found {
        let is = states.map_or(PageIs::Other, |(now, before)| ledger.map.is(name, now, before));
        match is {
            PageIs::Right => report.accounted(Thing::Page),
            PageIs::Unknown => {
                report.wrong(Thing::Page, Flaw::Orphan, place, name, "the map has no such page");
            }
            PageIs::Other => {
                report.wrong(Thing::Page, Flaw::Changed, place, name, "it is not what the blocks make of it");
            }
        }
    }
    for (name, height) in ledger.map.pages().filter(|(name, _)| !found.contains_key(*name)) {
        account.not_there(Thing::Page, name, height, report);
    }
}
