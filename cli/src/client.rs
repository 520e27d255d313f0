//! A person at a vault: signs commands and read tokens, sends them, and checks every receipt before anything of an answer is used.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chartseal_events::command::Claims;
use chartseal_events::jws::{Jws, READ_TYP, ReadClaims};
use chartseal_events::limits::MAX_TOKEN_LIFE_S;
use chartseal_events::private::{PrivatePart, PrivateValue};
use chartseal_events::wire::{
    Accepted, AnnouncedUpload, CommandRequest, CreatedRecord, IssuedKey, Receipt, Registered, ReleasedDownload,
    SearchResults,
};
use chartseal_events::{Action, Bytes, Code, Command, Event, Id};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::http::RawAnswer;
use crate::receipt;
use crate::tampering::Tampering;
use crate::transfers::Transfers;
use crate::vault::Vault;
use crate::wallet::Wallet;

/// The pauses before an answer that differs from its evidence is looked at again.
const LOOKS_AGAIN: [Duration; 3] = [Duration::from_millis(20), Duration::from_millis(100), Duration::from_millis(400)];

/// A wallet at a vault.
#[derive(Debug, Clone)]
pub struct Client {
    /// The vault.
    pub vault: Vault,
    /// Whose commands are signed.
    pub wallet: Wallet,
    /// How bodies are moved.
    pub transfers: Transfers,
    /// The file that receipts are added to.
    pub receipts: Option<PathBuf>,
}

/// A command to be sent.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The route's path.
    pub path: &'a str,
    /// What is asked for.
    pub action: Action,
    /// Private fields and their values.
    pub private: &'a [(&'a str, &'a str)],
    /// `POST /records/{id}/upload` only: the message header.
    pub header: Option<&'a [u8]>,
}

/// A signed command with its private part: what is sent, and sent again, byte for byte.
#[derive(Debug, Clone)]
pub struct SignedCommand {
    /// The command.
    pub command: Command,
    /// The values it commits to.
    pub private: PrivatePart,
}

/// An answer whose receipt has been checked against the command.
#[derive(Debug, Clone)]
pub struct Taken<T> {
    /// The answer.
    pub answer: T,
    /// The event it is about.
    pub event: Event,
    /// Whether the same bytes had to be sent more than once: the event may then be older than the rest of the answer.
    pub resent: bool,
}

/// An answer with a receipt.
pub trait Answer: DeserializeOwned {
    /// The receipt of the command's event.
    fn receipt(&self) -> &Receipt;
}

macro_rules! answers {
    ($($type:ty),*) => {
        $(impl Answer for $type {
            fn receipt(&self) -> &Receipt {
                &self.event
            }
        })*
    };
}

answers!(Accepted, Registered, CreatedRecord, AnnouncedUpload, IssuedKey, ReleasedDownload, SearchResults);

impl SignedCommand {
    /// The request body.
    pub fn body(&self, header: Option<&[u8]>) -> Vec<u8> {
        let request = CommandRequest {
            command: self.command.jws().text().to_owned(),
            private: self.private.clone(),
            header: header.map(chartseal_events::encoding::base64url),
        };
        // A struct of strings always serialises.
        serde_json::to_vec(&request).unwrap_or_default()
    }
}

impl<'a> Call<'a> {
    /// A command without private fields.
    pub fn new(path: &'a str, action: impl Into<Action>) -> Self {
        Self { path, action: action.into(), private: &[], header: None }
    }

    /// With private fields.
    #[must_use]
    pub fn private(mut self, fields: &'a [(&'a str, &'a str)]) -> Self {
        self.private = fields;
        self
    }
}

impl Client {
    /// A wallet at a vault.
    pub fn new(vault: Vault, wallet: Wallet) -> Self {
        Self { vault, wallet, transfers: Transfers::default(), receipts: None }
    }

    /// The provider that the wallet's holder acts for.
    pub fn provider(&self) -> Result<Id, Error> {
        self.wallet.provider().ok_or(Error::WrongWallet("the wallet of a registered person"))
    }

    /// Signs any action, with a fresh `jti` and the corrected time.
    pub fn sign(&self, action: impl Into<Action>, private: &[(&str, &str)]) -> Result<SignedCommand, Error> {
        let now_ms = self.vault.now_ms();
        let claims = Claims {
            aud: self.vault.origin().to_owned(),
            iat: now_ms / 1000,
            jti: Id::from_parts(now_ms, random()?),
            act: self.wallet.provider(),
        };
        let private = part(private)?;
        let command = Command::sign(self.wallet.kid(), claims, action.into(), &private, self.wallet.signing_key());
        Ok(SignedCommand { command, private })
    }

