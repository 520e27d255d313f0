//! How long something is tried again that failed and may pass: calls by the clock, transfers by the clock and by number.

use std::time::{Duration, Instant};

/// How often a transfer that comes to nothing is tried at least, however long each attempt took.
const MIN_TRANSFERS: u32 = 5;

/// How long calls are repeated that met a busy vault or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// No new attempt after this. Below the 120 s for which a command is taken.
    pub total: Duration,
    /// The wait before the second attempt; it doubles each time.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(45),
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(5),
        }
    }
}

impl Patience {
    /// One attempt and no other.
    pub const NONE: Self = Self { total: Duration::ZERO, first_wait: Duration::ZERO, longest_wait: Duration::ZERO };

    /// The waits between attempts, until the time is over.
    pub(crate) fn begin(self) -> Waits {
        let began = Instant::now();
        Waits { began, until: began + self.total, next: self.first_wait, longest: self.longest_wait }
    }
}

/// The waits of one call.
pub(crate) struct Waits {
    began: Instant,
    until: Instant,
    next: Duration,
    longest: Duration,
}

impl Waits {
    /// How long it has been tried.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits before the next attempt; false when the time is over.
    pub(crate) fn wait(&mut self) -> bool {
        if Instant::now() + self.next >= self.until {
            return false;
        }
        self.pause();
        true
    }

    fn pause(&mut self) {
        // Many clients that met the same failure should not come back at the same moment.
        let mut byte = [128];
        let _ = getrandom::fill(&mut byte);
        std::thread::sleep(self.next.mul_f64(0.5 + f64::from(byte[0]) / 256.0));
        self.next = (self.next * 2).min(self.longest);
    }
}

/// The attempts at one transfer. A large part may take longer than all patience: then it is the number of attempts that counts.
pub(crate) struct Attempts {
    patience: Patience,
    failed: u32,
    waits: Option<Waits>,
}

impl Attempts {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, failed: 0, waits: None }
    }

    /// Something was achieved: what failed before does not count any more.
    pub(crate) fn achieved(&mut self) {
        (self.failed, self.waits) = (0, None);
    }

    /// An attempt failed. Waits before the next one; false when there should be none.
    pub(crate) fn again(&mut self) -> bool {
        if self.patience.total.is_zero() {
            return false;
        }
        self.failed += 1;
        let patience = self.patience;
        let waits = self.waits.get_or_insert_with(|| patience.begin());
        if waits.wait() {
            return true;
        }
        if self.failed < MIN_TRANSFERS {
            waits.pause();
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_tried_some_times_however_long_each_took() {
        let quick = |total| Patience { total, first_wait: Duration::ZERO, longest_wait: Duration::ZERO };
        let tried = |patience| {
            let mut attempts = Attempts::new(patience);
            std::iter::repeat_with(|| attempts.again()).take(100).take_while(|again| *again).count()
        };
        assert_eq!(tried(quick(Duration::from_nanos(1))), 4, "five attempts in all");
        assert_eq!(tried(quick(Duration::from_mins(1))), 100, "as long as there is time");
        assert_eq!(tried(Patience::NONE), 0);
        let mut attempts = Attempts::new(quick(Duration::from_nanos(1)));
        for _ in 0..20 {
            assert!(attempts.again());
            attempts.achieved();
        }
    }
}
