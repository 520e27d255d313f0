//! The witnesses that a stack names (parameter `Witnesses`): where each is asked, and the key that it cosigns with.
//!
//! In scope: the parameter's text. Not in scope: asking them (`functions/cosign`), and what a reader of the log makes of their word.

use std::collections::BTreeSet;
use std::str::FromStr;

use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::policy::MAX_WITNESSES;

/// Longest address of a witness.
const MAX_URL_BYTES: usize = 1_024;

/// A witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its address, without a slash at the end: `add-checkpoint` is behind it.
    pub url: String,
    /// The key that it cosigns with.
    pub key: VerifierKey,
}

/// The witnesses of a stack: none, or some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witnesses(Vec<Witness>);

/// The text names no witnesses. It never says what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadWitnesses {
    /// An address without a key, or a key without an address.
    #[error("pairs of an address and a vkey, all of them with commas or spaces between")]
    Pairs,
    /// Not an address that is asked.
    #[error("address {0} must be https://..., or http:// on this machine; without user, query and fragment")]
    Url(usize),
    /// Not a key of a witness.
    #[error("vkey {0} is not one for cosignature/v1")]
    Key(usize),
    /// One key twice.
    #[error("a key stands there twice")]
    Twice,
    /// More than a note has room for.
    #[error("at most {MAX_WITNESSES}")]
    TooMany,
}

impl Witnesses {
    /// All of them.
    pub fn all(&self) -> &[Witness] {
        &self.0
    }

    /// Their keys.
    pub fn keys(&self) -> Vec<VerifierKey> {
        self.0.iter().map(|witness| witness.key.clone()).collect()
    }
}

impl FromStr for Witnesses {
    type Err = BadWitnesses;

    fn from_str(text: &str) -> Result<Self, BadWitnesses> {
        let between = |c: char| c == ',' || c.is_whitespace();
        let words: Vec<&str> = text.split(between).filter(|word| !word.is_empty()).collect();
        let (pairs, rest) = words.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(BadWitnesses::Pairs);
        }
        if pairs.len() > MAX_WITNESSES {
            return Err(BadWitnesses::TooMany);
        }
        let witnesses = pairs.iter().zip(1..).map(|([url, key], number)| {
            if !is_asked(url) {
                return Err(BadWitnesses::Url(number));
            }
            let key = key.parse::<VerifierKey>().map_err(|_| BadWitnesses::Key(number))?;
            if key.signature_type() != SignatureType::Cosignature {
                return Err(BadWitnesses::Key(number));
            }
            Ok(Witness { url: url.trim_end_matches('/').to_owned(), key })
        });
        let witnesses = witnesses.collect::<Result<Vec<_>, _>>()?;
        let keys: BTreeSet<_> = witnesses.iter().map(|witness| witness.key.public_key()).collect();
        if keys.len() < witnesses.len() {
            return Err(BadWitnesses::Twice);
        }
        Ok(Self(witnesses))
    }
}

/// Whether an address may be asked: by HTTPS, or on this machine.
fn is_asked(url: &str) -> bool {
    let plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_~/:[]".contains(&byte));
    let host_of = |rest: &str| {
        let authority = rest.split('/').next().unwrap_or_default();
        match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, _)) => host.to_owned(),
            None => authority.split(':').next().unwrap_or_default().to_owned(),
        }
    };
    if url.len() > MAX_URL_BYTES {
        return false;
    }
    if let Some(rest) = url.strip_prefix("https://") {
        return plain(rest) && !host_of(rest).is_empty();
    }
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let host = host_of(rest);
    let is_local = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    plain(rest) && is_local
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8, signature_type: SignatureType) -> String {
        let public = ed25519_dalek::SigningKey::from_bytes(&[number; 32]).verifying_key().to_bytes();
        VerifierKey::new(&format!("w{number}.example/x"), signature_type, &public).expect("a key").to_string()
    }

    fn read(text: &str) -> Result<usize, BadWitnesses> {
        text.parse::<Witnesses>().map(|witnesses| witnesses.all().len())
    }

    #[test]
    fn pairs_are_read_whatever_is_between() {
        let [one, two] = [1, 2].map(|number| key(number, SignatureType::Cosignature));
        assert_eq!(read(""), Ok(0));
        assert_eq!(read(" , ,"), Ok(0));
        let text = format!("https://w1.example/,{one}\n https://w2.example:8443/witness  {two},");
        let read_all: Witnesses = text.parse().expect("two");
        let urls: Vec<&str> = read_all.all().iter().map(|witness| witness.url.as_str()).collect();
        assert_eq!(urls, ["https://w1.example", "https://w2.example:8443/witness"]);
        assert_eq!(read_all.keys()[1].to_string(), two);
    }

    #[test]
    fn what_is_no_witness_is_refused_by_its_number_alone() {
        let one = key(1, SignatureType::Cosignature);
        assert_eq!(read("https://w1.example"), Err(BadWitnesses::Pairs));
        assert_eq!(read(&format!("https://w1.example {one} https://w2.example {one}")), Err(BadWitnesses::Twice));
        let log = key(1, SignatureType::Ed25519);
        assert_eq!(read(&format!("https://w1.example {log}")), Err(BadWitnesses::Key(1)));
        assert_eq!(read("https://w1.example none"), Err(BadWitnesses::Key(1)));
        for good in ["http://localhost:1", "http://127.0.0.1:8080/a", "http://[::1]:9", "https://a.b-c.example/x/y"] {
            assert_eq!(read(&format!("{good} {one}")), Ok(1), "{good}");
        }
        for bad in [
            "http://w1.example",
            "ftp://w1.example",
            "https://",
            "https:///x",
            "http://localhost.w1.example",
            "http://127.0.0.1@w1.example",
            "https://user@w1.example",
            "https://w1.example/?x",
            "https://w1.example/#x",
            "http://10.0.0.1",
            "http://[::2]",
        ] {
            assert_eq!(read(&format!("{bad} {one}")), Err(BadWitnesses::Url(1)), "{bad}");
        }
    }
}
