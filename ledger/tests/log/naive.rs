//! RFC 6962 section 2.1, word by word and slow, to hold the real one against. It hashes with `sha2` directly.

use chartseal_events::Hash;
use sha2::{Digest, Sha256};

pub fn node(left: Hash, right: Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// MTH(D[n]), over leaf hashes.
pub fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash(Sha256::digest([]).into()),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(k(leaves.len()));
            node(mth(left), mth(right))
        }
    }
}

/// PATH(m, D[n]).
pub fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return vec![];
    }
    let (left, right) = leaves.split_at(k(leaves.len()));
    let (mut path, last) =
        if m < left.len() { (path(m, left), mth(right)) } else { (path(m - left.len(), right), mth(left)) };
    path.push(last);
    path
}

/// PROOF(m, D[n]).
pub fn consistency(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    fn subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if m == leaves.len() {
            return if whole { vec![] } else { vec![mth(leaves)] };
        }
        let (left, right) = leaves.split_at(k(leaves.len()));
        let (mut proof, last) = if m <= left.len() {
            (subproof(m, left, whole), mth(right))
        } else {
            (subproof(m - left.len(), right, false), mth(left))
        };
        proof.push(last);
        proof
    }
    if m == 0 { vec![] } else { subproof(m, leaves, true) }
}

/// The largest subtrees without any leaf of `first..end`, from left to right.
pub fn range(first: usize, end: usize, leaves: &[Hash]) -> Vec<Hash> {
    fn walk(at: usize, first: usize, end: usize, leaves: &[Hash]) -> Vec<Hash> {
        if at + leaves.len() <= first || at >= end {
            return vec![mth(leaves)];
        }
        if leaves.len() == 1 {
            return vec![];
        }
        let (left, right) = leaves.split_at(k(leaves.len()));
        [walk(at, first, end, left), walk(at + left.len(), first, end, right)].concat()
    }
    walk(0, first, end, leaves)
}

/// The largest power of two below n.
fn k(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}
