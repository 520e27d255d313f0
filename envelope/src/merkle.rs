//! The root of an RFC 6962 Merkle tree (section 2.1), computed as leaves arrive.
//!
//! One hash per level is kept, so the memory needed grows with the logarithm of the number of frames. Proofs of single frames are not made
//! here: a range reader needs the leaf hashes, which this does not keep.

use sha2::{Digest, Sha256};

/// A SHA-256 value.
pub(crate) type Hash = [u8; 32];

/// The tree so far: the roots of its complete subtrees, largest first.
#[derive(Default)]
pub(crate) struct Tree {
    subtrees: Vec<Hash>,
    leaves: u64,
}

impl Tree {
    /// Appends the leaf whose data are `pieces`, one after the other.
    pub(crate) fn push(&mut self, pieces: &[&[u8]]) {
        let mut leaf = Sha256::new_with_prefix([0x00]);
        for piece in pieces {
            leaf.update(piece);
        }
        let mut hash: Hash = leaf.finalize().into();
        let mut complete = self.leaves;
        while complete & 1 == 1 {
            // Unwrap safety: each set bit of `leaves` stands for one subtree on the stack.
            let left = self.subtrees.pop().expect("a subtree for each set bit");
            hash = node(&left, &hash);
            complete >>= 1;
        }
        self.subtrees.push(hash);
        self.leaves += 1;
    }

    /// The tree's root; of no leaves, SHA-256 of nothing.
    pub(crate) fn root(&self) -> Hash {
        let mut from_right = self.subtrees.iter().rev();
        let Some(last) = from_right.next() else { return Sha256::digest([]).into() };
        from_right.fold(*last, |right, left| node(left, &right))
    }
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new_with_prefix([0x01]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962 section 2.1, word for word.
    fn definition(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => Sha256::new_with_prefix([0]).chain_update(leaf).finalize().into(),
            _ => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                node(&definition(&leaves[..k]), &definition(&leaves[k..]))
            }
        }
    }

    #[test]
    fn equals_the_definition_at_every_size() {
        let (mut tree, mut leaves) = (Tree::default(), Vec::new());
        for i in 0..70_u8 {
            assert_eq!(tree.root(), definition(&leaves), "{i} leaves");
            let leaf = vec![i; usize::from(i % 5)];
            let (a, b) = leaf.split_at(leaf.len() / 2);
            tree.push(&[a, b]);
            leaves.push(leaf);
        }
    }

    /// The tree of the eight test leaves that Certificate Transparency implementations share.
    #[test]
    fn agrees_with_certificate_transparency() {
        let leaves =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let mut tree = Tree::default();
        for leaf in leaves {
            tree.push(&[&hex::decode(leaf).unwrap()]);
        }
        assert_eq!(hex::encode(tree.root()), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }
}
