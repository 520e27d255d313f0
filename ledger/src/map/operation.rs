//! What a block's events do to the map. Whoever has the events comes to the same.

use chartseal_events::event::{Event, EventError, StoredEvent};
use chartseal_events::{Kid, Outcome, StreamId, Thumbprint};

use super::value::{MAX_VALUE_BYTES, MapKey, Value, ValueError};
use crate::block::SealedEvent;

/// Most bytes of an operation.
pub const MAX_OPERATION_BYTES: usize = 32 + 1 + MAX_VALUE_BYTES;

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Where.
    pub key: MapKey,
    /// What.
    pub change: Change,
}

/// What happens to a key's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is this from now on.
    Set(Value),
    /// The operator's key was taken away by the event at this index. Without effect on anything else, and on one taken away already.
    Revoke(u64),
}

impl Change {
    /// The value after the change.
    pub(super) fn apply(&self, before: Option<Value>) -> Option<Value> {
        match (self, before) {
            (Self::Set(value), _) => Some(value.clone()),
            (Self::Revoke(index), Some(Value::Operator { sign_key, valid_from, revoked_at: None })) => {
                Some(Value::Operator { sign_key, valid_from, revoked_at: Some(*index) })
            }
            (Self::Revoke(_), before) => before,
        }
    }
}

impl Operation {
    /// Its bytes, as blocks have them: the key; `01` and the value, or `02` and the index.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.change {
            Change::Set(value) => [&self.key.0[..], &[1], &value.to_bytes()].concat(),
            Change::Revoke(index) => [&self.key.0[..], &[2], &index.to_be_bytes()].concat(),
        }
    }

    /// The operation of these bytes, all of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ValueError> {
        let (key, rest) = bytes.split_first_chunk().ok_or(ValueError)?;
        let change = match rest {
            [1, value @ ..] => Change::Set(Value::from_bytes(value)?),
            [2, index @ ..] => Change::Revoke(u64::from_be_bytes(index.try_into().map_err(|_| ValueError)?)),
            _ => return Err(ValueError),
        };
        Ok(Self { key: MapKey(*key), change })
    }
}

/// The operations of events that were sealed at the indices from `first_index` on, in their order.
///
/// The first are those on keys, then one for each stream, with its last event.
pub fn operations(origin: &str, first_index: u64, events: &[StoredEvent]) -> Result<Vec<Operation>, EventError> {
    let opened = events.iter().map(StoredEvent::open).collect::<Result<Vec<_>, _>>()?;
    Ok(operations_of(origin, first_index, &opened))
}

/// The same, of events that have been opened.
pub fn operations_of(origin: &str, first_index: u64, events: &[Event]) -> Vec<Operation> {
    let events =
        events.iter().map(|event| (SealedEvent { place: event.place, leaf: event.leaf }, Some(&event.outcome)));
    operations_of_sealed(origin, first_index, events)
}

/// The same for whoever has kept of the events what they do to keys: of those that change none, no outcome is needed.
pub fn operations_of_sealed<'a>(
    origin: &str,
    first_index: u64,
    events: impl IntoIterator<Item = (SealedEvent, Option<&'a Outcome>)>,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut heads = std::collections::BTreeMap::new();
    for (index, (SealedEvent { place, leaf }, outcome)) in (first_index..).zip(events) {
        if let Some(outcome) = outcome {
            keys(origin, index, place.stream, outcome, &mut operations);
        }
        heads.insert(place.stream, Value::Stream { seq: place.seq, head: leaf });
    }
    operations.extend(
        heads
            .into_iter()
            .map(|(stream, head)| Operation { key: MapKey::stream(origin, stream), change: Change::Set(head) }),
    );
    operations
}

fn keys(origin: &str, index: u64, stream: StreamId, outcome: &Outcome, operations: &mut Vec<Operation>) {
    let mut push = |key, change| operations.push(Operation { key, change });
    let operator = |sign_key| Change::Set(Value::Operator { sign_key, valid_from: index, revoked_at: None });
    let at = |thumbprint| MapKey::signer(origin, &Kid::Key(thumbprint));
    let standing = |verified| Change::Set(Value::Provider { verified, since: index });
    match (outcome, stream) {
        (Outcome::Genesis(genesis), _) => {
            genesis.operators.iter().for_each(|key| push(at(Thumbprint::of(key)), operator(*key)));
        }
        (Outcome::OperatorAdded(added), _) => push(at(Thumbprint::of(&added.sign_key)), operator(added.sign_key)),
        (Outcome::OperatorRemoved(removed), _) => push(at(removed.operator), Change::Revoke(index)),
        (Outcome::ProviderVerified(_), StreamId::Provider(id)) => push(MapKey::provider(origin, id), standing(true)),
        (Outcome::ProviderSuspended(_), StreamId::Provider(id)) => push(MapKey::provider(origin, id), standing(false)),
        (Outcome::StaffAdded(staff), StreamId::Staff(id)) => {
            let person = Value::Person {
                role: staff.role,
                provider: staff.provider,
                sign_key: staff.sign_key,
                seal_key: staff.seal_key,
                valid_from: index,
            };
            push(MapKey::signer(origin, &Kid::Person(id)), Change::Set(person));
        }
        _ => {}
    }
}
