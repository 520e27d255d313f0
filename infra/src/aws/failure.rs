//! What a service said, for the log: its code and message, never the request or the response, which carry private values.

use std::error::Error;
use std::fmt::Write as _;

use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::ports::StoreError;

/// Why a service did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceFailure {
    /// The service's error code; `NoAnswer` where none came.
    pub code: String,
    /// Its message, or what went wrong on the way.
    pub message: String,
}

/// The code of failures that are not a service's answer.
const NO_ANSWER: &str = "NoAnswer";

/// An SDK's error as ours.
pub(super) fn unavailable(service: &'static str, error: &(impl ProvideErrorMetadata + Error)) -> StoreError {
    let failure = match error.code() {
        Some(code) => ServiceFailure { code: code.to_owned(), message: error.message().unwrap_or_default().to_owned() },
        None => ServiceFailure { code: NO_ANSWER.to_owned(), message: chain(error) },
    };
    StoreError::Unavailable { service, source: Box::new(failure) }
}

/// Something of ours that is not wired, or an answer without what it must hold.
pub(super) fn unusable(service: &'static str, message: impl Into<String>) -> StoreError {
    let failure = ServiceFailure { code: "Unusable".to_owned(), message: message.into() };
    StoreError::Unavailable { service, source: Box::new(failure) }
}

/// The messages of an error and its causes. Their Debug would show whole responses.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
