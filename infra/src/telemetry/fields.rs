//! Every field that a line can have, and every metric: a field with a unit is a metric of the same name.
//!
//! What a dimension can say is bounded: vaults, functions, routes and tasks, codes. Ids are never one.

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A word of ours, from a closed set.
    Word,
    /// An id, a place, or what a service said of itself.
    Text,
    /// A number.
    Number,
    /// True or false.
    Flag,
    /// Texts, at most [`super::MAX_LISTED`].
    List,
    /// What failed: objects of `place`, `trace`, `error`.
    Failures,
}

/// The unit of a metric, by CloudWatch's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// A time.
    Milliseconds,
}

impl Unit {
    /// CloudWatch's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// A metric: what it is counted in, and for each of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The unit.
    pub unit: Unit,
    /// The sets of fields that it is kept by.
    pub by: &'static [&'static [&'static str]],
}

/// A field of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in the line.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// What it says.
    pub says: &'static str,
    /// Where it is a metric.
    pub metric: Option<Metric>,
}

/// CloudWatch's namespace.
pub const NAMESPACE: &str = "chartseal";

const BY_VAULT: &[&str] = &["vault"];
const BY_FUNCTION: &[&str] = &["vault", "function"];
const BY_OPERATION: &[&str] = &["vault", "function", "operation"];
const BY_CODE: &[&str] = &["vault", "function", "code"];

macro_rules! fields {
    ($($name:ident = $text:literal, $holds:ident, $says:literal $(, $unit:ident by [$($by:ident),+])?;)+) => {
        $(
            #[doc = $says]
            pub const $name: Field = Field {
                name: $text,
                holds: Holds::$holds,
                says: $says,
                metric: fields!(@metric $($unit by [$($by),+])?),
            };
        )+
        /// All of them, in the order in which docs/LOGGING.md has them.
        pub const FIELDS: &[Field] = &[$($name),+];
    };
    (@metric) => { None };
    (@metric $unit:ident by [$($by:ident),+]) => { Some(Metric { unit: Unit::$unit, by: &[$($by),+] }) };
}

