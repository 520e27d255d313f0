//! Names: ULIDs for streams and commands, RFC 7638 thumbprints for keys.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use ulid::Ulid;

use crate::encoding::{Bytes, EncodingError, base64url, serde_as_text};

/// A ULID in its one canonical spelling: 26 upper-case Crockford characters. A provider's is its cloud ID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Ulid);

/// What kind of stream a derived id is for; keeps ids of different kinds apart although they come from one command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An organisation.
    Provider,
    /// A person of an organisation.
    Staff,
    /// A patient record.
    Record,
    /// A request for access.
    Request,
    /// No stream: what a command is called in logs.
    Trace,
}

impl Kind {
    const fn label(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Staff => "staff",
            Self::Record => "record",
            Self::Request => "request",
            Self::Trace => "trace",
        }
    }
}

impl Id {
    /// The id with this time (Unix milliseconds, 48 bits) and these random bits.
    pub fn from_parts(time_ms: u64, random: [u8; 10]) -> Self {
        let mut wide = [0; 16];
        wide[6..].copy_from_slice(&random);
        Self(Ulid::from_parts(time_ms, u128::from_be_bytes(wide)))
    }

    /// The time part, Unix milliseconds.
    pub fn time_ms(self) -> u64 {
        self.0.timestamp_ms()
    }

    /// The id of a stream that a command creates. It follows from who signed and the command's `jti`, so that a
    /// repeated creation meets its own event, and nobody can aim at another's id without that person's key.
    pub fn derive(kind: Kind, signer: &Kid, jti: Self) -> Self {
        let digest = Sha256::new()
            .chain_update(b"chartseal/id/v1\0")
            .chain_update(kind.label())
            .chain_update(b"\0")
            .chain_update(signer.to_string())
            .chain_update(b"\0")
            .chain_update(jti.to_string())
            .finalize();
        let mut random = [0; 10];
        random.copy_from_slice(&digest[..10]);
        Self::from_parts(jti.time_ms(), random)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Id {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, EncodingError> {
        let error = EncodingError { expected_bytes: 16 };
        let ulid = Ulid::from_string(text).map_err(|_| error)?;
        // Crockford's alphabet also reads lower case and look-alikes; one id has one spelling here.
        if ulid.to_string() == text { Ok(Self(ulid)) } else { Err(error) }
    }
}

serde_as_text!(for Id;);

/// The RFC 7638 thumbprint of an Ed25519 public key (RFC 8037 JWK).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint(pub Bytes<32>);

impl Thumbprint {
    /// The thumbprint of a public key.
    pub fn of(public_key: &Bytes<32>) -> Self {
        let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public_key}"}}"#);
        Self(Bytes(Sha256::digest(jwk).into()))
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url(&self.0.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Thumbprint {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, EncodingError> {
        text.parse().map(Self)
    }
}

serde_as_text!(for Thumbprint;);

/// Who signed: a staff person by their stream's id, or a key by its thumbprint (operators, and a key that registers).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kid {
    /// A person of a provider: the id of their `staff/` stream.
    Person(Id),
    /// An operator, or a new key that registers.
    Key(Thumbprint),
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => fmt::Display::fmt(id, f),
            Self::Key(thumbprint) => fmt::Display::fmt(thumbprint, f),
        }
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Kid {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, EncodingError> {
        if text.len() == 26 { text.parse().map(Self::Person) } else { text.parse().map(Self::Key) }
    }
}

serde_as_text!(for Kid;);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_is_the_one_of_rfc_8037() {
        // RFC 8037 appendix A.3
        let key: Bytes<32> = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".parse().expect("the RFC's key");
        assert_eq!(Thumbprint::of(&key).to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn an_id_has_one_spelling() {
        let text = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        assert_eq!(text.parse::<Id>().expect("canonical").to_string(), text);
        for bad in
            ["01arz3ndektsv4rrffq69g5fav", "O1ARZ3NDEKTSV4RRFFQ69G5FAV", "81ARZ3NDEKTSV4RRFFQ69G5FAV", "", "01ARZ3"]
        {
            assert!(bad.parse::<Id>().is_err(), "{bad}");
        }
    }

    #[test]
    fn derived_ids_differ_by_kind_signer_and_jti_and_keep_the_time() {
        let kid = Kid::Person("01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("id"));
        let jti = Id::from_parts(1_763_878_000_000, [7; 10]);
        let id = Id::derive(Kind::Record, &kid, jti);
        assert_eq!(id.time_ms(), 1_763_878_000_000);
        assert_eq!(id, Id::derive(Kind::Record, &kid, jti));
        assert_ne!(id, Id::derive(Kind::Request, &kid, jti));
        assert_ne!(id, Id::derive(Kind::Record, &kid, Id::from_parts(1_763_878_000_000, [8; 10])));
        assert_ne!(id, Id::derive(Kind::Record, &Kid::Person(jti), jti));
    }
}
