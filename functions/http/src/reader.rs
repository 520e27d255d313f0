//! Who reads: read tokens, looked up and verified.

use chartseal_events::decide::{Signer, signer};
use chartseal_events::jws::ReadToken;
use chartseal_events::{Code, Id, Kid, Refusal, StreamId, Thumbprint};
use chartseal_infra::ports::EventStore;
use chartseal_infra::road;

use crate::{Failure, Incoming};

/// A caller whose read token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// An operator of the vault.
    Operator(Thumbprint),
    /// An auditor of the vault.
    Auditor(Thumbprint),
    /// A person of a provider.
    Staff {
        /// The person.
        staff: Id,
        /// Their provider.
        provider: Id,
        /// Why the provider may not use the vault, where it may not: it is pending or suspended.
        barred: Option<Refusal>,
    },
}

/// A caller who may use the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// An operator of the vault.
    Operator(Thumbprint),
    /// An auditor of the vault, who sees what operators see.
    Auditor(Thumbprint),
    /// A person of a verified provider.
    Member {
        /// The person.
        staff: Id,
        /// Their provider.
        provider: Id,
    },
}

impl Caller {
    /// The caller as somebody who may use the vault; a pending or suspended provider is refused.
    pub fn reader(self) -> Result<Reader, Refusal> {
        match self {
            Self::Operator(kid) => Ok(Reader::Operator(kid)),
            Self::Auditor(kid) => Ok(Reader::Auditor(kid)),
            Self::Staff { barred: Some(refusal), .. } => Err(refusal),
            Self::Staff { staff, provider, barred: None } => Ok(Reader::Member { staff, provider }),
        }
    }
}

impl Reader {
    /// The provider that the caller acts for.
    pub const fn provider(&self) -> Option<Id> {
        match self {
            Self::Operator(_) | Self::Auditor(_) => None,
            Self::Member { provider, .. } => Some(*provider),
        }
    }
}

/// Checks a call's read token, and who signed it. Most routes want [`reader`].
pub async fn authenticate<E: EventStore>(
    incoming: &Incoming,
    origin: &str,
    events: &E,
    now_ms: u64,
) -> Result<Caller, Failure> {
    let authorization = incoming.authorization.as_deref().ok_or(Code::MissingToken)?;
    let token = ReadToken::admit(authorization, origin, &incoming.method, &incoming.path, now_ms)?;
    let streams = match (token.jws.kid(), token.claims.act) {
        (Kid::Key(_), None) => vec![StreamId::Vault],
        (Kid::Person(person), Some(provider)) => vec![StreamId::Staff(person), StreamId::Provider(provider)],
        _ => return Err(Refusal::field(Code::MalformedToken, "act").into()),
    };
    let view = road::look(events, streams, now_ms).await?;
    let signer = signer(&view, &token.jws, token.claims.act)?;
    match &signer {
        Signer::Operator(kid, _) => Ok(Caller::Operator(*kid)),
        Signer::Auditor(kid) => Ok(Caller::Auditor(*kid)),
        Signer::Staff(staff, provider) => {
            Ok(Caller::Staff { staff: staff.id, provider: provider.id, barred: signer.member().err() })
        }
        Signer::NewKey => Err(Code::UnknownSigner.into()),
    }
}

/// Checks a call's read token, who signed it, and that they may use the vault.
pub async fn reader<E: EventStore>(
    incoming: &Incoming,
    origin: &str,
    events: &E,
    now_ms: u64,
) -> Result<Reader, Failure> {
    Ok(authenticate(incoming, origin, events, now_ms).await?.reader()?)
}
