//! What a service said, for the log: its code, never the request or the response, which carry private values. Its message only with codes whose
//! messages name resources and rights; others quote what was sent (a validation error shows the value that it does not like).

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

/// Codes whose messages hold nothing that was sent but names of resources and roles.
const TELLING: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "ConditionalCheckFailedException",
    "DisabledException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InternalFailure",
    "InternalServerError",
    "KMSInvalidStateException",
    "NoSuchBucket",
    "NotFoundException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ResourceNotFoundException",
    "ServiceUnavailable",
    "SlowDown",
    "StateMachineDoesNotExist",
    "ThrottlingException",
    "TransactionCanceledException",
    "TransactionConflictException",
    "UnrecognizedClientException",
];

/// The code of failures that are not a service's answer.
const NO_ANSWER: &str = "NoAnswer";

impl ServiceFailure {
    fn answered(code: &str, message: Option<&str>) -> Self {
        let message = message.filter(|_| TELLING.contains(&code)).unwrap_or("the service's words are not kept");
        Self { code: code.to_owned(), message: message.to_owned() }
    }
}

/// An SDK's error as ours.
pub(super) fn unavailable(service: &'static str, error: &(impl ProvideErrorMetadata + Error)) -> StoreError {
    let failure = match error.code() {
        Some(code) => ServiceFailure::answered(code, error.message()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_can_quote_what_was_sent_is_not_kept() {
        let quoting =
            "1 validation error detected: Value 'AQCEAAAAKgAAAAMAAAAA' at 'taskToken' failed to satisfy constraint";
        for code in ["ValidationException", "InvalidToken", "SerializationException", "SomethingNew"] {
            assert!(!ServiceFailure::answered(code, Some(quoting)).to_string().contains("AQCE"), "{code}");
        }
        let denied = "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: dynamodb:PutItem";
        assert!(ServiceFailure::answered("AccessDeniedException", Some(denied)).to_string().contains("PutItem"));
    }
}
