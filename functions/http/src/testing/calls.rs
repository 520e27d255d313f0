//! Calls as clients make them, and what they are answered.

use std::collections::BTreeMap;

use chartseal_events::jws::ReadClaims;
use chartseal_events::private::PrivatePart;
use chartseal_events::wire::{CommandRequest, Problem};
use chartseal_events::{Action, Code, Command};
use serde::de::DeserializeOwned;

use super::{ORIGIN, Stage, Wallet};
use crate::{Answer, Incoming, Service, answer, route};

/// Something that is sent: a call, or one in the making.
pub type Call = Incoming;

/// Sends a call to a function, and checks that a problem is one that its route documents.
pub async fn call<S: Service>(service: &S, incoming: &Incoming) -> Answer {
    let answer = answer(service, incoming).await;
    let found = route::find(S::ROUTES, &incoming.method, &incoming.path);
    if let (Some((route, _)), Some(code)) = (found, answer.problem) {
        let documented = route.entry().codes().contains(&code);
        assert!(documented, "{} {} answers {code}, which its route does not document", route.method, route.pattern);
    }
    answer
}

/// The document of an answer with this status.
///
/// # Panics
/// Where the answer has another status, or is another document.
pub fn document<T: DeserializeOwned>(answer: &Answer, status: u16) -> T {
    assert_eq!(answer.status, status, "{}", answer.json);
    serde_json::from_str(&answer.json).unwrap_or_else(|error| panic!("{error}: {}", answer.json))
}

/// The code of an answer that refuses.
///
/// # Panics
/// Where it does not, or is no sound problem document.
pub fn refused(answer: &Answer) -> Code {
    let code = answer.problem.unwrap_or_else(|| panic!("not refused: {} {}", answer.status, answer.json));
    let problem: Problem = serde_json::from_str(&answer.json).expect("a problem document");
    assert_eq!((problem.code.as_str(), problem.status), (code.name(), answer.status));
    assert_eq!((answer.status, answer.media_type()), (code.status(), "application/problem+json"));
    code
}

impl Stage {
    /// A POST of a command, signed now.
    pub fn post(&self, wallet: &Wallet, path: &str, action: impl Into<Action>, private: &[(&str, &str)]) -> Incoming {
        let (command, private) = self.command(wallet, action, private);
        self.submit(path, &command, &private, None)
    }

    /// A POST of a command with a message header beside it.
    pub fn post_with_header(
        &self,
        wallet: &Wallet,
        path: &str,
        action: impl Into<Action>,
        private: &[(&str, &str)],
        header: &str,
    ) -> Incoming {
        let (command, private) = self.command(wallet, action, private);
        self.submit(path, &command, &private, Some(header))
    }

    /// A POST of a command that was signed before.
    pub fn submit(&self, path: &str, command: &Command, private: &PrivatePart, header: Option<&str>) -> Incoming {
        let request = CommandRequest {
            command: command.jws().text().to_owned(),
            private: private.clone(),
            header: header.map(str::to_owned),
        };
        self.send("POST", path, serde_json::to_vec(&request).expect("a request serialises"))
    }

    /// Any call, without a token. The path may have a query.
    pub fn send(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Incoming {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query: BTreeMap<String, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Incoming {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            authorization: None,
            body: body.into(),
            request_id: format!("call-{}", self.next()),
        }
    }

    /// The claims of a good read token for a call.
    pub fn claims(&self, wallet: &Wallet, incoming: &Incoming) -> ReadClaims {
        let iat = self.now_ms() / 1000;
        ReadClaims {
            aud: ORIGIN.to_owned(),
            iat,
            exp: iat + 60,
            htm: incoming.method.clone(),
            htu: incoming.path.clone(),
            act: wallet.act,
        }
    }

    /// A GET with a read token, signed now. The path may have a query.
    pub fn get(&self, wallet: &Wallet, path: &str) -> Incoming {
        self.signed(wallet, self.send("GET", path, Vec::new()))
    }

    /// A call with a read token, signed now.
    pub fn signed(&self, wallet: &Wallet, incoming: Incoming) -> Incoming {
        let claims = self.claims(wallet, &incoming);
        Incoming { authorization: Some(wallet.bearer(&claims)), ..incoming }
    }
}
