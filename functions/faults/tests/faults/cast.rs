//! The people of the story, and what their clients know: wallets, ids, bodies, heads. A client makes bytes of it, and learns from answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use chartseal_envelope::DataKey;
use chartseal_events::encoding::from_base64url;
use chartseal_events::jws::ReadClaims;
use chartseal_events::private::{PrivatePart, PrivateValue};
use chartseal_events::wire::{CommandRequest, PresignedCall};
use chartseal_events::{Action, Bytes, Hash, Id};
use chartseal_http::Incoming;
use chartseal_http::testing::{Body, Wallet};
use serde::de::DeserializeOwned;

/// The vault's name.
pub const ORIGIN: &str = "vault.example";

/// Words that are in private values, plaintexts and labels, and nowhere else ever.
pub const WORDS: &[&str] =
    &["Zacharias", "0190-555", "justified-because", "reasoned-because", "labelled-as", "noted-as"];

/// The keys that seed the vault: one operator's.
pub fn operator_keys() -> String {
    Wallet::operator(1).sign_key().to_string()
}

/// What the clients know.
#[derive(Clone)]
pub struct Cast {
    /// The clients' clock.
    pub now_ms: u64,
    count: u64,
    pub wallets: BTreeMap<&'static str, Wallet>,
    pub ids: BTreeMap<&'static str, Id>,
    pub hashes: BTreeMap<&'static str, Hash>,
    pub texts: BTreeMap<&'static str, String>,
    pub bodies: BTreeMap<&'static str, Arc<Body>>,
    pub data_keys: BTreeMap<&'static str, DataKey>,
    pub seqs: BTreeMap<&'static str, u64>,
    pub calls: BTreeMap<&'static str, PresignedCall>,
}

impl Cast {
    pub fn new(now_ms: u64) -> Self {
        let seeds = [("operator", 1), ("second operator", 2), ("ann", 3), ("bob", 4), ("cyd", 5), ("auditor", 6)];
        Self {
            now_ms,
            count: 0,
            wallets: seeds.into_iter().map(|(name, seed)| (name, Wallet::operator(seed))).collect(),
            ids: BTreeMap::new(),
            hashes: BTreeMap::new(),
            texts: BTreeMap::new(),
            bodies: BTreeMap::new(),
            data_keys: BTreeMap::new(),
            seqs: BTreeMap::new(),
            calls: BTreeMap::new(),
        }
    }

    /// Whoever is not of the story makes ids of their own.
    pub fn count_from(&mut self, number: u64) {
        self.count = number;
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// A POST of a command, signed now.
    pub fn post(&mut self, who: &str, path: &str, action: impl Into<Action>, private: &[(&str, &str)]) -> Incoming {
        self.post_with_header(who, path, action, private, None)
    }

    /// The same with a message header beside it.
    pub fn post_with_header(
        &mut self,
        who: &str,
        path: &str,
        action: impl Into<Action>,
        private: &[(&str, &str)],
        header: Option<String>,
    ) -> Incoming {
        let mut part = PrivatePart::new();
        for (name, value) in private {
            let mut salt = [0; 16];
            salt[8..].copy_from_slice(&self.next().to_be_bytes());
            part.insert((*name).to_owned(), PrivateValue { salt: Bytes(salt), value: (*value).to_owned() });
        }
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.next().to_be_bytes());
        let jti = Id::from_parts(self.now_ms, random);
        let command = self.wallets[who].sign(ORIGIN, self.now_ms, jti, action.into(), &part);
        let request = CommandRequest { command: command.jws().text().to_owned(), private: part, header };
        self.send("POST", path, serde_json::to_vec(&request).expect("a request serialises"))
    }

    /// A call with a read token, signed now.
    pub fn read(&mut self, who: &str, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Incoming {
        let incoming = self.send(method, path, body);
        let (wallet, iat) = (&self.wallets[who], self.now_ms / 1000);
        let claims = ReadClaims {
            aud: ORIGIN.to_owned(),
            iat,
            exp: iat + 60,
            htm: incoming.method.clone(),
            htu: incoming.path.clone(),
            act: wallet.act,
        };
        Incoming { authorization: Some(wallet.bearer(&claims)), ..incoming }
    }

    /// Any call.
    pub fn send(&mut self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Incoming {
        let request_id = format!("call-{}", self.next());
        Incoming {
            method: method.to_owned(),
            path: path.to_owned(),
            body: body.into(),
            request_id,
            ..Incoming::default()
        }
    }
}

/// The document of an answer.
pub fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// Bytes from base64url.
pub fn decoded(text: &str) -> Vec<u8> {
    from_base64url(text).expect("base64url")
}
