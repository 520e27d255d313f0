//! What was planted: texts of our own making, keys, and whatever secret passed by on the way.

use std::collections::BTreeSet;

use chartseal_cli::Wallet;
use chartseal_tests::scanner::Plant;
use chartseal_tests::{Exchange, unique};
use serde_json::Value;

/// Members of answers and calls that are secrets or private, by name, wherever they stand.
const SECRET_MEMBERS: [&str; 9] =
    ["value", "salt", "header", "command", "invitation", "ciphertext", "enc", "sealed_key", "proof"];
/// Members of a presigned address that are secrets.
const SECRET_PARAMETERS: [&str; 3] = ["X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Credential"];
/// Longest secret that is looked for; of a longer one, its beginning and its end.
const MAX_BYTES: usize = 200;

/// What must not be found.
#[derive(Debug, Default)]
pub struct Planted {
    /// Must be nowhere in the open.
    pub private: Vec<Plant>,
    /// Must be in no log; some of it is in events (commands), or in the addresses that callers are given.
    pub secret: BTreeSet<Plant>,
}

impl Planted {
    /// All of it, each once.
    pub fn all(&self) -> Vec<Plant> {
        self.private.iter().chain(&self.secret).cloned().collect()
    }

    /// A value that is private.
    pub fn private(&mut self, what: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.private.push(Plant::new(what, value));
    }

    /// A text that is private, with what encodings stumble over.
    pub fn text(&mut self, what: &str) -> String {
        let text = format!("Größe & {} <{}>", unique("planted"), what.len());
        self.private(what, text.as_str());
        text
    }

    /// A word of letters and digits that is private: for terms and file names.
    pub fn word(&mut self, what: &str) -> String {
        let word = unique("planted");
        self.private(what, word.as_str());
        word
    }

    /// A wallet's secret keys.
    pub fn wallet(&mut self, whose: &str, wallet: &Wallet) {
        self.private(format!("{whose}: signing key"), wallet.signing_key().to_bytes());
    }

    /// A secret, and its parts where it is a JWS.
    pub fn secret(&mut self, what: &str, value: &str) {
        for part in value.split('.').filter(|part| part.len() >= 16) {
            let head = part.get(..MAX_BYTES).unwrap_or(part);
            let tail = part.len().checked_sub(MAX_BYTES).and_then(|at| part.get(at..)).unwrap_or(part);
            for piece in BTreeSet::from([head, tail]) {
                self.secret.insert(Plant::new(what, piece));
            }
        }
    }

    /// Everything secret that calls and answers had in them.
    pub fn add_what_passed_by(&mut self, heard: &[Exchange]) {
        for call in heard {
            if let Some(authorization) = &call.authorization {
                self.secret("a token", authorization.trim_start_matches("Bearer "));
            }
            self.parameters(&call.path);
            for body in [&call.body, &call.answer] {
                if let Ok(value) = serde_json::from_slice(body) {
                    self.members(&value);
                }
            }
        }
    }

    fn members(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(text) if SECRET_MEMBERS.contains(&name.as_str()) => self.secret(name, text),
                        Value::String(text) if name == "url" => self.parameters(text),
                        // Blinded terms, and what they were evaluated to.
                        Value::Array(items) if ["blinded", "evaluated"].contains(&name.as_str()) => {
                            items.iter().filter_map(Value::as_str).for_each(|text| self.secret(name, text));
                        }
                        value => self.members(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.members(item)),
            _ => {}
        }
    }

    fn parameters(&mut self, url: &str) {
        for parameter in url.split(['?', '&']) {
            if let Some((name, value)) = parameter.split_once('=')
                && SECRET_PARAMETERS.contains(&name)
            {
                self.secret(name, value);
            }
        }
    }
}
