//! Whether two clocks agree: ours, and a service's, which says its time to the second. Nothing with a time in it is signed by a clock that is off.

use std::fmt;

/// How far our clock may be off the service's.
pub const MAX_CLOCK_OFF_MS: u64 = 2_000;
/// The service says its time to the second.
const SERVICE_CLOCK_STEP_MS: u64 = 1_000;

/// Our clock is off the service's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOff {
    /// By at least so much.
    pub off_ms: u64,
}

impl fmt::Display for ClockOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the clock is {} ms off the service's", self.off_ms)
    }
}

impl std::error::Error for ClockOff {}

/// Holds our clock against the time that a service put into an answer which came between these two moments.
pub fn agree(asked_ms: u64, answered_ms: u64, service_ms: u64) -> Result<(), ClockOff> {
    let behind_ms = service_ms.saturating_sub(answered_ms);
    let ahead_ms = asked_ms.saturating_sub(service_ms + SERVICE_CLOCK_STEP_MS);
    let off_ms = behind_ms.max(ahead_ms);
    if off_ms > MAX_CLOCK_OFF_MS { Err(ClockOff { off_ms }) } else { Ok(()) }
}
