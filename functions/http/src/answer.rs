//! What a function answers: a status and one JSON document, or a file of the ledger.

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
    /// In the document's place.
    pub file: Option<File>,
    /// How long others may keep it.
    pub cache: Cache,
}

/// What is answered in place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// UTF-8.
    Text(String),
    /// Anything.
    Bytes(Vec<u8>),
}

/// How long caches on the way may keep an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cache {
    /// Not at all: it is for its caller, and for now.
    #[default]
    Never,
    /// For so many seconds, and for everybody.
    Seconds(u32),
    /// It is public and never changes.
    Forever,
}

impl Cache {
    /// The value of `cache-control` (RFC 9111, RFC 8246).
    pub fn control(self) -> String {
        match self {
            Self::Never => "no-store".to_owned(),
            Self::Seconds(seconds) => format!("public, max-age={seconds}"),
            Self::Forever => "public, max-age=31536000, immutable".to_owned(),
        }
    }
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
        Ok(Self { status, json, problem: None, file: None, cache: Cache::Never })
    }

    /// 200 with a text.
    pub const fn text(text: String) -> Self {
        Self::file(File::Text(text))
    }

    /// 200 with bytes.
    pub const fn bytes(bytes: Vec<u8>) -> Self {
        Self::file(File::Bytes(bytes))
    }

    const fn file(file: File) -> Self {
        Self { status: 200, json: String::new(), problem: None, file: Some(file), cache: Cache::Never }
    }

    /// The same, to be kept by others for so long.
    #[must_use]
    pub fn cached(self, cache: Cache) -> Self {
        Self { cache, ..self }
    }

    /// The media type.
    pub const fn media_type(&self) -> &'static str {
        match (&self.file, self.problem) {
            (Some(File::Text(_)), _) => "text/plain; charset=utf-8",
            (Some(File::Bytes(_)), _) => "application/octet-stream",
            (None, Some(_)) => "application/problem+json",
            (None, None) => "application/json",
        }
    }
}
