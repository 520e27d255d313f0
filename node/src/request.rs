//! The body of `add-checkpoint`, to the letter of c2sp.org/tlog-witness: the old size, the consistency proof, an empty line, the signed checkpoint.
//!
//! In scope: its form and limits. Whether anything in it is true is [`crate::witness`]' to say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_events::Hash;
use chartseal_ledger::note::{MAX_NOTE_BYTES, Note, NoteError};
use chartseal_ledger::tree::Proof;

/// Most lines of a proof.
pub const MAX_PROOF_LINES: usize = 63;

/// Longest body: the old size's line, so many lines of 44 characters, the empty line, and a note.
pub const MAX_REQUEST_BYTES: usize = "old 18446744073709551615\n\n".len() + MAX_PROOF_LINES * 45 + MAX_NOTE_BYTES;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the asker believes was cosigned last.
    pub old_size: u64,
    /// From that size to the checkpoint's.
    pub proof: Proof,
    /// The checkpoint, as it is signed.
    pub note: Note,
}

/// Not the body of an `add-checkpoint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Longer than it may be.
    #[error("the body is longer than {MAX_REQUEST_BYTES} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the body is not text")]
    Characters,
    /// The first line.
    #[error("the first line is not `old`, a space and a size")]
    Old,
    /// A line of the proof, or too many of them.
    #[error("between the first line and an empty one are at most {MAX_PROOF_LINES} lines, each the base64 of a hash")]
    Proof,
    /// What follows is no signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl AddCheckpoint {
    /// Reads a body. It has one spelling.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        if body.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::TooLong);
        }
        let text = std::str::from_utf8(body).map_err(|_| RequestError::Characters)?;
        let (first, mut rest) = text.split_once('\n').ok_or(RequestError::Old)?;
        let digits = first.strip_prefix("old ").ok_or(RequestError::Old)?;
        let old_size = digits.parse::<u64>().ok().filter(|size| size.to_string() == digits).ok_or(RequestError::Old)?;
        let mut hashes = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(RequestError::Proof)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if hashes.len() == MAX_PROOF_LINES {
                return Err(RequestError::Proof);
            }
            let hash = STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok());
            hashes.push(Hash(hash.ok_or(RequestError::Proof)?));
        }
        let proof = hashes.try_into().map_err(|_| RequestError::Proof)?;
        Ok(Self { old_size, proof, note: Note::parse(rest.as_bytes())? })
    }

    /// The body that asks for it: tests and whoever brings checkpoints write it.
    pub fn to_body(&self) -> String {
        let lines = self.proof.hashes().iter().map(|hash| STANDARD.encode(hash.0) + "\n");
        format!("old {}\n{}\n{}", self.old_size, lines.collect::<String>(), self.note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of c2sp.org/tlog-witness.
    const EXAMPLE: &str = "\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
";

    #[test]
    fn the_specifications_example_is_read_and_written_again() {
        let read = AddCheckpoint::parse(EXAMPLE.as_bytes()).expect("the example");
        assert_eq!((read.old_size, read.proof.hashes().len(), read.note.signatures().len()), (20_852_014, 4, 2));
        assert_eq!(read.to_body(), EXAMPLE);
    }

    #[test]
    fn other_spellings_are_refused() {
        let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=";
        let many = format!("{hash}\n").repeat(MAX_PROOF_LINES + 1);
        let cases: [(&str, String, RequestError); 12] = [
            ("empty", String::new(), RequestError::Old),
            ("no newline", "old 1".into(), RequestError::Old),
            ("another word", EXAMPLE.replacen("old", "Old", 1), RequestError::Old),
            ("two spaces", EXAMPLE.replacen("old ", "old  ", 1), RequestError::Old),
            ("a leading zero", EXAMPLE.replacen("old 2", "old 02", 1), RequestError::Old),
            ("a sign", EXAMPLE.replacen("old 2", "old +2", 1), RequestError::Old),
            ("a carriage return", EXAMPLE.replacen('\n', "\r\n", 1), RequestError::Old),
            ("above 64 bits", EXAMPLE.replacen("20852014", "18446744073709551616", 1), RequestError::Old),
            ("a short hash", EXAMPLE.replacen(hash, "PlRN", 1), RequestError::Proof),
            ("base64 that is not canonical", EXAMPLE.replacen("kaw=", "kax=", 1), RequestError::Proof),
            ("a hash too many", EXAMPLE.replacen(&format!("{hash}\n"), &many, 1), RequestError::Proof),
            ("no checkpoint", format!("old 0\n{hash}\n\n"), RequestError::Note(NoteError::Unsigned)),
        ];
        for (name, body, error) in cases {
            assert_eq!(AddCheckpoint::parse(body.as_bytes()), Err(error), "{name}");
        }
        let full = EXAMPLE.replacen(&format!("{hash}\n"), &format!("{hash}\n").repeat(MAX_PROOF_LINES - 3), 1);
        AddCheckpoint::parse(full.as_bytes()).expect("as many lines as there may be");
        assert_eq!(AddCheckpoint::parse(&vec![b'o'; MAX_REQUEST_BYTES + 1]), Err(RequestError::TooLong));
        assert_eq!(AddCheckpoint::parse(b"old \xff\n"), Err(RequestError::Characters));
    }

    #[test]
    fn whatever_is_read_is_written_again_the_same() {
        let mut read = 0;
        for place in 0..EXAMPLE.len() {
            for byte in [0, b'\n', b' ', b'+', b'0', b'=', b'A', 0x80, 0xff] {
                let mut body = EXAMPLE.as_bytes().to_vec();
                body[place] = byte;
                if let Ok(request) = AddCheckpoint::parse(&body) {
                    assert_eq!(request.to_body().into_bytes(), body, "{place}, {byte}");
                    read += 1;
                }
            }
            let _ = AddCheckpoint::parse(&EXAMPLE.as_bytes()[..place]);
        }
        assert!(read > 100, "{read} are too few to say anything");
    }
}
