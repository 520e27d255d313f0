//! The tasks of the approval workflow (`infra/workflows/approval.asl.json`). The workflow only reminds: what it hears is what the request's stream
//! says, and what it asks for is decided there. Each task can be run any number of times.
#![forbid(unsafe_code)]

use chartseal_events::id::Kid;
use chartseal_events::state::{Request, RequestState};
use chartseal_events::{Code, Id, Observation, StreamId};
use chartseal_infra::ports::{Clock, EventStore, WorkList, Workflow};
use chartseal_infra::road::observe;
use chartseal_infra::telemetry::{fields, note};
use chartseal_reactions::{Failure, look, tell_waiting};
use serde::Deserialize;
use serde_json::{Value, json};

/// What the workflow asks for.
#[derive(Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Task {
    /// Look whether the requester is registered, verified, and has a live wallet.
    Verify {
        /// The request.
        request: Id,
        /// What the command is called in logs that made it.
        #[serde(default)]
        trace: Option<Id>,
    },
    /// Keep the task token that the workflow waits with.
    Await {
        /// The request.
        request: Id,
        /// What the command is called in logs that made it.
        #[serde(default)]
        trace: Option<Id>,
        /// Step Functions' task token: whoever has it can answer for the request, so it is never logged.
        token: String,
        /// When the workflow came to this state, RFC 3339; empty from workflows that began before this was said.
        #[serde(default)]
        entered: String,
        /// How often this task was tried before: each attempt has a token of its own.
        #[serde(default)]
        retries: u32,
    },
    /// The wait is over: end what is due.
    WaitOver {
        /// The request.
        request: Id,
        /// What the command is called in logs that made it.
        #[serde(default)]
        trace: Option<Id>,
    },
}

impl Task {
    const fn name(&self) -> &'static str {
        match self {
            Self::Verify { .. } => "verify",
            Self::Await { .. } => "await",
            Self::WaitOver { .. } => "wait-over",
        }
    }

    const fn request(&self) -> (Id, Option<Id>) {
        match self {
            Self::Verify { request, trace }
            | Self::Await { request, trace, .. }
            | Self::WaitOver { request, trace } => (*request, *trace),
        }
    }
}

/// What tasks work on.
#[derive(Debug)]
pub struct Tasks<'a, E, W, F, C> {
    /// The streams.
    pub events: &'a E,
    /// The work lists.
    pub work: &'a W,
    /// The approval workflow.
    pub workflow: &'a F,
    /// The time.
    pub clock: &'a C,
}

impl<E: EventStore, W: WorkList, F: Workflow, C: Clock> Tasks<'_, E, W, F, C> {
    /// Does a task; gives its result.
    pub async fn handle(&self, task: &Task) -> Result<Value, Failure> {
        let (request, trace) = task.request();
        note::set(&fields::OPERATION, task.name());
        note::set(&fields::ACCESS_REQUEST, request.to_string());
        // The stream says it, too; but a task can fail before it is read.
        if let Some(trace) = trace {
            note::trace(trace);
        }
        match task {
            Task::Verify { .. } => self.verify(request).await,
            Task::Await { token, entered, retries, .. } => {
                // Sorts as the attempts follow each other.
                self.wait(request, token, &format!("{entered}#{retries:05}")).await
            }
            Task::WaitOver { .. } => self.wait_over(request).await,
        }
    }

    async fn verify(&self, id: Id) -> Result<Value, Failure> {
        let mut request = self.request(id).await?;
        if let (RequestState::Requested, Kid::Person(person)) = (request.state, request.by) {
            let checked = Observation::RequesterChecked { request: id, requester: request.asked.requester, person };
            match observe(self.events, self.clock, &checked).await {
                Ok(taken) => request = taken.view.request(id).cloned().ok_or(Code::NotFound)?,
                // Verified by another run, or decided, in between.
                Err(Failure::Refused(refusal)) if refusal.code == Code::AlreadyDecided => {
                    request = self.request(id).await?;
                }
                Err(error) => return Err(error),
            }
        }
        let refused = matches!(request.state, RequestState::Requested | RequestState::Denied | RequestState::Undecided);
        Ok(json!({"verified": !refused}))
    }

    async fn wait(&self, id: Id, token: &str, attempt: &str) -> Result<Value, Failure> {
        self.request(id).await?;
        self.work.put_task_token(id, token, attempt).await?;
        // A decision that was appended before the token was kept found nobody to tell.
        tell_waiting(self.events, self.workflow, id, token).await?;
        Ok(json!({}))
    }

    async fn wait_over(&self, id: Id) -> Result<Value, Failure> {
        match observe(self.events, self.clock, &Observation::DeadlineReached { request: id }).await {
            Ok(_) => Ok(json!({})),
            // Ended already; or not due by this clock, and then the sweeper ends it when it is.
            Err(Failure::Refused(refusal)) if matches!(refusal.code, Code::AlreadyDecided | Code::NotApproved) => {
                Ok(json!({}))
            }
            Err(error) => Err(error),
        }
    }

    async fn request(&self, id: Id) -> Result<Request, Failure> {
        let view = look(self.events, StreamId::Request(id)).await?;
        Ok(view.request(id).cloned().ok_or(Code::NotFound)?)
    }
}
