//! What the Lambda runtime, the SDK and what they stand on have to say: level and place in the source, never their words. Those can hold what was
//! sent or stored, and nobody here reads them all at each update. Below `WARN` they are not asked at all.

use std::fmt;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::{invocation, note};

/// Something that somebody else had to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) level: Level,
    target: &'static str,
    line: u32,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", self.level, self.target, self.line)
    }
}

/// Where the runtime says once more that an invocation failed, of which its line has told.
const SAID_ALREADY: &str = "lambda_runtime::layers::panic";

/// Takes events of every crate, and no spans.
pub(super) struct Others {
    most: LevelFilter,
}

impl Others {
    /// Down to this level, but never below `WARN`.
    pub(super) fn down_to(level: LevelFilter) -> Self {
        Self { most: level.min(LevelFilter::WARN) }
    }
}

impl Subscriber for Others {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.most && metadata.target() != SAID_ALREADY
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let said =
            Said { level: *metadata.level(), target: metadata.target(), line: metadata.line().unwrap_or_default() };
        if !note::of_others(&said) {
            invocation::write_beside(&said);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
