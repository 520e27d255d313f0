//! What one operation asks of AWS.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::call::Call;

/// The figures of an operation. They follow from its calls, so that the same situation gives the same figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Calls by service and action.
    pub calls: BTreeMap<String, u32>,
    /// How many calls must wait for one another: calls that are under way at the same time are one round.
    pub rounds: u32,
    /// DynamoDB read request units.
    pub read_units: f64,
    /// DynamoDB write request units.
    pub write_units: f64,
    /// Bytes of all requests' bodies.
    pub sent_bytes: usize,
    /// Bytes of all answers' bodies.
    pub received_bytes: usize,
    /// Bytes of the operation's own answer; 0 where it has none.
    pub answer_bytes: usize,
}

impl Figures {
    /// Of these calls.
    pub fn of(calls: &[Call], answer_bytes: usize) -> Self {
        let mut figures = Self { rounds: rounds(calls), answer_bytes, ..Self::default() };
        for call in calls {
            *figures.calls.entry(call.name()).or_default() += 1;
            figures.read_units += call.units.read;
            figures.write_units += call.units.write;
            figures.sent_bytes += call.sent_bytes;
            figures.received_bytes += call.received_bytes;
        }
        figures
    }

    /// How many calls there are.
    pub fn call_count(&self) -> u32 {
        self.calls.values().sum()
    }
}

/// The longest chain of calls each of which began after the one before had ended.
fn rounds(calls: &[Call]) -> u32 {
    let mut by_end: Vec<_> = calls.iter().map(|call| (call.end, call.start)).collect();
    by_end.sort_unstable();
    let (mut rounds, mut last_end) = (0, None);
    for (end, start) in by_end {
        if last_end.is_none_or(|last| start >= last) {
            rounds += 1;
            last_end = Some(end);
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::Value;

    use super::*;
    use crate::call::{Service, Units};

    fn call(origin: Instant, from_ms: u64, to_ms: u64) -> Call {
        Call {
            service: Service::Kms,
            action: "Decrypt".to_owned(),
            asked: Value::Null,
            answered: Value::Null,
            consumed: None,
            status: 200,
            sent_bytes: 10,
            received_bytes: 20,
            start: origin + Duration::from_millis(from_ms),
            end: origin + Duration::from_millis(to_ms),
            units: Units { read: 1.0, write: 2.0 },
        }
    }

    #[test]
    fn calls_at_the_same_time_are_one_round() {
        let now = Instant::now();
        let of = |times: &[(u64, u64)]| {
            let calls: Vec<Call> = times.iter().map(|(from, to)| call(now, *from, *to)).collect();
            rounds(&calls)
        };
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[(0, 5)]), 1);
        assert_eq!(of(&[(0, 5), (0, 9), (1, 3)]), 1);
        assert_eq!(of(&[(0, 5), (5, 9)]), 2);
        assert_eq!(of(&[(0, 5), (0, 9), (9, 12), (10, 20), (20, 21)]), 3);
    }

    #[test]
    fn figures_are_sums() {
        let now = Instant::now();
        let figures = Figures::of(&[call(now, 0, 1), call(now, 1, 2)], 7);
        assert_eq!(figures.calls, BTreeMap::from([("KMS Decrypt".to_owned(), 2)]));
        assert_eq!((figures.read_units, figures.write_units, figures.rounds), (2.0, 4.0, 2));
        assert_eq!(
            (figures.sent_bytes, figures.received_bytes, figures.answer_bytes, figures.call_count()),
            (20, 40, 7, 2)
        );
    }
}
