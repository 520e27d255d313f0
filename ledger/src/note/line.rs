//! One signature line: `— <key name> base64(key id || signature)`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{KeyId, VerifierKey, is_key_name};

/// A signature by somebody who may not be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    name: String,
    id: KeyId,
    signature: Vec<u8>,
}

impl SignatureLine {
    pub(super) fn new(key: &VerifierKey, signature: Vec<u8>) -> Self {
        Self { name: key.name().to_owned(), id: key.id(), signature }
    }

    /// Reads a line, without its newline. Base64 is canonical, and the signature is not empty.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, base64) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = STANDARD.decode(base64).ok()?;
        let (id, signature) = bytes.split_first_chunk()?;
        let good = is_key_name(name) && !signature.is_empty();
        good.then(|| Self { name: name.to_owned(), id: KeyId(*id), signature: signature.to_vec() })
    }

    /// The key's name, as the line has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id, as the line has it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The signature; a cosignature begins with its timestamp.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    pub(super) fn is_of(&self, key: &VerifierKey) -> bool {
        self.id == key.id() && self.name == key.name()
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.0[..], &self.signature].concat();
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}
