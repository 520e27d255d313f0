//! How fast the other implementations are, beside ours: the fastest of three runs.
//!
//! The SDKs seal and open whole buffers in memory. The portal's reader reads its body from a file and keeps nothing; the time is its own, the
//! program's start not in it.

use serde_json::{Value, json};

use crate::exchange::Exchange;
use crate::{Error, Oracle, Party};

const RUNS: usize = 3;

/// Megabytes (10^6 bytes) a second of one implementation.
#[derive(Debug, Clone, Copy)]
pub struct Speed {
    /// Whose.
    pub party: Party,
    /// Sealing; None of a reader.
    pub seal_mb_s: Option<f64>,
    /// Opening.
    pub open_mb_s: f64,
}

impl Speed {
    /// The figures for a program to read.
    pub fn to_json(&self) -> Value {
        json!({"sdk": self.party.title(), "seal_mb_s": self.seal_mb_s, "open_mb_s": self.open_mb_s})
    }
}

/// Measures with `bytes` of plaintext in frames of `frame_bytes`; files go to `folder`.
pub fn measure(
    party: Party,
    mut oracle: Oracle,
    folder: &std::path::Path,
    bytes: usize,
    frame_bytes: u32,
) -> Result<Speed, Error> {
    if !party.seals() {
        let mut exchange = Exchange::new(party, oracle, folder);
        let mut open_mb_s = 0.0_f64;
        for _ in 0..RUNS {
            open_mb_s = open_mb_s.max(exchange.opening_mb_s(frame_bytes, bytes)?);
        }
        return Ok(Speed { party, seal_mb_s: None, open_mb_s });
    }
    let answer = oracle.ask(&json!({"do": "bench", "bytes": bytes, "frame_bytes": frame_bytes}))?;
    let figure = |name: &str| answer[name].as_f64().ok_or_else(|| Error::Answer(answer.to_string()));
    Ok(Speed { party, seal_mb_s: Some(figure("seal_mb_s")?), open_mb_s: figure("open_mb_s")? })
}
