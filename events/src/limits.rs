//! Every bound on what comes in from outside, in one place. Sizes are in bytes unless the name says otherwise.

/// Longest compact JWS of a command.
pub const MAX_JWS_BYTES: usize = 16 * 1024;
/// Longest HTTP request body. API Gateway itself allows 10 MB, Lambda 6 MB.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Longest body of one event.
pub const MAX_EVENT_BYTES: usize = 32 * 1024;
/// Most private fields of one command.
pub const MAX_PRIVATE_FIELDS: usize = 16;
/// How far a command's or token's `iat` may be from the server's clock.
pub const MAX_CLOCK_SKEW_MS: u64 = 120_000;
/// Longest life of a read token.
pub const MAX_TOKEN_LIFE_S: u64 = 60;
/// Longest time an invitation stays open: 30 days.
pub const MAX_INVITATION_MS: u64 = 30 * 24 * 3_600_000;
/// Longest grant: 300 days, so that grant and decision fit into one year of a Step Functions execution.
pub const MAX_GRANT_S: u64 = 300 * 24 * 3_600;
/// Shortest grant.
pub const MIN_GRANT_S: u64 = 60;
/// Longest time operators may take to decide: 30 days.
pub const MAX_DECISION_MS: u64 = 30 * 24 * 3_600_000;
/// Longest time an announced upload stays open: one day.
pub const MAX_UPLOAD_WINDOW_MS: u64 = 24 * 3_600_000;
/// Most versions of a record.
pub const MAX_VERSIONS: u32 = 1_000;
/// Most announcements (encryption runs) for one version.
pub const MAX_ANNOUNCEMENTS: usize = 16;
/// Most blind tokens of one announcement.
pub const MAX_TOKENS: usize = 32;
/// Smallest frame of an encrypted record.
pub const MIN_FRAME_BYTES: u32 = 64 * 1024;
/// Largest frame of an encrypted record.
pub const MAX_FRAME_BYTES: u32 = 1024 * 1024;
/// Bytes of every part of an upload but the last, and the largest body that one presigned PUT takes: 64 MiB.
pub const PART_BYTES: u64 = 64 * 1024 * 1024;
/// Most parts of an upload; S3 takes no more.
pub const MAX_PARTS: u32 = 10_000;
/// Largest encrypted body of a record: 625 GiB.
pub const MAX_RECORD_BODY_BYTES: u64 = PART_BYTES * MAX_PARTS as u64;
/// Most parts that one call asks addresses for.
pub const MAX_PARTS_ASKED: usize = 100;
/// Longest upload id; S3's have about 130 characters.
pub const MAX_UPLOAD_ID_BYTES: usize = 1024;
/// Longest media type (RFC 6838 allows 127 + 1 + 127).
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;
/// Most operators of a vault.
pub const MAX_OPERATORS: usize = 64;
/// Most auditors of a vault at a time.
pub const MAX_AUDITORS: usize = 64;
