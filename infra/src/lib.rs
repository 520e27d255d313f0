//! The only room that knows AWS: the event store, the key tables, the index and the work lists on DynamoDB, blobs on S3, keys in KMS,
//! the approval workflow in Step Functions. [`ports`] says what the vault needs of each; [`memory`] has their twins, [`faulty`] the twins that fail;
//! `aws` the real ones; [`road`] the one road from a command to its events; [`head`] the published log, for whoever makes proofs; [`telemetry`] what is said of all this in the log.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "aws")]
pub mod aws;
mod blob_key;
pub mod clocks;
pub mod faulty;
pub mod head;
pub mod layout;
pub mod memory;
pub mod ports;
pub mod road;
pub mod telemetry;
pub mod witnesses;

pub use blob_key::BlobKey;
