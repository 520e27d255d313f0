//! What a block's events say, for operators and auditors: the exact bytes, each compared with the block's leaf hash before it is shown.

use chartseal_events::wire::LedgerEvents;
use chartseal_events::{Code, EventRef, StoredEvent};
use chartseal_http::{Answer, Failure, Incoming, PathValues, Reader, reader};
use chartseal_infra::ports::{BlockStore, Clock, EventStore, LogFiles, StoreError};
use chartseal_ledger::block::SealedEvent;

use crate::{Ledger, place, published_block};

/// How many bytes of bodies one answer has, as they travel. Lambda's limit on an answer is 6 MB, and a quarter of it is left for surprises.
const MAX_BODIES_BYTES: usize = 3 * 1024 * 1024;
/// Events that are read before their length is looked at: a few batches side by side.
const READ_AHEAD: usize = 400;

/// Show what a block's events say
///
/// For operators and auditors. The events' exact bytes in the log's order, from a position in the block on, as many as fit into one answer; `next` is the
/// position that the next call begins at. Their leaf hashes are those that the block's own route shows: compare them. Only what has been published is shown.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/ledger/blocks/{height}/events/{first}", tag = "ledger",
    params(
        ("height" = u64, Path, description = "How many blocks are before the block."),
        ("first" = u32, Path, description = "How many of the block's events are before the first one that is asked for."),
    ),
    responses((status = 200, description = "Events of the block.", body = LedgerEvents)),
))]
pub async fn events<B: BlockStore, I, F: LogFiles, E: EventStore, C: Clock, T>(
    ledger: &Ledger<B, I, F, E, C, T>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    match reader(incoming, &ledger.origin, &ledger.events, ledger.clock.now_ms()).await? {
        Reader::Operator(_) | Reader::Auditor(_) => {}
        Reader::Member { .. } => return Err(Code::NotAuditor.into()),
    }
    let height: u64 = place(path, "height")?;
    let first: u32 = place(path, "first")?;
    let block = published_block(ledger, height).await?;
    let position = usize::try_from(first).map_err(|_| Code::NotFound)?;
    let wanted = block.events().get(position..).filter(|events| !events.is_empty()).ok_or(Code::NotFound)?;
    let bodies = read(&ledger.events, wanted).await?;
    let past = position + bodies.len();
    let next = if past < block.events().len() { u32::try_from(past).ok() } else { None };
    Answer::ok(&LedgerEvents { height, first, bodies, next })
}

/// The bodies of the first of these events, as many as one answer has; one at least.
async fn read(store: &impl EventStore, sealed: &[SealedEvent]) -> Result<Vec<String>, StoreError> {
    let (mut bodies, mut bytes) = (Vec::new(), 0);
    for some in sealed.chunks(READ_AHEAD) {
        let places: Vec<EventRef> = some.iter().map(|event| event.place).collect();
        for (event, found) in some.iter().zip(store.fetch(&places).await?) {
            let stored = as_sealed(event, found)?;
            bytes += travelling_bytes(&stored.body);
            if bytes > MAX_BODIES_BYTES && !bodies.is_empty() {
                return Ok(bodies);
            }
            bodies.push(stored.body);
        }
    }
    Ok(bodies)
}

/// The event, if it is the one that was sealed. A place alone says nothing: the leaf hash is computed anew from the bytes.
fn as_sealed(sealed: &SealedEvent, found: Option<StoredEvent>) -> Result<StoredEvent, StoreError> {
    let place = sealed.place;
    let stored = found.ok_or_else(|| StoreError::Damaged { what: format!("{place}: sealed, and gone") })?;
    if stored.leaf == sealed.leaf {
        Ok(stored)
    } else {
        Err(StoreError::Damaged { what: format!("{place}: another event than the sealed one") })
    }
}

/// A body's bytes in the answer, which is JSON within JSON on its way through Lambda: a quote becomes four bytes.
fn travelling_bytes(body: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 4,
        0..=0x1F => 7,
        _ => 1,
    };
    body.bytes().map(escaped).sum::<usize>() + 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_takes_what_it_takes_in_json_within_json() {
        for body in [r#"{"v":1,"type":"x","a\\b":"c"}"#, "a\u{1}b\"", "", "plain"] {
            let document = serde_json::to_string(&[body]).expect("JSON");
            let reply = serde_json::to_string(&document).expect("JSON");
            // Brackets and outer quotes aside, and the comma that is not there.
            assert!(travelling_bytes(body) >= reply.len() - 4, "{body}");
        }
    }
}
