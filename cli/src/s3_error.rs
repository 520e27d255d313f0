//! What S3 says when it refuses: the error document, as far as it tells an address whose time is over from a body that was damaged.
//!
//! In scope: its `Code`, and one message. Not in scope: what is done about it, and everything else in the document.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use std::io::Read;

/// What is read of a document. The code comes first; a token that has expired is quoted after it, and may be long.
const MAX_DOCUMENT_BYTES: u64 = 8 * 1024;

/// Whether a refusal says that the address's time is over: the address's own, or that of the credentials that signed it. A document that cannot be
/// read to its end is as good as what came of it.
pub(crate) fn says_expired(document: impl Read) -> bool {
    let mut start = Vec::new();
    let _ = document.take(MAX_DOCUMENT_BYTES).read_to_end(&mut start);
    let start = String::from_utf8_lossy(&start);
    match element(&start, "<Code>", "</Code>") {
        Some("ExpiredToken" | "TokenRefreshRequired" | "RequestTimeTooSkewed") => true,
        // Also what is said where a policy forbids it.
        Some("AccessDenied") => element(&start, "<Message>", "</Message>") == Some("Request has expired"),
        _ => false,
    }
}

/// The text of the first such element.
fn element<'a>(document: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (text, _) = document.split_once(open)?.1.split_once(close)?;
    Some(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(code: &str, message: &str) -> bool {
        let document = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        );
        says_expired(document.as_bytes())
    }

    #[test]
    fn only_a_time_that_is_over_is_one() {
        assert!(says("ExpiredToken", "The provided token has expired."));
        assert!(says("TokenRefreshRequired", "The provided token must be refreshed."));
        assert!(says(
            "RequestTimeTooSkewed",
            "The difference between the request time and the server's time is too large."
        ));
        assert!(says("AccessDenied", "Request has expired"));
        assert!(!says("AccessDenied", "Access Denied"));
        for code in ["BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "SignatureDoesNotMatch", ""] {
            assert!(!says(code, "Request has expired"), "{code}");
        }
    }

    #[test]
    fn anything_may_come() {
        for other in
            ["", "refused", "<Code>", "<Code>ExpiredToken", "</Code><Code>", "<Message>Request has expired</Message>"]
        {
            assert!(!says_expired(other.as_bytes()), "{other}");
        }
        assert!(!says_expired(&b"\xff<Code>\xff</Code>"[..]));
        assert!(says_expired(&b"\xff<Code>ExpiredToken</Code>\xff"[..]));
        // Its end is never asked for.
        assert!(says_expired((&b"<Code>ExpiredToken</Code>"[..]).chain(std::io::repeat(b' '))));
        assert!(!says_expired(std::io::repeat(b'<')));
    }
}
