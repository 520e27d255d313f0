//! A function like every other, wired in the same way, whose handlers panic with what they were sent, or never come to an end. No handler of the vault
//! does that on demand, and none should: so this one is deployed by `tests/stories/panics.rs`, and by nothing else.
#![forbid(unsafe_code)]

use std::convert::Infallible;

use chartseal_events::Id;
use chartseal_http::{
    Access, Answer, Environment, Error, Failure, Incoming, PathValues, Route, Service, Submission, serve, telemetry,
    wake,
};
use chartseal_infra::telemetry::note;
use serde::Deserialize;

struct Panics;

#[derive(Debug, Clone, Copy)]
enum Call {
    Panic,
    Hang,
    Answer,
}

impl Service for Panics {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = &[
        Route { method: "POST", pattern: "/panic", access: Access::Command, call: Call::Panic, codes: &[] },
        Route { method: "POST", pattern: "/hang", access: Access::Command, call: Call::Hang, codes: &[] },
        Route { method: "POST", pattern: "/answer", access: Access::Command, call: Call::Answer, codes: &[] },
    ];

    async fn handle(&self, call: Call, incoming: &Incoming, _: &PathValues) -> Result<Answer, Failure> {
        // As every handler does: the command's trace is noted here.
        let submission = Submission::parse(incoming)?;
        match call {
            Call::Panic => panic!("{submission:?} in {:?}", String::from_utf8_lossy(&incoming.body)),
            Call::Hang => std::future::pending().await,
            Call::Answer => Answer::ok(&submission.command.claims.jti),
        }
    }
}

/// What an event says that wakes it.
#[derive(Debug, Deserialize)]
struct Event {
    trace: Id,
    words: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start(env!("CARGO_BIN_NAME"));
    let mut env = Environment::of_process();
    let by = env.text("CALLED_BY");
    env.check()?;
    if by == "http" {
        return serve(Panics).await;
    }
    wake(|event: Event| async move {
        note::trace(event.trace);
        if event.words.is_empty() {
            return Ok::<_, Infallible>(());
        }
        panic!("{}", event.words)
    })
    .await
}
