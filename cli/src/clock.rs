//! The client's idea of the vault's time: this machine's clock, and a correction once a vault has said that it is off.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock with a correction.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    /// Unix milliseconds, corrected.
    pub(crate) fn now_ms(&self) -> u64 {
        machine_ms().saturating_add_signed(self.offset_ms.load(Ordering::Relaxed))
    }

    /// Sets the correction so that it is now `server_ms`.
    pub(crate) fn correct(&self, server_ms: u64) {
        let difference = i128::from(server_ms) - i128::from(machine_ms());
        self.set_offset_ms(i64::try_from(difference).unwrap_or(0));
    }

    pub(crate) fn set_offset_ms(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
    }

    pub(crate) fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed)
    }
}

/// This machine's clock, Unix milliseconds.
pub(crate) fn machine_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Unix milliseconds of an HTTP date (RFC 9110 section 5.6.7).
pub(crate) fn of_http_date(text: &str) -> Option<u64> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corrected_clock_tells_the_servers_time() {
        let clock = Clock::default();
        clock.correct(of_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("RFC 9110's example"));
        assert!((784_111_777_000..784_111_779_000).contains(&clock.now_ms()), "{}", clock.now_ms());
        assert_eq!(of_http_date("yesterday"), None);
    }
}
