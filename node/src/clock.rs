//! The machine's clock. What it says is only ever in timestamps: no decision about what is consistent rests on it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix milliseconds.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Unix seconds.
pub fn now_s() -> u64 {
    now_ms() / 1000
}
