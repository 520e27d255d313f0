//! Lists of the index. They are read as they come, and may be behind, so every look waits until it is right.

use chartseal_infra::ports::{Index, IndexEntry, IndexList};

use crate::subject::{AT_MS, Subject, answered, comes_to, id, place, record};

fn entry(number: u8) -> IndexEntry {
    IndexEntry { at_ms: AT_MS + u64::from(number), event: place(record(number), 1), version: u32::from(number) + 1 }
}

/// Every page of a list, and how many there were.
async fn all(index: &impl Index, list: &IndexList, limit: u32) -> (Vec<IndexEntry>, usize) {
    let (mut items, mut pages, mut cursor) = (Vec::new(), 0, None);
    loop {
        let page = index.page(list, cursor.as_deref(), limit).await.expect("a page");
        assert!(page.items.len() <= limit as usize);
        items.extend(page.items);
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            return (items, pages);
        }
    }
}

pub async fn a_list_is_paged_newest_first(subject: &impl Subject) {
    let index = subject.store();
    let lists = [
        IndexList::Token("t0ken".to_owned()),
        IndexList::RecordsOf(id(1)),
        IndexList::Records,
        IndexList::RequestsOf(id(1)),
        IndexList::Requests,
    ];
    for (shift, list) in (0..).zip(&lists) {
        let entries: Vec<_> = (0..20).map(|n| (list.clone(), entry(n + shift))).collect();
        index.add(&entries).await.expect("adds");
    }
    for (shift, list) in (0..).zip(&lists) {
        let expected: Vec<IndexEntry> = (shift..20 + shift).rev().map(entry).collect();
        for (limit, pages) in [(100, 1), (20, 1), (19, 2), (10, 2), (7, 3), (1, 20)] {
            let found = async || all(index, list, limit).await;
            comes_to(&format!("{list:?} by {limit}"), (expected.clone(), pages), found).await;
        }
    }
    let found = async || all(index, &IndexList::RecordsOf(id(2)), 10).await;
    comes_to("a list of nobody", (Vec::new(), 1), found).await;
}

pub async fn a_cursor_that_is_not_ours_gives_the_first_page(subject: &impl Subject) {
    let index = subject.store();
    let list = IndexList::Records;
    index.add(&[(list.clone(), entry(1)), (list.clone(), entry(2)), (list.clone(), entry(3))]).await.expect("adds");
    let at = async |cursor: Option<&str>| index.page(&list, cursor, 2).await.expect("a page");
    let first = answered(
        "the first page",
        async || at(None).await,
        |page| page.items == [entry(3), entry(2)] && page.next.is_some(),
    )
    .await;
    let next = first.next.clone().expect("there is more");
    assert!(!next.contains(&id(2).to_string()), "a cursor is opaque");
    for garbage in ["", "x", "%", "AAAA", &next[1..], &format!("{next}A"), &"A".repeat(5000)] {
        comes_to(garbage, first.clone(), async || at(Some(garbage)).await).await;
    }
    comes_to("the rest", vec![entry(1)], async || at(Some(&next)).await.items).await;
}

pub async fn adding_and_removing_again_changes_nothing(subject: &impl Subject) {
    let index = subject.store();
    let list = IndexList::Token("t0ken".to_owned());
    let entries: Vec<_> = (0..40).map(|n| (list.clone(), entry(n))).collect();
    index.add(&entries).await.expect("adds");
    index.add(&entries[10..]).await.expect("adds again");
    let found = async || all(index, &list, 100).await.0;
    comes_to("each stands once", 40, async || found().await.len()).await;
    for _ in 0..2 {
        index.remove(&entries[..39]).await.expect("removes");
        comes_to("one is left", vec![entry(39)], found).await;
    }
}
