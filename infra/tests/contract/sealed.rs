//! What follows from the blocks: found again by the hundreds, and never going back.

use std::collections::BTreeMap;

use chartseal_events::Hash;
use chartseal_infra::ports::{LeafPlace, MapPage, PageChange, SealedIndex};
use chartseal_ledger::map::{Change, MapKey, Operation, Page, PageId, Value, update};
use futures_util::future::join_all;

use crate::subject::Subject;

/// More than two calls' worth of pages (a transaction has at most 100).
const MIN_PAGES: usize = 230;

/// All pages of a map whose keys have this value, and the number of pages does not depend on it.
pub fn pages(seq: u64) -> BTreeMap<PageId, Page> {
    let set = |n: u64| Operation {
        key: MapKey(Hash::of(&[&n.to_be_bytes()]).0),
        change: Change::Set(Value::Stream { seq, head: Hash::of(&[b"head"]) }),
    };
    let operations: Vec<Operation> = (0..2_500).map(set).collect();
    update(Hash::ZERO, &BTreeMap::new(), &operations).expect("nothing is missing").pages
}

fn changes(now: &BTreeMap<PageId, Page>, before: Option<(u64, &BTreeMap<PageId, Page>)>) -> Vec<PageChange> {
    let before = |id| before.map(|(height, pages)| MapPage { height, page: pages[id].clone() });
    now.iter().map(|(id, page)| PageChange { id: *id, page: page.clone(), before: before(id) }).collect()
}

fn at(height: u64, pages: &BTreeMap<PageId, Page>) -> BTreeMap<PageId, MapPage> {
    pages.iter().map(|(id, page)| (*id, MapPage { height, page: page.clone() })).collect()
}

fn ids(pages: &BTreeMap<PageId, Page>) -> Vec<PageId> {
    pages.keys().copied().collect()
}

async fn read(index: &impl SealedIndex, ids: &[PageId], height: u64) -> BTreeMap<PageId, MapPage> {
    index.map_pages(ids, height).await.expect("reads")
}

pub async fn leaves_are_found_by_the_hundreds(subject: &impl Subject) {
    let index = subject.store();
    let leaf = |n: u64| Hash::of(&[b"leaf", &n.to_be_bytes()]);
    let place = |n: u64| LeafPlace { index: u64::MAX / 2 - n, height: n / 7 };
    let placed: Vec<_> = (0..130).map(|n| (leaf(n), place(n))).collect();
    assert_eq!(index.leaf_places(&[leaf(0)]).await.expect("reads"), [None]);
    index.put_leaf_places(&placed).await.expect("writes");
    // In part again, and one of them twice: healing does not know how far the one before came.
    index.put_leaf_places(&[&placed[100..], &placed[..1], &placed[..1]].concat()).await.expect("writes again");
    index.put_leaf_places(&[]).await.expect("nothing to do");
    let asked: Vec<u64> = (0..140).rev().chain([3, 3, 500]).collect();
    let leaves: Vec<Hash> = asked.iter().map(|n| leaf(*n)).collect();
    let expected: Vec<_> = asked.iter().map(|n| (*n < 130).then(|| place(*n))).collect();
    assert_eq!(index.leaf_places(&leaves).await.expect("reads"), expected);
    assert!(index.leaf_places(&[]).await.expect("reads").is_empty());
}