    /// Signs, sends, and checks the receipt. The same bytes are sent again while the vault is busy or out of reach; a clock that is off is
    /// corrected once.
    pub fn send<T: Answer>(&self, call: &Call<'_>) -> Result<Taken<T>, Error> {
        let (answer, resent, sent) = self.exchange(call)?;
        let answer: T = answer.read()?;
        let event = receipt::check(answer.receipt(), &sent.command)?;
        self.keep(answer.receipt())?;
        Ok(Taken { answer, event, resent })
    }

    /// Adds a receipt that has been checked to the file of receipts, if there is one.
    pub(crate) fn keep(&self, receipt: &Receipt) -> Result<(), Error> {
        self.receipts.as_deref().map_or(Ok(()), |path| receipt::keep(path, receipt))
    }

    pub(crate) fn exchange(&self, call: &Call<'_>) -> Result<(RawAnswer, bool, SignedCommand), Error> {
        let post = || -> Result<_, Error> {
            let sent = self.sign(call.action.clone(), call.private)?;
            let (answer, resent) = self.vault.call("POST", call.path, None, Some(&sent.body(call.header)))?;
            Ok((answer, resent, sent))
        };
        let (answer, resent, sent) = post()?;
        // A command that may have been taken already must not be signed anew: it would be another one.
        let again = answer.code() == Some(Code::ClockSkew) && !resent && self.vault.correct_clock(&answer);
        if again { post() } else { Ok((answer, resent, sent)) }
    }

    /// Sends a signed command once more, or for the first time: for tests that repeat or change bytes.
    pub fn post(&self, path: &str, signed: &SignedCommand, header: Option<&[u8]>) -> Result<RawAnswer, Error> {
        self.vault.post_raw(path, &signed.body(header))
    }

    /// A read token for a method and path (without a query).
    pub fn read_token(&self, method: &str, path: &str) -> String {
        let iat = self.vault.now_ms() / 1000;
        let claims = ReadClaims {
            aud: self.vault.origin().to_owned(),
            iat,
            exp: iat + MAX_TOKEN_LIFE_S,
            htm: method.to_owned(),
            htu: path.to_owned(),
            act: self.wallet.provider(),
        };
        // A struct of strings and numbers always serialises.
        let payload = serde_json::to_vec(&claims).unwrap_or_default();
        Jws::sign(READ_TYP, self.wallet.kid(), &payload, self.wallet.signing_key()).text().to_owned()
    }

    /// Reads a path, with its query if it has one.
    pub fn read<T: DeserializeOwned>(&self, path_and_query: &str) -> Result<T, Error> {
        self.authorised("GET", path_and_query, None)
    }

    /// Reads with a question in the body.
    pub(crate) fn ask<T: DeserializeOwned>(&self, path: &str, question: &impl Serialize) -> Result<T, Error> {
        let body = serde_json::to_vec(question).unwrap_or_default();
        self.authorised("POST", path, Some(&body))
    }

    fn authorised<T: DeserializeOwned>(
        &self,
        method: &'static str,
        path_and_query: &str,
        body: Option<&[u8]>,
    ) -> Result<T, Error> {
        let path = path_and_query.split('?').next().unwrap_or_default();
        let attempt = || self.vault.call(method, path_and_query, Some(&self.read_token(method, path)), body);
        let (mut answer, _) = attempt()?;
        // A clock that is a minute behind signs tokens that are over when they arrive.
        let off = matches!(answer.code(), Some(Code::ClockSkew | Code::TokenExpired));
        if off && self.vault.correct_clock(&answer) {
            (answer, _) = attempt()?;
        }
        answer.read()
    }
}

/// Looks again when an answer differs from its evidence: the vault reads the two one after the other, and something may have happened in
/// between. What differs each time is a lie.
pub(crate) fn steadily<T>(mut look: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    for pause in LOOKS_AGAIN {
        match look() {
            Err(Error::Tampered(Tampering::AnswerDiffers(_))) => std::thread::sleep(pause),
            outcome => return outcome,
        }
    }
    look()
}

/// The private part of these fields, each with a fresh salt.
fn part(fields: &[(&str, &str)]) -> Result<PrivatePart, Error> {
    let mut part = BTreeMap::new();
    for (name, value) in fields {
        let value = PrivateValue { salt: Bytes(random()?), value: (*value).to_owned() };
        part.insert((*name).to_owned(), value);
    }
    Ok(part)
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::Entropy)?;
    Ok(bytes)
}
