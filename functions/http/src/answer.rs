//! What a function answers: a status and one JSON document.

use chartseal_events::Code;
use chartseal_infra::road::Taken;
use serde::Serialize;

use crate::Failure;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The document.
    pub json: String,
    /// Of a problem, its code.
    pub problem: Option<Code>,
}

impl Answer {
    /// 200 with a document.
    pub fn ok(document: &impl Serialize) -> Result<Self, Failure> {
        Self::with(200, document)
    }

    /// 201 for a command that led to a new event, 200 for one that had been taken before; the document is the same.
    pub fn taken(taken: &Taken, document: &impl Serialize) -> Result<Self, Failure> {
        Self::with(if taken.repeated { 200 } else { 201 }, document)
    }

    fn with(status: u16, document: &impl Serialize) -> Result<Self, Failure> {
        let json = serde_json::to_string(document).map_err(|_| Code::Internal)?;
        Ok(Self { status, json, problem: None })
    }

    /// The media type of the document.
    pub const fn media_type(&self) -> &'static str {
        if self.problem.is_some() { "application/problem+json" } else { "application/json" }
    }
}
