//! The envelope against other implementations of its format: they open our messages, we open theirs.
//!
//! In scope: the official AWS Encryption SDKs for Python, JavaScript and Rust, each a program in a folder beside `src/` that answers requests, and our own
//! second reader, TypeScript on WebCrypto (`portal/envelope/`). They are installed or built on demand into `.local/` and the target folder; where
//! that is impossible a test fails, it never skips. Not in scope: frozen vectors (`chartseal-envelope`'s own tests, and the portal's).
//!
//! No KMS takes part: data keys are wrapped under a raw AES-256 key, which all three SDKs know.
#![forbid(unsafe_code)]

pub mod bench;
mod error;
pub mod exchange;
mod oracle;
mod party;

pub use error::Error;
pub use oracle::Oracle;
pub use party::{Party, python_with_sdk};
