//! The digests of a body as S3 states them.
//!
//! `parts_root` is the SHA-256 checksum that S3 states of the stored object (`x-amz-checksum-sha256`), so that the two can be compared as they are:
//! of a body uploaded by one PUT (up to 64 MiB) the SHA-256 of the body; of a body uploaded in several 64 MiB parts S3's composite checksum,
//! SHA-256 over the concatenated SHA-256 values (32 raw bytes each, in order) of the parts.
//!
//! Source: Amazon S3 User Guide, "Checking object integrity", full object and composite checksums. S3 shows a composite as base64 followed by
//! `-` and the number of parts; we keep the 32 bytes. Why not the composite throughout: docs/adr/0004.

use sha2::{Digest, Sha256};

use crate::merkle::Hash;

/// Bytes of one part of a multipart upload: 64 MiB. Every part but the last has exactly this size.
pub const PART_BYTES: u64 = 64 * 1024 * 1024;

/// Most parts of a multipart upload; S3 takes no more.
pub const MAX_PARTS: u64 = 10_000;

/// The checksum that S3 states of an object with these parts' SHA-256 digests, in order: the digest itself where there is one part.
pub fn parts_root(part_digests: &[[u8; 32]]) -> [u8; 32] {
    if let [only] = part_digests {
        return *only;
    }
    let mut root = Sha256::new();
    for digest in part_digests {
        root.update(digest);
    }
    root.finalize().into()
}

/// SHA-256 of each part of a body, as its bytes arrive.
pub(crate) struct Parts {
    done: Vec<Hash>,
    part: Sha256,
    part_bytes: u64,
    limit_bytes: u64,
}

impl Default for Parts {
    fn default() -> Self {
        Self::of(PART_BYTES)
    }
}

impl Parts {
    fn of(limit_bytes: u64) -> Self {
        Self { done: Vec::new(), part: Sha256::new(), part_bytes: 0, limit_bytes }
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.part_bytes == self.limit_bytes {
                self.done.push(std::mem::take(&mut self.part).finalize().into());
                self.part_bytes = 0;
            }
            // Unwrap safety: the smaller of a slice's length and something else fits usize.
            let room = usize::try_from((self.limit_bytes - self.part_bytes).min(bytes.len() as u64)).expect("fits");
            let (now, later) = bytes.split_at(room);
            self.part.update(now);
            self.part_bytes += room as u64;
            bytes = later;
        }
    }

    /// The digests of all parts; a body without bytes is one empty part.
    pub(crate) fn finish(mut self) -> Vec<Hash> {
        self.done.push(self.part.finalize().into());
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_is_its_own_checksum_and_several_make_a_composite() {
        let (one, two): (Hash, Hash) = (Sha256::digest(b"one").into(), Sha256::digest(b"two").into());
        assert_eq!(parts_root(&[one]), one);
        assert_eq!(parts_root(&[one, two]), <Hash>::from(Sha256::digest([one, two].concat())));
    }

    #[test]
    fn parts_end_exactly_at_the_limit() {
        for (length, expected_parts) in [(0, 1), (1, 1), (9, 1), (10, 1), (11, 2), (20, 2), (21, 3), (35, 4)] {
            let bytes: Vec<u8> = (0..length).collect();
            for step in [1, 3, 10, 35] {
                let mut parts = Parts::of(10);
                bytes.chunks(step).for_each(|chunk| parts.update(chunk));
                let expected: Vec<Hash> = match bytes.len() {
                    0 => vec![Sha256::digest([]).into()],
                    _ => bytes.chunks(10).map(|part| Sha256::digest(part).into()).collect(),
                };
                let found = parts.finish();
                assert_eq!(found, expected, "{length} bytes by {step}");
                assert_eq!(found.len(), expected_parts);
            }
        }
    }
}
