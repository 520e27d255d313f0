//! Signed notes: text, an empty line, and a line for each signature. Checkpoints are notes.
//!
//! In scope: the text form, keys, Ed25519 signatures (type 0x01) and timestamped cosignatures (type 0x04). Bytes to sign are handed out, for KMS or a
//! witness's wallet to sign elsewhere. Which keys must have signed is [`crate::policy`]'s.
//!
//! Source: c2sp.org/signed-note, c2sp.org/tlog-cosignature. Signatures are verified strictly (no small-order keys, no malleable signatures).

mod key;
mod line;

use std::fmt;

use ed25519_dalek::Signature;

pub use key::{KeyError, KeyId, MAX_KEY_NAME_BYTES, SignatureType, VerifierKey};
pub use line::SignatureLine;

/// Longest note. C2SP asks for room for 16 signatures of some 5 kB.
pub const MAX_NOTE_BYTES: usize = 128 * 1024;

/// Most signatures of a note.
pub const MAX_SIGNATURES: usize = 64;

/// Latest timestamp of a cosignature, in seconds.
pub const MAX_COSIGNATURE_S: u64 = (1 << 63) - 1;

/// A text and the signatures on it, which have not been looked at: [`Note::signed_by`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

/// The bytes are not a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than notes may be.
    #[error("the note is longer than {MAX_NOTE_BYTES} bytes")]
    TooLong,
    /// Not UTF-8, or a control character other than the newline.
    #[error("the note is not plain text")]
    Characters,
    /// No empty line that signatures follow.
    #[error("the note has no signatures")]
    Unsigned,
    /// A signature line that is not one.
    #[error("a signature line of the note is not well formed")]
    SignatureLine,
    /// More signatures than a note may have.
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
}

impl NoteError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "note-too-long",
            Self::Characters => "note-characters",
            Self::Unsigned => "note-unsigned",
            Self::SignatureLine => "note-signature-line",
            Self::TooManySignatures => "note-signatures",
        }
    }
}

/// A signature line bears a key's name and id, but is not that key's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not a signature of this key over this text.
    #[error("the signature is not this key's over this text")]
    Invalid,
    /// Two lines of one key: which one counts?
    #[error("the key has signed more than once")]
    Twice,
}

impl SignatureError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "signature-invalid",
            Self::Twice => "signature-twice",
        }
    }
}

/// That a key has signed a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// When, in Unix seconds; a plain signature does not say.
    pub timestamp_s: Option<u64>,
}

impl Note {
    /// A note without signatures. The text ends with a newline.
    pub(crate) fn new(text: String) -> Self {
        Self { text, signatures: Vec::new() }
    }

    /// Reads a note. Signatures are not verified.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Characters)?;
        if whole.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::Characters);
        }
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::Unsigned)?;
        if lines.is_empty() {
            return Err(NoteError::Unsigned);
        }
        let lines = lines.strip_suffix('\n').ok_or(NoteError::SignatureLine)?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        let signatures: Option<Vec<_>> = lines.split('\n').map(SignatureLine::parse).collect();
        let signatures = signatures.ok_or(NoteError::SignatureLine)?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// What was signed, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, known keys' or not.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// What a cosigner signs (`cosignature/v1`). A plain signature is over the text itself.
    pub fn cosignature_message(&self, timestamp_s: u64) -> String {
        format!("cosignature/v1\ntime {timestamp_s}\n{}", self.text)
    }

    /// Adds a signature over the text that was made elsewhere, if it is one. It takes the place of an older one of the same key.
    pub fn sign(&mut self, key: &VerifierKey, signature: &[u8; 64]) -> Result<(), SignatureError> {
        self.put(key, SignatureLine::new(key, signature.to_vec()))
    }

    /// Adds a cosignature over [`Note::cosignature_message`] that was made elsewhere, if it is one. It takes the place of an older one of the same key.
    pub fn cosign(&mut self, key: &VerifierKey, timestamp_s: u64, signature: &[u8; 64]) -> Result<(), SignatureError> {
        let timestamped = [&timestamp_s.to_be_bytes()[..], signature].concat();
        self.put(key, SignatureLine::new(key, timestamped))
    }

    /// Adds a signature line, as a witness answers with it, if it is this key's over this text. It takes the place of an older one of the same key.
    pub fn put(&mut self, key: &VerifierKey, line: SignatureLine) -> Result<(), SignatureError> {
        if !line.is_of(key) {
            return Err(SignatureError::Invalid);
        }
        self.check(key, &line)?;
        self.signatures.retain(|older| !older.is_of(key));
        self.signatures.push(line);
        Ok(())
    }

    /// Whether this key has signed the note. A line that only claims to be the key's makes the note one to refuse.
    pub fn signed_by(&self, key: &VerifierKey) -> Result<Option<Signed>, SignatureError> {
        let mut lines = self.signatures.iter().filter(|line| line.is_of(key));
        let Some(line) = lines.next() else { return Ok(None) };
        if lines.next().is_some() {
            return Err(SignatureError::Twice);
        }
        self.check(key, line).map(Some)
    }

    fn check(&self, key: &VerifierKey, line: &SignatureLine) -> Result<Signed, SignatureError> {
        let (timestamp_s, message, signature) = match key.signature_type() {
            SignatureType::Ed25519 => (None, self.text.clone(), line.signature()),
            SignatureType::Cosignature => {
                let (timestamp, signature) = line.signature().split_first_chunk().ok_or(SignatureError::Invalid)?;
                let timestamp_s = u64::from_be_bytes(*timestamp);
                if timestamp_s > MAX_COSIGNATURE_S {
                    return Err(SignatureError::Invalid);
                }
                (Some(timestamp_s), self.cosignature_message(timestamp_s), signature)
            }
        };
        let signature = Signature::from_slice(signature).map_err(|_| SignatureError::Invalid)?;
        key.key().verify_strict(message.as_bytes(), &signature).map_err(|_| SignatureError::Invalid)?;
        Ok(Signed { timestamp_s })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
