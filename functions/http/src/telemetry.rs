//! Logs: JSON lines on standard output. One line for each invocation, one for each failure of the vault's own (where it is handled);
//! never bodies, tokens, terms, names, or anything that was sent.

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging at the level in `RUST_LOG` (`error`, `warn`, `info`, `debug`). Other crates' lines are taken from `warn` on, since what
/// they say below that can hold what was sent.
pub fn start() {
    let level = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok()).unwrap_or(LevelFilter::INFO);
    let others = level.min(LevelFilter::WARN);
    let filter = Targets::new().with_default(others).with_target("chartseal", level);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_ansi(false);
    // Fails only where logging has been started before, which is as good.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
}