pub async fn the_newest_two_states_of_a_page_are_kept(subject: &impl Subject) {
    let index = subject.store();
    let (first, second, third) = (pages(1), pages(2), pages(3));
    let ids = ids(&first);
    assert!(ids.len() >= MIN_PAGES, "{} pages", ids.len());
    assert!(read(index, &ids, u64::MAX).await.is_empty());
    index.put_map_pages(0, &changes(&first, None)).await.expect("writes");
    assert_eq!(read(index, &ids, 0).await, at(0, &first));
    index.put_map_pages(4, &changes(&second, Some((0, &first)))).await.expect("writes");
    assert_eq!(read(index, &ids, 4).await, at(4, &second));
    assert_eq!(read(index, &ids, 99).await, at(4, &second), "nothing has changed since");
    assert_eq!(read(index, &ids, 3).await, at(0, &first));
    index.put_map_pages(6, &changes(&third, Some((4, &second)))).await.expect("writes");
    assert_eq!(read(index, &ids, 6).await, at(6, &third));
    assert_eq!(read(index, &ids, 5).await, at(4, &second));
    assert!(read(index, &ids, 3).await.is_empty(), "that is too long ago");
    // Some of them, one twice, and one that nobody has written.
    let some = [ids[200], ids[7], ids[7], PageId::ROOT];
    let expected: BTreeMap<_, _> = at(6, &third).into_iter().filter(|(id, _)| some.contains(id)).collect();
    assert_eq!(read(index, &some, 6).await, expected);
    index.put_map_pages(9, &[]).await.expect("nothing to do");
    assert!(index.map_pages(&[], 9).await.expect("reads").is_empty());
}

pub async fn a_late_writer_takes_no_page_back(subject: &impl Subject) {
    let index = subject.store();
    let (old, late, newer) = (pages(1), pages(2), pages(3));
    let ids = ids(&old);
    index.put_map_pages(1, &changes(&old, None)).await.expect("writes");
    // Every third page has changed since, so that what is refused and what is written meet in each call.
    let ahead = |n: usize| n.is_multiple_of(3);
    let newest: Vec<_> = changes(&newer, Some((1, &old))).into_iter().enumerate().filter(|(n, _)| ahead(*n)).collect();
    let newest: Vec<PageChange> = newest.into_iter().map(|(_, change)| change).collect();
    index.put_map_pages(7, &newest).await.expect("writes");
    for _ in 0..2 {
        index.put_map_pages(6, &changes(&late, Some((1, &old)))).await.expect("writes what is older");
    }
    let found = read(index, &ids, 7).await;
    for (n, id) in ids.iter().enumerate() {
        let (height, page) = if ahead(n) { (7, &newer[id]) } else { (6, &late[id]) };
        assert_eq!(found[id], MapPage { height, page: page.clone() }, "page {n}");
    }
    // The same block once more, by a sealer that makes something else of it: what stands is not touched.
    index.put_map_pages(7, &changes(&late, None)).await.expect("writes");
    let found = read(index, &ids, 7).await;
    assert_eq!(found[&ids[0]].page, newer[&ids[0]]);
    assert_eq!(read(index, &ids[..1], 6).await[&ids[0]], MapPage { height: 1, page: old[&ids[0]].clone() });
}

pub async fn sealers_that_write_at_once_agree(subject: &impl Subject) {
    let index = subject.store();
    let states: Vec<_> = (0..4).map(pages).collect();
    let ids = ids(&states[0]);
    index.put_map_pages(0, &changes(&states[0], None)).await.expect("writes");
    // Two of them heal one block while others are two blocks further.
    let writes = [1, 1, 2, 2, 3, 3, 1, 2].map(|height: u64| {
        let n = usize::try_from(height).expect("small");
        let changes = changes(&states[n], Some((height - 1, &states[n - 1])));
        async move { index.put_map_pages(height, &changes).await }
    });
    for write in join_all(writes).await {
        write.expect("writes");
    }
    assert_eq!(read(index, &ids, 3).await, at(3, &states[3]));
    assert_eq!(read(index, &ids, 2).await, at(2, &states[2]));
}

pub async fn what_is_sealed_stays_sealed(subject: &impl Subject) {
    let index = subject.store();
    assert_eq!(index.sealed_until().await.expect("reads"), None);
    for (set, is) in [(5, 5), (9, 9), (7, 9), (10, 10), (10, 10)] {
        index.set_sealed_until(set).await.expect("moves");
        assert_eq!(index.sealed_until().await.expect("reads"), Some(is));
    }
}
