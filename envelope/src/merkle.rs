//! The root of an RFC 6962 Merkle tree (section 2.1), computed as leaves arrive.
//!
//! One hash per level is kept, so the memory needed grows with the logarithm of the number of frames. Proofs of some frames need all leaf
//! hashes; `range` makes and checks them.

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
    /// Appends a leaf.
    pub(crate) fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
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

/// The hash of a leaf with these data.
pub(crate) fn leaf(data: &[u8]) -> Hash {
    Sha256::new_with_prefix([0x00]).chain_update(data).finalize().into()
}

/// The hash of a node with these children.
pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
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
            let data = vec![i; usize::from(i % 5)];
            tree.push(leaf(&data));
            leaves.push(data);
        }
    }

    /// The tree of the eight test leaves that Certificate Transparency implementations share.
    #[test]
    fn agrees_with_certificate_transparency() {
        let leaves =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let mut tree = Tree::default();
        for data in leaves {
            tree.push(leaf(&hex::decode(data).unwrap()));
        }
        assert_eq!(hex::encode(tree.root()), "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }
}
