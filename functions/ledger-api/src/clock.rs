//! The log's clock: says when a checkpoint was the log's head, by a cosignature (`cosignature/v1`) of a key of its own.
//!
//! In scope: signing when somebody asks, and using that again for a while. So an idle log costs nothing, and a log that is read costs one signature a minute
//! for each instance of the function. Only the newest checkpoint may be given to it. Not in scope: what a reader makes of it (`ledger/src/policy.rs`).

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use chartseal_infra::clocks::{self, ClockOff};
use chartseal_infra::ports::{Clock, ClockKey, StoreError};
use chartseal_infra::telemetry::note as log;
use chartseal_ledger::note::{KeyError, Note, SignatureError, SignatureLine, VerifierKey};
use tokio::sync::OnceCell;

/// For how long a cosignature is used again, for the same checkpoint.
pub const REUSE_MS: u64 = 60_000;
/// For how long nothing is tried after the clock has failed.
pub const PAUSE_MS: u64 = 5_000;

/// Says when a checkpoint was the log's head.
pub trait Timekeeper: Send + Sync {
    /// Adds the clock's line to the newest checkpoint. Where the clock fails the note stays as it is, and the log says why: the checkpoint is none the worse.
    fn cosign(&self, note: &mut Note) -> impl Future<Output = ()> + Send;
}

/// Why there is no cosignature of the clock's.
#[derive(Debug, thiserror::Error)]
enum NotCosigned {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Off(#[from] ClockOff),
    #[error("the clock can have no such name or key: {0}")]
    Key(#[from] KeyError),
    #[error("the signature is not the clock key's: {0}")]
    Signature(#[from] SignatureError),
}

/// What the clock said last, and when; no line: it had failed.
#[derive(Debug)]
struct Said {
    text: String,
    line: Option<SignatureLine>,
    at_ms: u64,
}

/// The log's clock, on a key and the machine's clock. Clones share what was said last.
#[derive(Debug, Clone)]
pub struct LogClock<K, C> {
    origin: String,
    key: K,
    clock: C,
    verifier: Arc<OnceCell<VerifierKey>>,
    said: Arc<Mutex<Option<Said>>>,
}

impl<K: ClockKey, C: Clock> LogClock<K, C> {
    /// The clock of this vault's log.
    pub fn new(origin: String, key: K, clock: C) -> Self {
        Self { origin, key, clock, verifier: Arc::default(), said: Arc::default() }
    }

    /// Adds what was said of this text not long ago. False where it must be said anew.
    fn again(&self, note: &mut Note, now_ms: u64) -> bool {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(said) = said.as_ref() else { return false };
        let age_ms = now_ms.abs_diff(said.at_ms);
        let (Some(line), Some(key)) = (&said.line, self.verifier.get()) else { return age_ms < PAUSE_MS };
        said.text == note.text() && age_ms < REUSE_MS && note.put(key, line.clone()).is_ok()
    }

    async fn sign(&self, note: &mut Note) -> Result<(), NotCosigned> {
        let key = self.verifier.get_or_try_init(|| async {
            let public = self.key.clock_key().await?;
            Ok::<_, NotCosigned>(VerifierKey::of_clock(&self.origin, &public.0)?)
        });
        let key = key.await?;
        let asked_ms = self.clock.now_ms();
        let timestamp_s = asked_ms / 1_000;
        let signed = self.key.cosign(note.cosignature_message(timestamp_s).as_bytes()).await?;
        // A signature by a clock that is off is shown to nobody.
        clocks::agree(asked_ms, self.clock.now_ms(), signed.service_ms)?;
        Ok(note.cosign(key, timestamp_s, &signed.signature.0)?)
    }
}

impl<K: ClockKey, C: Clock> Timekeeper for LogClock<K, C> {
    async fn cosign(&self, note: &mut Note) {
        let now_ms = self.clock.now_ms();
        if self.again(note, now_ms) {
            return;
        }
        let line = match self.sign(note).await {
            Ok(()) => note.signatures().last().cloned(),
            Err(error) => {
                log::item_failed(&"the log's clock", None, &error);
                None
            }
        };
        let said = Said { text: note.text().to_owned(), line, at_ms: now_ms };
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }
}
