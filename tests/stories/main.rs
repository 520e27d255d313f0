//! Stories: what people do with a deployed vault, and what others try. Each makes its own hospitals and records, so they run side by side.

mod audited;
mod authorisation;
mod day;
mod large_records;
mod lies;
mod mischief;
mod nodes;
mod official_sdk;
mod panics;
mod races;
mod refusals;
mod roles;
mod sealed;
mod silence;
mod storm;
mod uploads;
mod uploads_in_parts;
mod witnessed;
mod workflow;
