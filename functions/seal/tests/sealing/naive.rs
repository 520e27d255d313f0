//! The map's root by its definition in `docs/LEDGER.md`, with none of the ledger's code for it.

use std::collections::BTreeMap;

use chartseal_events::Hash;
use chartseal_ledger::map::{MapKey, Value};

/// The node over all keys.
pub fn map_root(values: &BTreeMap<MapKey, Value>) -> Hash {
    let leaves: Vec<([u8; 32], Hash)> =
        values.iter().map(|(key, value)| (key.0, Hash::of(&[&value.to_bytes()]))).collect();
    Hash(node(&leaves, 0))
}

/// `keys` in ascending order, the same in their first `depth` bits.
fn node(keys: &[([u8; 32], Hash)], depth: usize) -> [u8; 32] {
    let (mut hash, first_bit) = match keys {
        [] => return [0; 32],
        [(key, value)] => (Hash::of(&[key, &value.0]).0, 0x80),
        _ => {
            let right = keys.partition_point(|(key, _)| key[depth / 8] & (0x80 >> (depth % 8)) == 0);
            let (left, right) = keys.split_at(right);
            (Hash::of(&[&node(left, depth + 1), &node(right, depth + 1)]).0, 0)
        }
    };
    hash[0] = hash[0] & 0x7f | first_bit;
    hash
}
