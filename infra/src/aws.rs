//! The ports on AWS. Each struct needs the rights of one kind of function, so that a function wires what its role may do and nothing else.

mod config;
#[cfg(any(feature = "dynamodb", feature = "kms", feature = "s3", feature = "sfn"))]
mod counted;
#[cfg(feature = "dynamodb")]
mod dynamo;
mod failure;
#[cfg(feature = "inventory")]
mod inventory;
#[cfg(feature = "kms")]
mod kms;
#[cfg(feature = "s3")]
mod log_files;
#[cfg(feature = "s3")]
mod s3;
#[cfg(any(feature = "dynamodb", feature = "kms"))]
mod service_time;
#[cfg(feature = "sfn")]
mod sfn;

use std::time::{SystemTime, UNIX_EPOCH};

pub use aws_config::SdkConfig;
pub use config::{config, config_for};
#[cfg(feature = "dynamodb")]
pub use dynamo::{DynamoStore, Tables};
pub use failure::ServiceFailure;
#[cfg(feature = "inventory")]
pub use inventory::{
    Bucket, Inventory, Object, ObjectVersion, Place, Position, Raw, RawItem, StoreNames, UnfinishedUpload,
    VersionPosition,
};
#[cfg(all(feature = "kms", feature = "dynamodb"))]
pub use kms::KmsSearchKeys;
#[cfg(feature = "kms")]
pub use kms::{KmsClockKey, KmsDataKeyOpener, KmsDataKeys, KmsLogKey, KmsLogSigner};
#[cfg(feature = "s3")]
pub use log_files::S3LogFiles;
#[cfg(feature = "s3")]
pub use s3::S3Blobs;
#[cfg(feature = "sfn")]
pub use sfn::SfnWorkflow;

use crate::ports::Clock;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }
}
