//! What witnesses have said.

use chartseal_infra::ports::{Cosignatures, Cosigned, Heard};
use chartseal_ledger::note::KeyId;

use crate::subject::Subject;

fn heard(size: u64, line: &str) -> Heard {
    Heard { size, line: line.to_owned() }
}

pub async fn what_witnesses_say_never_goes_back(subject: &impl Subject) {
    let store = subject.store();
    let [one, two, none] = [KeyId([0, 1, 2, 0xff]), KeyId([9; 4]), KeyId([7; 4])];
    let read = async |of: &[KeyId]| store.heard(of).await.expect("reads").1;
    assert_eq!(read(&[one, two]).await, [None, None]);
    assert_eq!(read(&[]).await, []);
    store.put_heard(one, &heard(7, "— a b")).await.expect("writes");
    store.put_heard(two, &heard(5, "— c d")).await.expect("writes");
    for late in [heard(6, "— late"), heard(7, "— again"), heard(0, "— none")] {
        store.put_heard(one, &late).await.expect("is done, whatever stands there");
    }
    let known = [Some(heard(5, "— c d")), None, Some(heard(7, "— a b"))];
    assert_eq!(read(&[two, none, one]).await, known, "in the order asked for");
    assert_eq!(read(&[one, one]).await, [Some(heard(7, "— a b")), Some(heard(7, "— a b"))]);
    store.put_heard(one, &heard(u64::MAX >> 1, "— more")).await.expect("writes");
    assert_eq!(read(&[one]).await, [Some(heard(u64::MAX >> 1, "— more"))]);
}

pub async fn the_cosigned_head_never_goes_back(subject: &impl Subject) {
    let store = subject.store();
    let read = async || store.heard(&[KeyId([1; 4])]).await.expect("reads").0;
    assert_eq!(read().await, None);
    let head = |size, witnesses, note: &str| Cosigned { size, witnesses, note: note.to_owned() };
    for (put, kept) in [
        (head(7, 2, "a\n"), head(7, 2, "a\n")),
        (head(6, 3, "b\n"), head(7, 2, "a\n")),
        (head(7, 2, "c\n"), head(7, 2, "a\n")),
        (head(7, 3, "d\n"), head(7, 3, "d\n")),
        (head(7, 2, "a\n"), head(7, 3, "d\n")),
        (head(10, 1, "— é\n"), head(10, 1, "— é\n")),
    ] {
        store.put_cosigned(&put).await.expect("is done, whatever stands there");
        assert_eq!(read().await, Some(kept));
    }
}
