//! What the Lambda runtime, the SDK and what they stand on have to say: level and place in the source, never their words. Those can hold what was
//! sent or stored, and nobody here reads them all at each update. Below `WARN` they are not asked at all.

use std::fmt;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

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
pub(super) struct Others;

impl<S: Subscriber> Layer<S> for Others {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let said =
            Said { level: *metadata.level(), target: metadata.target(), line: metadata.line().unwrap_or_default() };
        if !note::of_others(&said) {
            invocation::write_beside(&said);
        }
    }
}

/// Who listens to them: down to this level, but never below `WARN`.
pub(super) fn listener(level: LevelFilter) -> impl Subscriber + Send + Sync {
    let asked = filter_fn(|metadata| metadata.is_event() && metadata.target() != SAID_ALREADY);
    tracing_subscriber::registry().with(level.min(LevelFilter::WARN)).with(asked).with(Others)
}
