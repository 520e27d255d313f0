//! A call as a function sees it, whatever brought it.

use std::collections::BTreeMap;
use std::fmt;

/// An HTTP call.
#[derive(Clone, Default)]
pub struct Incoming {
    /// The method, upper case.
    pub method: String,
    /// The path as the function sees it, without a query: what a read token's `htu` says.
    pub path: String,
    /// The query's parameters; of one that stands twice, the first.
    pub query: BTreeMap<String, String>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// Names this call in logs and problems.
    pub request_id: String,
}

/// Shows the method alone: bodies and tokens are nobody's business, and a path can hold anything.
impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}
