//! The least that the sweep must do, and the longest that it may take: a sweep that silently stops to cover something fails.

use std::collections::BTreeMap;
use std::time::Duration;

use chartseal_infra::faulty::Call;

use crate::functions::SWEEPER;
use crate::kind::Kind;

/// How often an operation or a reaction met a fault of this kind in a call.
pub type Met = BTreeMap<(String, Call, Kind), usize>;

/// How long the sweep may take.
pub const MAX_TIME: Duration = Duration::from_mins(5);

/// Everything that follows, as `Functions` calls it.
const REACTIONS: [&str; 7] =
    ["(genesis)", "(consumer)", "(commit)", "(workflow verify)", "(workflow await)", "(workflow wait-over)", SWEEPER];

/// What only reads: none of its calls lands late.
const READS: [&str; 6] =
    ["GET /healthz", "GET /providers/{id}", "GET /records", "GET /records/{id}", "GET /requests", "GET /requests/{id}"];
/// What writes in batches.
const IN_BATCHES: [&str; 2] = ["(consumer)", SWEEPER];

/// The least number of faults of this kind that an operation or reaction must meet. The smallest of them make two calls or three, and write once.
fn least(whose: &str, kind: Kind) -> usize {
    match kind {
        Kind::LateAtOnce | Kind::LateSoon | Kind::LateAtTheEnd => usize::from(!READS.contains(&whose)),
        _ if kind.is_in_part() => 4 * usize::from(IN_BATCHES.contains(&whose)),
        _ if whose == "GET /healthz" => 1,
        _ => 2,
    }
}

/// What was met less often than it must be: each kind by each operation and reaction, and by each call of a port that it suits, once at least.
pub fn too_few(operations: &[String], met: &Met) -> Vec<String> {
    let (mut by_whose, mut by_call) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new());
    for ((whose, call, kind), count) in met {
        *by_whose.entry((whose.as_str(), *kind)).or_default() += count;
        *by_call.entry((*call, *kind)).or_default() += count;
    }
    let told = |name: &str, kind: Kind, met: Option<&usize>, least: usize| {
        let met = met.copied().unwrap_or_default();
        (met < least).then(|| format!("{name}: {kind:?} {met} times, at least {least}"))
    };
    let mut few = Vec::new();
    for whose in operations.iter().map(String::as_str).chain(REACTIONS) {
        let of = |kind| told(whose, kind, by_whose.get(&(whose, kind)), least(whose, kind));
        few.extend(Kind::ALL.into_iter().filter_map(of));
    }
    // Sealing is off the road of commands, and has a simulation of its own (functions/seal).
    for call in Call::ALL.iter().filter(|call| !call.is_sealing()) {
        let of = |kind: Kind| told(call.name(), kind, by_call.get(&(*call, kind)), usize::from(kind.suits(*call)));
        few.extend(Kind::ALL.into_iter().filter_map(of));
    }
    few
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
    // Whose calls these are does not matter to the floor of calls, nor which they are to the other.
    let of_anybody = Call::ALL.iter().filter(|call| !call.is_sealing()).flat_map(|call| {
        let kinds = Kind::ALL.into_iter().filter(|kind| kind.suits(*call));
        kinds.map(|kind| ((String::new(), *call, kind), 1))
    });
    let of_each =
        all().flat_map(|whose| Kind::ALL.map(|kind| ((whose.to_owned(), Call::Sign, kind), least(whose, kind))));
    let enough: Met = of_anybody.chain(of_each).collect();
    assert_eq!(too_few(&operations, &enough), [""; 0]);
    for (left_out, least) in enough.iter().filter(|(_, least)| **least > 0) {
        let (whose, call, kind) = left_out;
        let name = if whose.is_empty() { call.name() } else { whose };
        let mut met = enough.clone();
        met.insert(left_out.clone(), least - 1);
        let few = too_few(&operations, &met);
        assert!(few.len() == 1 && few[0].starts_with(&format!("{name}: {kind:?} ")), "{few:?}");
        met.remove(left_out);
        assert_eq!(too_few(&operations, &met).len(), 1, "none at all is too few as well");
    }
    assert!(in_time(MAX_TIME) && !in_time(MAX_TIME + Duration::from_millis(1)));
}
