//! Commands: what a person asks for, signed by their wallet. The public part is kept in the event for ever; see `docs/EVENT-LOG.md`.

mod action;
mod parts;

use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;
use serde_json::{Map, Value};

pub use action::*;

use crate::codes::{Code, Refusal};
use crate::encoding::Hash;
use crate::id::{Id, Kid, Kind};
use crate::jws::{COMMAND_TYP, Jws, check_clock};
use crate::limits::{MAX_CLOCK_SKEW_MS, MAX_PRIVATE_FIELDS};
use crate::private::{self, Commitments, PrivatePart};
use crate::stream::{SEARCH_SHARDS, StreamId, day_of};
use crate::strict;

/// What every command says beside its own fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The origin of the vault it is for.
    pub aud: String,
    /// Signed at, Unix seconds.
    pub iat: u64,
    /// A fresh ULID: repeating a command repeats it byte for byte.
    pub jti: Id,
    /// The provider that a staff person acts for.
    pub act: Option<Id>,
}

/// A well-formed command. Its signature is checked when it is decided on, against the key that the streams give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    jws: Jws,
    /// What every command says.
    pub claims: Claims,
    /// The commitments of its private part.
    pub private: Commitments,
    /// What is asked for.
    pub action: Action,
}

impl Command {
    /// Reads a command from its compact JWS.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        const MALFORMED: Code = Code::MalformedCommand;
        let jws = Jws::parse(text, COMMAND_TYP, MALFORMED)?;
        let Ok(Value::Object(mut members)) = strict::value(jws.payload()) else {
            return Err(MALFORMED.into());
        };
        let typ = take::<String>(&mut members, "typ")?;
        let claims = Claims {
            aud: take(&mut members, "aud")?,
            iat: take(&mut members, "iat")?,
            jti: take(&mut members, "jti")?,
            act: members.contains_key("act").then(|| take(&mut members, "act")).transpose()?,
        };
        let private: Commitments = take(&mut members, "private")?;
        if private.len() > MAX_PRIVATE_FIELDS {
            return Err(Refusal::field(MALFORMED, "private"));
        }
        let action = Action::parse(&typ, members)?;
        private::check_commitments(&private, action.private_rules())?;
        action.check()?;
        Ok(Self { jws, claims, private, action })
    }

    /// Makes and signs a command.
    pub fn sign(kid: Kid, claims: Claims, action: Action, part: &PrivatePart, key: &SigningKey) -> Self {
        let private = private::commitments(part);
        let mut members = action.to_members();
        members.insert("typ".into(), action.typ().into());
        members.insert("aud".into(), claims.aud.as_str().into());
        members.insert("iat".into(), claims.iat.into());
        members.insert("jti".into(), claims.jti.to_string().into());
        if let Some(act) = claims.act {
            members.insert("act".into(), act.to_string().into());
        }
        let committed = private.iter().map(|(name, hash)| (name.clone(), hash.to_string().into())).collect();
        members.insert("private".into(), Value::Object(committed));
        let jws = Jws::sign(COMMAND_TYP, kid, Value::Object(members).to_string().as_bytes(), key);
        Self { jws, claims, private, action }
    }

    /// Who signed.
    pub fn kid(&self) -> Kid {
        self.jws.kid()
    }

    /// The signed text.
    pub fn jws(&self) -> &Jws {
        &self.jws
    }

    /// SHA-256 of the signed text: tells a repeated command from another one under the same `jti`.
    pub fn digest(&self) -> Hash {
        Hash::of(&[self.jws.text().as_bytes()])
    }

    /// Checks what does not depend on any state: the vault it is for, the clock, and the private part.
    pub fn admit(&self, audience: &str, now_ms: u64, part: &PrivatePart) -> Result<(), Refusal> {
        self.check_claims(audience, now_ms)?;
        private::check_part(part, &self.private, self.action.private_rules())
    }

    /// The part of [`Command::admit`] that an auditor repeats.
    pub fn check_claims(&self, audience: &str, now_ms: u64) -> Result<(), Refusal> {
        if self.claims.aud != audience {
            return Err(Code::WrongAudience.into());
        }
        check_clock(self.claims.iat, now_ms)?;
        if self.claims.jti.time_ms().abs_diff(self.claims.iat.saturating_mul(1000)) > MAX_CLOCK_SKEW_MS {
            return Err(Code::BadJti.into());
        }
        Ok(())
    }

    /// What the command is called in logs. It follows from who signed and the `jti`, so the person who signed knows it, and so does everybody
    /// who reads an event of the command; nothing has to be stored or handed on.
    pub fn trace(&self) -> Id {
        self.new_id(Kind::Trace)
    }

    /// The id of the stream that this command creates, of the given kind.
    pub fn new_id(&self, kind: Kind) -> Id {
        Id::derive(kind, &self.kid(), self.claims.jti)
    }

    /// The search stream of a `search.perform.v1`, from the provider it acts for, its day, and a shard that follows from its `jti`.
    pub fn search_stream(&self) -> Option<StreamId> {
        let provider = self.claims.act?;
        let shard = Hash::of(&[self.claims.jti.to_string().as_bytes()]).0[0] % SEARCH_SHARDS;
        Some(StreamId::Search { provider, day: day_of(self.claims.iat.saturating_mul(1000)), shard })
    }

    /// Every stream that deciding on this command relies on. The signer's come first.
    pub fn reads(&self) -> Result<BTreeSet<StreamId>, Refusal> {
        let mut streams = BTreeSet::new();
        match (self.kid(), self.claims.act) {
            (Kid::Person(person), Some(provider)) => {
                streams.extend([StreamId::Staff(person), StreamId::Provider(provider)]);
            }
            (Kid::Key(_), None) if matches!(self.action, Action::ProviderRegister(_)) => {}
            (Kid::Key(_), None) => {
                streams.insert(StreamId::Vault);
            }
            _ => return Err(Refusal::field(Code::MalformedCommand, "act")),
        }
        match &self.action {
            Action::OperatorAdd(_) | Action::OperatorRemove(_) | Action::AuditorAdd(_) | Action::AuditorRemove(_) => {
                streams.insert(StreamId::Vault);
            }
            Action::ProviderInvite(_) => {
                streams.insert(StreamId::Provider(self.new_id(Kind::Provider)));
            }
            Action::ProviderRegister(register) => {
                streams.extend([StreamId::Provider(register.provider), StreamId::Staff(self.new_id(Kind::Staff))]);
            }
            Action::ProviderVerify(ProviderVerify { provider, .. })
            | Action::ProviderSuspend(ProviderSuspend { provider }) => {
                streams.insert(StreamId::Provider(*provider));
            }
            Action::RecordCreate(_) => {
                streams.insert(StreamId::Record(self.new_id(Kind::Record)));
            }
            Action::AccessRequest(request) => {
                streams.extend([StreamId::Record(request.record), StreamId::Request(self.new_id(Kind::Request))]);
            }
            Action::AccessApprove(AccessApprove { request, .. }) | Action::AccessDeny(AccessDeny { request, .. }) => {
                streams.insert(StreamId::Request(*request));
            }
            Action::KeyIssue(KeyIssue { request, record })
            | Action::RequestDownload(RequestDownload { request, record }) => {
                streams.extend([StreamId::Request(*request), StreamId::Record(*record)]);
            }
            Action::RecordVersion(RecordVersion { record })
            | Action::RecordAnnounce(Announcement { record, .. })
            | Action::RecordKey(RecordKey { record, .. })
            | Action::RecordDownload(RecordDownload { record, .. }) => {
                streams.insert(StreamId::Record(*record));
            }
            Action::SearchPerform(_) => {
                streams.extend(self.search_stream());
            }
        }
        Ok(streams)
    }
}

fn take<T: serde::de::DeserializeOwned>(members: &mut Map<String, Value>, name: &'static str) -> Result<T, Refusal> {
    let value = members.remove(name).ok_or(Refusal::field(Code::MalformedCommand, name))?;
    serde_json::from_value(value).map_err(|_| Refusal::field(Code::MalformedCommand, name))
}

fn members_of<T: serde::Serialize>(fields: &T) -> Map<String, Value> {
    // Fields of commands are structs of strings and numbers: they always serialise, and to an object.
    match fields.serialize(serde_json::value::Serializer) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
