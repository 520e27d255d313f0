//! A vault, as a client knows it: its address, and the genesis event that everything it says must be proven back to.

use std::fmt;
use std::sync::{Arc, OnceLock};

use chartseal_events::Hash;
use chartseal_events::event::Genesis;
use chartseal_events::evidence::{Evidence, Sound};
use chartseal_events::wire::Health;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::error::Error;
use crate::http::{RawAnswer, Request, Transport};
use crate::patience::Patience;
use crate::tampering::Tampering;

/// What is pinned of a vault. A wallet holds it, an invitation carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultPin {
    /// The address of its HTTP API, with the stage if there is one.
    pub api: String,
    /// Its name: the `aud` of everything signed for it.
    pub origin: String,
    /// The leaf hash of its genesis event.
    pub genesis: Hash,
}

/// A vault whose genesis event is known. Cheap to clone; clones share the clock's correction and the connections.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
    patience: Patience,
}

struct Inner {
    pin: VaultPin,
    transport: Transport,
    clock: Clock,
    genesis: OnceLock<Genesis>,
}

impl Vault {
    /// A vault that is pinned already. Makes no call.
    pub fn new(pin: VaultPin) -> Result<Self, Error> {
        let api = address(&pin.api)?;
        let inner = Inner {
            transport: Transport::new(is_local(&api)),
            pin: VaultPin { api, ..pin },
            clock: Clock::default(),
            genesis: OnceLock::new(),
        };
        Ok(Self { inner: Arc::new(inner), patience: Patience::default() })
    }

    /// A vault met for the first time: what it says of itself is checked and then trusted. Later calls hold it to this.
    pub fn discover(api: &str) -> Result<Self, Error> {
        let api = address(api)?;
        // Only for the first call: nothing is compared with the empty pin.
        let stranger = Self::new(VaultPin { api: api.clone(), origin: String::new(), genesis: Hash::ZERO })?;
        let health = stranger.health()?;
        let leaf = health.genesis.ok_or(Error::EmptyVault)?;
        let vault = Self::new(VaultPin { api, origin: health.origin.clone(), genesis: leaf })?;
        vault.accept(&health)?;
        Ok(vault)
    }

    /// With another patience: tests that want the first answer take [`Patience::NONE`].
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// What is pinned.
    pub fn pin(&self) -> &VaultPin {
        &self.inner.pin
    }

    /// Its name.
    pub fn origin(&self) -> &str {
        &self.inner.pin.origin
    }

    /// The time, Unix milliseconds, corrected by what the vault said when it found the clock to be off.
    pub fn now_ms(&self) -> u64 {
        self.inner.clock.now_ms()
    }

    /// How far this machine's clock is from the vault's, as far as is known.
    pub fn clock_offset_ms(&self) -> i64 {
        self.inner.clock.offset_ms()
    }

    /// Sets the clock's correction: to play a machine whose clock is off.
    pub fn set_clock_offset_ms(&self, offset_ms: i64) {
        self.inner.clock.set_offset_ms(offset_ms);
    }

    /// Takes the time from an answer.
    pub(crate) fn correct_clock(&self, answer: &RawAnswer) -> bool {
        // A date has whole seconds: half of one is the best guess.
        answer.date_ms.map(|date_ms| self.inner.clock.correct(date_ms + 500)).is_some()
    }

    /// What the vault says of itself. Not checked.
    pub fn health(&self) -> Result<Health, Error> {
        self.call("GET", "/healthz", None, None)?.0.read()
    }

    /// The pinned genesis event, fetched and checked on the first call.
    pub fn genesis(&self) -> Result<Genesis, Error> {
        if let Some(genesis) = self.inner.genesis.get() {
            return Ok(genesis.clone());
        }
        let sound = self.accept(&self.health()?)?;
        let operators = sound.view.operators().ok_or(Tampering::NotShown("the vault's operators"))?;
        Ok(self.inner.genesis.get_or_init(|| operators.genesis.clone()).clone())
    }

    /// Checks what a vault says of itself against the pin.
    pub fn accept(&self, health: &Health) -> Result<Sound, Error> {
        if health.genesis != Some(self.pin().genesis) || health.origin != self.origin() {
            return Err(Tampering::OtherVault.into());
        }
        self.verify(&health.evidence)
    }

    /// Checks evidence, back to the pinned genesis event.
    pub fn verify(&self, evidence: &Evidence) -> Result<Sound, Error> {
        let sound = evidence.verify(&self.pin().genesis).map_err(Tampering::from)?;
        match sound.view.operators() {
            Some(operators) if operators.genesis.origin == self.origin() => Ok(sound),
            _ => Err(Tampering::OtherVault.into()),
        }
    }

    /// Sends any bytes to a path, once: for tests that send what no client of ours would.
    pub fn post_raw(&self, path: &str, body: &[u8]) -> Result<RawAnswer, Error> {
        let url = self.url(path);
        self.inner.transport.once(Request { method: "POST", url: &url, token: None, body: Some(body) })
    }

    /// Reads a path with any token or none, once.
    pub fn get_raw(&self, path: &str, token: Option<&str>) -> Result<RawAnswer, Error> {
        let url = self.url(path);
        self.inner.transport.once(Request { method: "GET", url: &url, token, body: None })
    }

    /// A call that may be repeated. The flag says that the same bytes were sent before.
    pub(crate) fn call(
        &self,
        method: &'static str,
        path: &str,
        token: Option<&str>,
        body: Option<&[u8]>,
    ) -> Result<(RawAnswer, bool), Error> {
        let url = self.url(path);
        self.inner.transport.patiently(Request { method, url: &url, token, body }, self.patience)
    }

    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.inner.transport
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.inner.pin.api)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.inner.pin).finish()
    }
}

/// The address without a slash at its end. Private values go there: plain HTTP is for this machine and its containers only.
fn address(api: &str) -> Result<String, Error> {
    let refused = || Error::Address(crate::error::printable(api));
    let api = api.trim().trim_end_matches('/');
    let uri: ureq::http::Uri = api.parse().map_err(|_| refused())?;
    let plain = match uri.scheme_str() {
        Some("https") => false,
        Some("http") => true,
        _ => return Err(refused()),
    };
    if uri.host().is_none_or(str::is_empty) || uri.query().is_some() || (plain && !is_local(api)) {
        return Err(refused());
    }
    Ok(api.to_owned())
}

/// Whether an address is on this machine: a loopback address, `localhost`, or a container's one-word name.
fn is_local(api: &str) -> bool {
    let uri: Option<ureq::http::Uri> = api.parse().ok();
    let Some(host) = uri.as_ref().and_then(ureq::http::Uri::host) else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => !host.contains('.') || host.ends_with(".localhost") || host.ends_with(".localhost.localstack.cloud"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine() {
        for good in [
            "https://vault.example/",
            "http://127.0.0.1:4566/_aws/execute-api/a1/$default",
            "http://[::1]:1",
            "http://emulator:4566",
        ] {
            assert!(address(good).is_ok_and(|api| !api.ends_with('/')), "{good}");
        }
        for bad in [
            "",
            "vault.example",
            "http://vault.example",
            "ftp://127.0.0.1",
            "https://v.example/?a=b",
            "http://10.0.0.1",
        ] {
            assert!(matches!(address(bad), Err(Error::Address(_))), "{bad}");
        }
    }
}
