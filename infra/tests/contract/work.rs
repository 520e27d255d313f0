//! Work lists.

use chartseal_infra::ports::{Due, WorkList as _};
use futures_util::future::join_all;

use crate::subject::{AT_MS, Subject, id, place, record};

pub async fn a_limit_holds_under_concurrency(subject: &impl Subject) {
    let work = subject.store();
    let results = join_all((0..8).map(|_| work.count_tokens(id(1), 7, 3, 10))).await;
    let counted = results.into_iter().filter(|result| *result.as_ref().expect("counts")).count();
    assert_eq!(counted, 3, "3 times 3 are within 10, 4 times are not");
    assert!(!work.count_tokens(id(1), 7, 2, 10).await.expect("counts"), "9 and 2");
    assert!(work.count_tokens(id(1), 7, 1, 10).await.expect("counts"), "what was refused was not counted");
    assert!(!work.count_tokens(id(1), 7, 1, 10).await.expect("counts"), "the limit is reached");
    assert!(work.count_tokens(id(1), 8, 10, 10).await.expect("counts"), "another minute");
    assert!(work.count_tokens(id(2), 7, 10, 10).await.expect("counts"), "another provider");
    assert!(!work.count_tokens(id(3), 7, 11, 10).await.expect("counts"), "more than the limit at once");
}

pub async fn what_is_due_comes_oldest_first(subject: &impl Subject) {
    let work = subject.store();
    let due = |n: u8| Due { at_ms: AT_MS + u64::from(n), event: place(record(n), 2) };
    for n in [7, 3, 9, 1, 5, 8, 2, 6, 4, 0, 3] {
        work.add_due(due(n)).await.expect("notes");
    }
    let list = async |until: u64, limit: u32| work.due(AT_MS + until, limit).await.expect("lists");
    assert_eq!(list(100, 100).await, (0..10).map(due).collect::<Vec<_>>());
    assert_eq!(list(4, 100).await, (0..5).map(due).collect::<Vec<_>>(), "what is due now is due");
    assert_eq!(list(100, 3).await, (0..3).map(due).collect::<Vec<_>>());
    assert!(list(100, 0).await.is_empty());
    assert!(work.due(AT_MS - 1, 100).await.expect("lists").is_empty());
    for _ in 0..2 {
        work.remove_due(due(0)).await.expect("removes");
        work.remove_due(due(2)).await.expect("removes");
    }
    assert_eq!(list(4, 100).await, [due(1), due(3), due(4)]);
}

pub async fn a_newer_task_token_replaces_the_older(subject: &impl Subject) {
    let work = subject.store();
    assert_eq!(work.task_token(id(1)).await.expect("reads"), None);
    for (attempt, token) in [("a#00001", "first"), ("a#00002", "second"), ("a#00002", "second"), ("b#00000", "third")] {
        work.put_task_token(id(1), token, attempt).await.expect("keeps");
        assert_eq!(work.task_token(id(1)).await.expect("reads").as_deref(), Some(token));
    }
    work.put_task_token(id(1), "second", "a#00002").await.expect("answers");
    assert_eq!(
        work.task_token(id(1)).await.expect("reads").as_deref(),
        Some("third"),
        "what comes late changes nothing"
    );
    assert_eq!(work.task_token(id(2)).await.expect("reads"), None);
}

pub async fn the_sweep_never_goes_back(subject: &impl Subject) {
    let work = subject.store();
    assert_eq!(work.sweep_cursor().await.expect("reads"), None);
    for (set, is) in [(5, 5), (9, 9), (7, 9), (10, 10), (10, 10)] {
        work.set_sweep_cursor(set).await.expect("moves");
        assert_eq!(work.sweep_cursor().await.expect("reads"), Some(is));
    }
}
