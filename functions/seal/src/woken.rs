//! What wakes the sealer: a batch of the Events table's stream, with keys alone, the schedule, or an operator who wants what follows from the blocks made
//! again; and the log that it seals into.
//!
//! Records are hints: a place that cannot be read is counted, and whatever it was, a sweep finds it.

use chartseal_events::{Bytes, EventRef, StreamId};
use chartseal_infra::ports::{
    BlockStore, Clock, ClockKey, EventStore, LogFiles, LogKey, LogSigner, SealedIndex, StoreError,
};
use chartseal_infra::telemetry::{fields, note};
use chartseal_ledger::note::{KeyError, SignatureType, VerifierKey};
use futures_util::future::try_join;
use serde::Deserialize;

use crate::{Rebuilt, RunFailed, Sealer};

/// What a payload says, as far as it is used. One without records is the schedule's.
#[derive(Debug, Deserialize)]
pub struct Woken {
    #[serde(rename = "Records")]
    records: Option<Vec<Record>>,
    rebuild: Option<Rebuild>,
}

/// What an operator asks for: `{"rebuild": {"from": 0}}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rebuild {
    /// The height to begin at.
    from: u64,
}

#[derive(Debug, Deserialize)]
struct Record {
    dynamodb: Change,
}

#[derive(Debug, Deserialize)]
struct Change {
    #[serde(rename = "Keys")]
    keys: Keys,
}

#[derive(Debug, Deserialize)]
struct Keys {
    stream: Text,
    seq: Number,
}

#[derive(Debug, Deserialize)]
struct Text {
    #[serde(rename = "S")]
    text: String,
}

#[derive(Debug, Deserialize)]
struct Number {
    #[serde(rename = "N")]
    digits: String,
}

/// An invocation that did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub enum Unsealed {
    /// The keys of the log and its clock cannot be had.
    #[error("the log's keys: {0}")]
    Key(#[from] StoreError),
    /// The log can have no such name or key.
    #[error("the log: {0}")]
    Log(#[from] KeyError),
    /// The run failed.
    #[error(transparent)]
    Run(#[from] RunFailed),
}

/// The public keys of the log and of its clock.
#[derive(Debug, Clone)]
pub struct LogKeys {
    /// The log's, under the vault's origin.
    pub log: VerifierKey,
    /// Its clock's.
    pub clock_key: Bytes<32>,
}

impl LogKeys {
    /// As KMS has them. That they are those that the vault's first event names, the sealer sees to.
    pub async fn read(log: &impl LogKey, clock: &impl ClockKey, origin: &str) -> Result<Self, Unsealed> {
        let (log, clock_key) = try_join(log.public_key(), clock.clock_key()).await?;
        Ok(Self { log: VerifierKey::new(origin, SignatureType::Ed25519, &log.0)?, clock_key })
    }
}

impl Woken {
    /// The places of a batch; none where it is time to sweep.
    fn hints(&self) -> Option<Vec<EventRef>> {
        let records = self.records.as_ref()?;
        let places = records.iter().filter_map(|Record { dynamodb: Change { keys } }| {
            let stream = keys.stream.text.parse::<StreamId>().ok()?;
            Some(EventRef { stream, seq: keys.seq.digits.parse().ok()? })
        });
        let places: Vec<EventRef> = places.collect();
        note::add(&fields::BATCH_RECORDS, records.len());
        note::add(&fields::BATCH_NOWHERE, records.len() - places.len());
        Some(places)
    }
}

impl<E, B, I, F, S, C> Sealer<'_, E, B, I, F, S, C>
where
    E: EventStore,
    B: BlockStore,
    I: SealedIndex,
    F: LogFiles,
    S: LogSigner,
    C: Clock,
{
    /// Does what it was woken for. There is something to say of a rebuilding alone.
    pub async fn wake(&self, woken: &Woken) -> Result<Option<Rebuilt>, RunFailed> {
        if let Some(Rebuild { from }) = woken.rebuild {
            return self.rebuild(from).await.map(Some);
        }
        match woken.hints() {
            Some(hints) => self.run(hints).await.map(|_| None),
            None => self.sweep().await.map(|_| None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &str) -> Option<Vec<EventRef>> {
        serde_json::from_str::<Woken>(payload).expect("a payload").hints()
    }

    #[test]
    fn a_batch_names_places_and_the_schedule_names_none() {
        let batch = include_str!("../../../events/samples/consumer.json");
        assert_eq!(read(batch).map(|places| places.len()), Some(3));
        assert_eq!(read(include_str!("../../../events/samples/seal-sweep.json")), None);
        assert_eq!(read(r#"{"Records": []}"#), Some(Vec::new()));
        let rebuild =
            |payload: &str| serde_json::from_str::<Woken>(payload).map(|woken| woken.rebuild.map(|of| of.from));
        assert_eq!(
            rebuild(include_str!("../../../events/samples/seal-rebuild.json")).expect("a payload"),
            Some(1_000_000_000)
        );
        assert!(rebuild(r#"{"rebuild": {"form": 0}}"#).is_err() && rebuild(r#"{"rebuild": {"from": -1}}"#).is_err());
        let strange = |stream: &str, seq: &str| {
            let keys = format!(r#"{{"stream": {{"S": "{stream}"}}, "seq": {{"N": "{seq}"}}}}"#);
            read(&format!(r#"{{"Records": [{{"eventName": "INSERT", "dynamodb": {{"Keys": {keys}}}}}]}}"#))
        };
        assert_eq!(strange("vault", "7"), Some(vec![EventRef { stream: StreamId::Vault, seq: 7 }]));
        assert_eq!(strange("vault", "-7"), Some(Vec::new()));
        assert_eq!(strange("somewhere", "7"), Some(Vec::new()));
    }
}