fields! {
    // Every line.
    TIMESTAMP = "timestamp", Text, "when the line was written: RFC 3339, UTC, milliseconds";
    LEVEL = "level", Word, "`INFO`; `WARN` where the runtime or the SDK had something to say; `ERROR` where the vault failed";
    MESSAGE = "message", Word, "`invocation`; `process` for what belongs to none";
    VAULT = "vault", Text, "the vault's origin";
    FUNCTION = "function", Word, "the function, by its name in docs/ARCHITECTURE.md";
    VERSION = "version", Word, "the version of the code";
    OPERATION = "operation", Word, "the route's pattern with its method, the workflow's task, or what woke the function; `none` for what is no route";
    OUTCOME = "outcome", Word, "`ok`, `refused`, `failed`, `timed-out`, `panicked`";
    DURATION_MS = "duration_ms", Number, "how long it took", Milliseconds by [BY_OPERATION];
    COLD_START = "cold_start", Flag, "whether it was the process's first invocation";

    // Which one.
    REQUEST_ID = "request.id", Text, "Lambda's id of the invocation";
    API_REQUEST_ID = "api.request_id", Text, "API Gateway's id of the call: `request_id` of a problem, and of the access log";
    TRACE = "trace", Text, "what the command is called that this is about (`Command::trace`)";
    TRACES = "traces", List, "the same, where it was about several";
    TRACES_MORE = "traces.more", Number, "how many more there were than are listed";
    XRAY_ROOT = "xray.root", Text, "the root of X-Ray's trace";
    EVENTS_SEEN = "events.seen", List, "places of the events that woke the function";
    EVENTS_SEEN_MORE = "events.seen.more", Number, "how many more there were than are listed";
    EVENTS_WRITTEN = "events.written", List, "places of the events that were appended";
    EVENTS_WRITTEN_MORE = "events.written.more", Number, "how many more there were than are listed";
    UPLOAD_KEY = "upload.key", Text, "the object's key: ids and numbers";
    ACCESS_REQUEST = "access.request", Text, "the access request that a workflow's task is about";

    // What became of it.
    STATUS = "http.status", Number, "the status of the answer";
    CODE = "code", Word, "the problem's code (docs/ERRORS.md)";
    FAULT = "fault", Word, "the member at fault, by its documented name";
    ERROR = "error", Text, "what failed, in the words of the code; of a service its code and, where that is known to hold nothing that was sent, its words";
    PANIC_AT = "panic.at", Text, "where in the source";
    FAILURES = "failures", Failures, "of several things those that failed: each with its place, its trace where it is known, and the error; at most 20";
    RUNTIME = "runtime", List, "places in the source of the runtime and the SDK that had something to say";
    UPLOAD_SETTLED = "upload.settled", Word, "what became of the object: `uploaded`, `already-uploaded`, `upload-mismatch`, `not-ours`, ...";

    // Counts.
    REFUSED = "refused", Number, "1 where the caller was refused", Count by [BY_CODE];
    FAILED = "failed", Number, "1 where the vault failed: 5xx, time over, panic, or something in a batch or a sweep", Count by [BY_VAULT, BY_FUNCTION];
    REPEATED = "repeated", Number, "commands and observations that had been taken before", Count by [BY_FUNCTION];
    CONFLICTS = "conflicts", Number, "races that were lost, and run again", Count by [BY_FUNCTION];
    EVENTS_APPENDED = "events.appended", Number, "events that were appended", Count by [BY_FUNCTION];
    AWS_CALLS = "aws.calls", Number, "calls to AWS", Count by [BY_FUNCTION];
    AWS_RETRIES = "aws.retries", Number, "attempts beyond the first of each call", Count by [BY_FUNCTION];
    TOKENS_EVALUATED = "tokens.evaluated", Number, "search terms that were evaluated blindly", Count by [BY_VAULT];
    BATCH_RECORDS = "batch.records", Number, "records of the stream in the batch", Count by [BY_VAULT];
    BATCH_FAILED = "batch.failed", Number, "those that are to be delivered again", Count by [BY_VAULT];
    BATCH_NOWHERE = "batch.nowhere", Number, "those that name no event, or one that is not there";
    STREAM_LAG_MS = "stream.lag_ms", Number, "how old the oldest event of the batch was when it was reacted to", Milliseconds by [BY_VAULT];
    SWEEP_HEALED = "sweep.healed", Number, "events that the sweeper reacted to once more", Count by [BY_VAULT];
    SWEEP_ENDED = "sweep.ended", Number, "due items that it dealt with", Count by [BY_VAULT];
    SWEEP_FAILED = "sweep.failed", Number, "items that failed; they are tried again", Count by [BY_VAULT];
    SWEEP_BEHIND_MS = "sweep.behind_ms", Number, "how far behind the sweeper's cursor was", Milliseconds by [BY_VAULT];
    SWEEP_OLDEST_DUE_MS = "sweep.oldest_due_ms", Number, "for how long the oldest item had been due", Milliseconds by [BY_VAULT];
    SEAL_EVENTS = "seal.events", Number, "events that were sealed", Count by [BY_VAULT];
    SEAL_BLOCKS = "seal.blocks", Number, "blocks that were sealed", Count by [BY_VAULT];
    SEAL_HEIGHT = "seal.height", Number, "the height of the newest of them";
    SEAL_HEALED = "seal.healed", Number, "blocks whose checkpoint nobody had published", Count by [BY_VAULT];
    SEAL_BROKEN = "seal.broken", Number, "streams that cannot be sealed on", Count by [BY_VAULT];
    SEAL_WAITING = "seal.waiting", Number, "streams that wait for one of those", Count by [BY_VAULT];
    SEAL_OLDEST_MS = "seal.oldest_ms", Number, "how old the oldest event was when it was sealed", Milliseconds by [BY_VAULT];
    SEAL_BEHIND_MS = "seal.behind_ms", Number, "how far behind the sealer's watermark was", Milliseconds by [BY_VAULT];
    COSIGN_WITNESSES = "cosign.witnesses", Number, "witnesses that have cosigned the newest checkpoint", Count by [BY_VAULT];
    COSIGN_FAILED = "cosign.failed", Number, "witnesses that were asked, and have not", Count by [BY_VAULT];
    COSIGN_WITHOUT_QUORUM = "cosign.without_quorum", Number, "1 where too few have, 0 where enough have", Count by [BY_VAULT];
    UPLOADS_FOUND = "uploads.found", Number, "uploads that were recorded; by the sweeper: those of which nobody had told the vault", Count by [BY_FUNCTION];
    UPLOADS_EXPIRED = "uploads.expired", Number, "announcements that were given up", Count by [BY_FUNCTION];
    UPLOADS_MISMATCHED = "uploads.mismatched", Number, "objects that are not what was announced", Count by [BY_VAULT];
    UPLOADS_ABORTED = "uploads.aborted", Number, "unfinished uploads in parts that were aborted", Count by [BY_VAULT];
    ORPHANS_REMOVED = "orphans.removed", Number, "objects that nobody waited for, deleted", Count by [BY_VAULT];
}

/// The member that tells CloudWatch which fields are metrics.
pub const METADATA: &str = "_aws";

/// The members of a failure.
pub const FAILURE_MEMBERS: [&str; 3] = ["place", "trace", "error"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_logging_has_this_table() {
        let row = |field: &Field| {
            let sets =
                |by: &[&[&str]]| by.iter().map(|set| format!("by {}", set.join(", "))).collect::<Vec<_>>().join("; ");
            let metric = field.metric.map(|Metric { unit, by }| format!("{} {}", unit.name(), sets(by)));
            format!("| `{}` | {} | {} |", field.name, field.says, metric.unwrap_or_default())
        };
        let wanted: Vec<_> = FIELDS.iter().map(row).collect();
        let document = include_str!("../../../docs/LOGGING.md");
        let found: Vec<_> = document.lines().filter(|line| line.starts_with("| `")).collect();
        assert!(found == wanted, "docs/LOGGING.md needs this table:\n{}", wanted.join("\n"));
    }

    #[test]
    fn names_are_distinct_and_dimensions_are_fields_with_few_values() {
        let mut names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for field in FIELDS {
            let Some(metric) = field.metric else { continue };
            assert_eq!(field.holds, Holds::Number, "{}", field.name);
            assert_eq!(field.name.ends_with("_ms"), metric.unit == Unit::Milliseconds, "{}", field.name);
            for dimension in metric.by.iter().copied().flatten() {
                assert!(["vault", "function", "operation", "code"].contains(dimension), "{dimension}");
                assert!(names.contains(dimension), "{dimension}");
            }
        }
    }
}
