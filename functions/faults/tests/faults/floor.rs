//! The least that the sweep must do, and the longest that it may take: a sweep that silently stops to cover something fails.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::kind::Kind;

/// How long the sweep may take.
pub const MAX_TIME: Duration = Duration::from_mins(5);

/// Everything that follows, as `Functions` calls it.
const REACTIONS: [&str; 7] = [
    "(genesis)",
    "(consumer)",
    "(commit)",
    "(workflow verify)",
    "(workflow await)",
    "(workflow wait-over)",
    "(sweeper)",
];

/// What only reads: none of its calls lands late.
const READS: [&str; 6] =
    ["GET /healthz", "GET /providers/{id}", "GET /records", "GET /records/{id}", "GET /requests", "GET /requests/{id}"];
/// What writes in batches.
const IN_BATCHES: [&str; 2] = ["(consumer)", "(sweeper)"];

/// The least number of faults of this kind that an operation or reaction must meet. The smallest of them make two calls or three, and write once.
fn least(whose: &str, kind: Kind) -> usize {
    match kind {
        Kind::LateAtOnce | Kind::LateSoon | Kind::LateAtTheEnd => usize::from(!READS.contains(&whose)),
        _ if kind.is_in_part() => 4 * usize::from(IN_BATCHES.contains(&whose)),
        _ if whose == "GET /healthz" => 1,
        _ => 2,
    }
}

/// What was met less often than it must be.
pub fn too_few(operations: &[String], counts: &BTreeMap<(String, Kind), usize>) -> Vec<String> {
    let all = operations.iter().map(String::as_str).chain(REACTIONS);
    let pairs = all.flat_map(|whose| Kind::ALL.into_iter().map(move |kind| (whose, kind)));
    let few = pairs.filter_map(|(whose, kind)| {
        let (met, least) = (counts.get(&(whose.to_owned(), kind)).copied().unwrap_or_default(), least(whose, kind));
        (met < least).then(|| format!("{whose}: {kind:?} {met} times, at least {least}"))
    });
    few.collect()
}

/// Whether a sweep that took so long was quick enough.
pub fn in_time(took: Duration) -> bool {
    took <= MAX_TIME
}

/// The control: whatever is left out is named, and nothing else is.
#[test]
fn what_is_hardly_swept_is_named() {
    let operations = ["GET /records".to_owned(), "POST /search".to_owned()];
    let all = || operations.iter().map(String::as_str).chain(REACTIONS);
    let enough: BTreeMap<(String, Kind), usize> =
        all().flat_map(|whose| Kind::ALL.map(|kind| ((whose.to_owned(), kind), least(whose, kind)))).collect();
    assert!(too_few(&operations, &enough).is_empty());
    for (left_out, least) in enough.iter().filter(|(_, least)| **least > 0) {
        let mut counts = enough.clone();
        counts.insert(left_out.clone(), least - 1);
        let few = too_few(&operations, &counts);
        assert!(few.len() == 1 && few[0].starts_with(&format!("{}: {:?} ", left_out.0, left_out.1)), "{few:?}");
        counts.remove(left_out);
        assert_eq!(too_few(&operations, &counts).len(), 1, "none at all is too few as well");
    }
    assert!(in_time(MAX_TIME) && !in_time(MAX_TIME + Duration::from_millis(1)));
}
