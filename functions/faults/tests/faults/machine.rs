//! Step Functions, as `infra/workflows/approval.asl.json` has it: verify, wait with a task token, wait until the grant's end. Reliable, but for the tasks
//! that it runs: one that fails is tried again, with a new token.

use std::collections::BTreeMap;

use chartseal_events::state::{History, RequestState};
use chartseal_events::{Id, StreamId, View};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{Clock as _, EventStore as _};
use serde_json::{Value, json};

use crate::functions::{Functions, Ports};

const ATTEMPTS: usize = 3;

/// Every execution.
#[derive(Debug, Clone, Default)]
pub struct Machine(BTreeMap<Id, Execution>);

/// Where a request's workflow stands.
#[derive(Debug, Clone, Default)]
struct Execution {
    state: State,
    tokens: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Verifying,
    Asking,
    Waiting,
    Granted,
    Ended,
}

impl Machine {
    /// The token that a request's workflow waits with, or waited with.
    pub fn token(&self, request: Id) -> Option<String> {
        let execution = self.0.get(&request).filter(|execution| execution.tokens > 0)?;
        Some(token(request, execution.tokens))
    }

    /// Goes on with every execution as far as it goes now.
    pub async fn run<P: Ports>(&mut self, vault: &MemoryVault, functions: &Functions<P>) {
        for request in vault.workflow_starts() {
            let execution = self.0.entry(request).or_default();
            while let Some(next) = execution.step(request, vault, functions).await {
                execution.state = next;
            }
        }
    }
}

impl Execution {
    async fn step<P: Ports>(&mut self, id: Id, vault: &MemoryVault, functions: &Functions<P>) -> Option<State> {
        match self.state {
            State::Verifying => {
                let done = attempt(functions, || json!({"task": "verify", "request": id})).await?;
                Some(if done["verified"] == json!(true) { State::Asking } else { State::Ended })
            }
            State::Asking => {
                let ask = || {
                    self.tokens += 1;
                    let (token, entered) = (token(id, self.tokens), "2026-11-23T00:00:00.000Z");
                    json!({"task": "await", "request": id, "token": token, "entered": entered, "retries": self.tokens})
                };
                attempt(functions, ask).await.map(|_| State::Waiting)
            }
            State::Waiting => {
                let now = token(id, self.tokens);
                let told = vault.told().into_iter().find(|(token, _)| *token == now)?.1;
                Some(if told["decision"] == json!("approved") { State::Granted } else { State::Ended })
            }
            State::Granted => {
                if until_ms(vault, id).await.is_some_and(|until_ms| vault.now_ms() < until_ms) {
                    return None;
                }
                attempt(functions, || json!({"task": "wait-over", "request": id})).await.map(|_| State::Ended)
            }
            State::Ended => None,
        }
    }
}

async fn attempt<P: Ports>(functions: &Functions<P>, mut task: impl FnMut() -> Value) -> Option<Value> {
    for _ in 0..ATTEMPTS {
        if let Ok(done) = functions.task(task()).await {
            return Some(done);
        }
    }
    None
}

fn token(request: Id, number: usize) -> String {
    format!("token {number} of {request}")
}

async fn until_ms(vault: &MemoryVault, id: Id) -> Option<u64> {
    let stream = StreamId::Request(id);
    let events = vault.load(&stream).await.expect("memory");
    let view = View::new([History::fold(stream, &events).ok()?]);
    match view.request(id)?.state {
        RequestState::Approved { until_ms } => Some(until_ms),
        _ => None,
    }
}
