//! Keys and values, and their bytes.

use chartseal_events::event::Role;
use chartseal_events::{Bytes, Hash, Kid, StreamId};

/// The path of a key in the trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MapKey(pub [u8; 32]);

impl MapKey {
    fn of(domain: &str, origin: &str, id: &str) -> Self {
        let parts = [b"chartseal/map/v1\0", domain.as_bytes(), b"\0", origin.as_bytes(), b"\0", id.as_bytes()];
        Self(Hash::of(&parts).0)
    }

    /// Where a stream's head stands.
    pub fn stream(origin: &str, stream: StreamId) -> Self {
        Self::of("strm", origin, &stream.to_string())
    }

    /// Where the keys of a person or an operator stand.
    pub fn signer(origin: &str, kid: &Kid) -> Self {
        Self::of("key", origin, &kid.to_string())
    }

    /// Where it stands whether a provider's people may act.
    pub fn provider(origin: &str, provider: chartseal_events::Id) -> Self {
        Self::of("key", origin, &StreamId::Provider(provider).to_string())
    }
}

/// What a key has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A stream's last sealed event.
    Stream {
        /// Its place in the stream.
        seq: u64,
        /// Its leaf hash.
        head: Hash,
    },
    /// An operator's key.
    Operator {
        /// The Ed25519 public key.
        sign_key: Bytes<32>,
        /// The index of the event that made it an operator's.
        valid_from: u64,
        /// The index of the event that took it away.
        revoked_at: Option<u64>,
    },
    /// A person's keys. They are good while the provider's standing is.
    Person {
        /// What the person may do.
        role: Role,
        /// The provider.
        provider: chartseal_events::Id,
        /// The Ed25519 public key.
        sign_key: Bytes<32>,
        /// The X25519 public key.
        seal_key: Bytes<32>,
        /// The index of the event that added them.
        valid_from: u64,
    },
    /// Whether a provider's people may act. A provider that nobody has decided about has no value.
    Provider {
        /// Verified; otherwise suspended.
        verified: bool,
        /// The index of the event that made it so.
        since: u64,
    },
}

/// The bytes are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no value of the map")]
pub struct ValueError;

/// Most bytes of a value.
pub const MAX_VALUE_BYTES: usize = 100;

impl Value {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Stream { seq, head } => [&[1][..], &seq.to_be_bytes(), &head.0].concat(),
            Self::Operator { sign_key, valid_from, revoked_at } => {
                let revoked = revoked_at.map(u64::to_be_bytes);
                let kind = [2, u8::from(revoked.is_some())];
                let revoked = revoked.as_ref().map_or(&[][..], |bytes| &bytes[..]);
                [&kind[..], &sign_key.0, &valid_from.to_be_bytes(), revoked].concat()
            }
            Self::Person { role, provider, sign_key, seal_key, valid_from } => {
                let role = match role {
                    Role::Administrator => 1,
                    Role::Clinician => 2,
                };
                let id = provider.to_string();
                [&[3, role][..], id.as_bytes(), &sign_key.0, &seal_key.0, &valid_from.to_be_bytes()].concat()
            }
            Self::Provider { verified, since } => [&[4, u8::from(*verified)][..], &since.to_be_bytes()].concat(),
        }
    }

    /// The value of these bytes, all of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ValueError> {
        let mut rest = bytes;
        let value = match take::<1>(&mut rest)? {
            [1] => Self::Stream { seq: number(&mut rest)?, head: Hash(take(&mut rest)?) },
            [2] => {
                let [revoked] = take(&mut rest)?;
                let (sign_key, valid_from) = (Bytes(take(&mut rest)?), number(&mut rest)?);
                let revoked_at = match revoked {
                    0 => None,
                    1 => Some(number(&mut rest)?),
                    _ => return Err(ValueError),
                };
                Self::Operator { sign_key, valid_from, revoked_at }
            }
            [3] => {
                let role = match take(&mut rest)? {
                    [1] => Role::Administrator,
                    [2] => Role::Clinician,
                    _ => return Err(ValueError),
                };
                let id = take::<26>(&mut rest)?;
                let id = std::str::from_utf8(&id).map_err(|_| ValueError)?;
                Self::Person {
                    role,
                    provider: id.parse().map_err(|_| ValueError)?,
                    sign_key: Bytes(take(&mut rest)?),
                    seal_key: Bytes(take(&mut rest)?),
                    valid_from: number(&mut rest)?,
                }
            }
            [4] => {
                let verified = match take(&mut rest)? {
                    [0] => false,
                    [1] => true,
                    _ => return Err(ValueError),
                };
                Self::Provider { verified, since: number(&mut rest)? }
            }
            _ => return Err(ValueError),
        };
        if rest.is_empty() { Ok(value) } else { Err(ValueError) }
    }

    /// What the trie has of it.
    pub(super) fn hash(bytes: &[u8]) -> [u8; 32] {
        Hash::of(&[bytes]).0
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], ValueError> {
    let (taken, after) = rest.split_first_chunk().ok_or(ValueError)?;
    *rest = after;
    Ok(*taken)
}

fn number(rest: &mut &[u8]) -> Result<u64, ValueError> {
    take(rest).map(u64::from_be_bytes)
}
