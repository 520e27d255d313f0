//! The frame of an invocation: begins its line, lets it end before Lambda ends the process, and writes the line, whatever happened.

use std::cell::RefCell;
use std::future::Future;
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chartseal_events::stream::day_of;
use serde_json::Value;
use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::fields::{self, Field};
use super::line::Line;
use super::metrics;
use super::note::{self, CURRENT};
use super::others::{self, Said};

/// What an invocation leaves of its time for its line and its answer.
const MARGIN: Duration = Duration::from_millis(250);
/// Longest id that is taken from Lambda or API Gateway.
const MAX_ID_BYTES: usize = 64;

/// What is the same in every line of a process.
struct Process {
    function: &'static str,
    vault: String,
    cold: AtomicBool,
}

static PROCESS: OnceLock<Process> = OnceLock::new();

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it was to do.
    Ok,
    /// The caller was refused.
    Refused,
    /// The vault failed, or something in a batch or a sweep did.
    Failed,
    /// Its time was over.
    TimedOut,
    /// It panicked, and the process ended.
    Panicked,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Panicked => "panicked",
        }
    }
}

/// An invocation's time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the function's time is over")]
pub struct TimeIsUp;

/// What Lambda says of an invocation.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// Its id.
    pub request_id: String,
    /// X-Ray's header.
    pub xray: Option<String>,
    /// When the process is ended, Unix milliseconds; a time that is over where nobody says so.
    pub deadline_ms: u64,
}

impl Arrival {
    fn line(&self, cold: bool) -> Line {
        let mut line = Line::begin();
        if is_id(&self.request_id) {
            line.set(&fields::REQUEST_ID, self.request_id.as_str().into());
        }
        if let Some(root) = self.xray.as_deref().and_then(xray_root) {
            line.set(&fields::XRAY_ROOT, root.into());
        }
        line.set(&fields::COLD_START, cold.into());
        line
    }

    fn left(&self) -> Duration {
        match self.deadline_ms.checked_sub(now_ms()) {
            Some(left_ms) => Duration::from_millis(left_ms).saturating_sub(MARGIN),
            // Lambda gives an invocation some time. `cargo lambda watch` says how long instead of until when, which is a time in 1970.
            None => Duration::MAX,
        }
    }
}

/// Whether a text is an id as Lambda and API Gateway make them: short, and with no room for anything else.
pub(super) fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=+/".contains(&byte);
    (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(is_plain)
}

/// `Root=1-8 hex-24 hex` of X-Ray's header.
fn xray_root(header: &str) -> Option<&str> {
    let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
    let lengths = [1, 8, 24];
    let mut parts = root.split('-');
    let is_hex = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let sound = lengths.into_iter().all(|length| parts.next().is_some_and(|part| is_hex(part, length)));
    (sound && parts.next().is_none()).then_some(root)
}

/// Begins a process: says which function it is, takes what others have to say, and sees to it that a panic leaves a line and not its words.
///
/// `RUST_LOG` (`error` or `warn`; whatever else is `warn`) is for the others alone: an invocation's line is always written.
pub fn start(function: &'static str) {
    let vault = std::env::var("ORIGIN").unwrap_or_default();
    let _ = PROCESS.set(Process { function, vault, cold: AtomicBool::new(true) });
    let level = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok()).unwrap_or(LevelFilter::WARN);
    // Fails only where somebody listens already, which is as good.
    let _ = tracing::subscriber::set_global_default(others::listener(level));
    std::panic::set_hook(Box::new(panicked));
}

/// What an invocation does. Boxed, because its type is as deep as everything that it does, and the frames around it would copy it.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs an invocation, and writes its line.
pub async fn invocation<T>(arrival: Arrival, work: Work<'_, T>) -> Result<T, TimeIsUp> {
    let (done, line) = run(&arrival, work).await;
    write(&line);
    done
}

/// Runs an invocation, and gives its line instead of writing it: for tests.
///
/// # Panics
///
/// Never: without a deadline, time is never over.
pub async fn recorded<T>(work: impl Future<Output = T> + Send) -> (T, Line) {
    let (done, line) = run(&Arrival::default(), Box::pin(work)).await;
    // Unwrap safety: without a deadline, time is never over.
    (done.expect("there is time without end"), line)
}

async fn run<T>(arrival: &Arrival, work: Work<'_, T>) -> (Result<T, TimeIsUp>, Line) {
    let cold = PROCESS.get().is_some_and(|process| process.cold.swap(false, Ordering::Relaxed));
    let framed = async {
        let done = tokio::time::timeout(arrival.left(), work).await.map_err(|_| TimeIsUp);
        if let Err(error) = &done {
            note::failed(None, error);
        }
        (done, CURRENT.with(RefCell::take))
    };
    let (done, mut line) = CURRENT.scope(RefCell::new(arrival.line(cold)), framed).await;
    finish(&mut line, done.is_err().then_some(Outcome::TimedOut));
    (done, line)
}

/// Fills in what every line has.
fn finish(line: &mut Line, outcome: Option<Outcome>) {
    let outcome = match outcome {
        Some(outcome) => outcome,
        None if line.number(&fields::FAILED) > 0 => Outcome::Failed,
        None if line.number(&fields::REFUSED) > 0 => Outcome::Refused,
        None => Outcome::Ok,
    };
    let level = match outcome {
        Outcome::Ok | Outcome::Refused if line.get(&fields::RUNTIME).is_some() => Level::WARN,
        Outcome::Ok | Outcome::Refused => Level::INFO,
        Outcome::Failed | Outcome::TimedOut | Outcome::Panicked => Level::ERROR,
    };
    line.close();
    if line.get(&fields::OPERATION).is_none() {
        line.set(&fields::OPERATION, "none".into());
    }
    if let Some(started) = line.started {
        // Tenths: a function takes few milliseconds.
        let tenths = (started.elapsed().as_secs_f64() * 10_000.0).round();
        line.set(&fields::DURATION_MS, (tenths / 10.0).into());
    }
    line.set(&fields::OUTCOME, outcome.name().into());
    frame(line, "invocation", level);
}

fn frame(line: &mut Line, message: &'static str, level: Level) {
    let now_ms = now_ms();
    let (function, vault) = PROCESS.get().map_or(("none", "none"), |process| (process.function, &process.vault));
    let members: [(&Field, Value); 6] = [
        (&fields::TIMESTAMP, rfc3339(now_ms).into()),
        (&fields::LEVEL, level.as_str().into()),
        (&fields::MESSAGE, message.into()),
        (&fields::VAULT, vault.into()),
        (&fields::FUNCTION, function.into()),
        (&fields::VERSION, env!("CARGO_PKG_VERSION").into()),
    ];
    for (field, value) in members {
        line.set(field, value);
    }
    metrics::embed(line.members_mut(), now_ms);
}

/// A line for what others said outside of invocations.
pub(super) fn write_beside(said: &Said) {
    let mut line = Line::default();
    line.said(said.to_string());
    frame(&mut line, "process", said.level);
    write(&line);
}

/// The line of the invocation that panicked. The panic's words are nobody's business: they can hold anything.
fn panicked(info: &PanicHookInfo<'_>) {
    let current = CURRENT.try_with(|line| line.try_borrow().map(|line| line.clone()).unwrap_or_default());
    let mut line = current.unwrap_or_default();
    if let Some(at) = info.location() {
        line.set(&fields::PANIC_AT, format!("{}:{}", from_crate(at.file()), at.line()).into());
    }
    line.set(&fields::FAILED, 1.into());
    finish(&mut line, Some(Outcome::Panicked));
    write(&line);
}

/// A source file's path from its crate on, without what the machine that built it has before.
fn from_crate(file: &str) -> &str {
    let below_registry = file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    below_registry.map_or(file, |(_, rest)| rest)
}

/// In one call, so that nothing comes between. A function whose log is gone has nobody to tell.
fn write(line: &Line) {
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn rfc3339(at_ms: u64) -> String {
    let (day, ms) = (day_of(at_ms), at_ms % 86_400_000);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    let (year, month, of_month) = (day / 10_000, day / 100 % 100, day % 100);
    format!("{year:04}-{month:02}-{of_month:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_says_how_it_ended() {
        let of = |outcome: &str, level: &str, line: &Line| {
            assert_eq!(line.get(&fields::OUTCOME), Some(&outcome.into()), "{line}");
            assert_eq!(line.get(&fields::LEVEL), Some(&level.into()), "{line}");
        };
        of("ok", "INFO", &recorded(async {}).await.1);
        of("refused", "INFO", &recorded(async { note::refused(chartseal_events::Code::NotFound.into()) }).await.1);
        of("failed", "ERROR", &recorded(async { note::failed(None, &TimeIsUp) }).await.1);
        of("failed", "ERROR", &recorded(async { note::item_failed(&"here", None, &TimeIsUp) }).await.1);
        let late = Arrival { deadline_ms: now_ms() + 260, ..Arrival::default() };
        let (done, line) = run(&late, Box::pin(std::future::pending::<()>())).await;
        assert_eq!(done, Err(TimeIsUp));
        of("timed-out", "ERROR", &line);
        let without = Arrival { deadline_ms: 600_000, ..Arrival::default() };
        assert_eq!(run(&without, Box::pin(async {})).await.0, Ok(()), "a time in 1970 is no deadline");
    }

    #[tokio::test]
    async fn notes_are_taken_by_everybody_who_works_on_the_invocation() {
        let note_twice = async {
            let work = (0..3).map(|_| async { note::add(&fields::CONFLICTS, 1) });
            futures_util::future::join_all(work).await;
            note::trace(chartseal_events::Id::from_parts(1, [0; 10]));
        };
        let ((), line) = recorded(note_twice).await;
        assert_eq!(line.number(&fields::CONFLICTS), 3);
        assert!(line.get(&fields::TRACE).is_some() && line.get(&fields::TRACES).is_none());
        // Outside of an invocation nobody listens, and nothing breaks.
        note::add(&fields::CONFLICTS, 1);
    }

    #[test]
    fn what_a_client_can_choose_has_no_room() {
        assert!(is_id("JKJaXmPLvHcESHA=") && is_id("3f2c0a2e-7d4e-4a53-9a58-0f6d4b1a8c11"));
        for bad in ["", "patient 4711", "a\"b", "a\nb", "ä", &"x".repeat(65)] {
            assert!(!is_id(bad), "{bad}");
        }
        let root = "1-5759e988-bd862e3fe1be46a994272793";
        assert_eq!(xray_root(&format!("Root={root};Parent=53995c3f42cd8ad8;Sampled=1")), Some(root));
        assert_eq!(xray_root(&format!("Sampled=1; Root={root}")), Some(root));
        for bad in [
            "",
            "Root=",
            "Root=1-5759e988-patient4711",
            "Self=1-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793-x",
        ] {
            assert_eq!(xray_root(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_and_places_are_spelled_as_everywhere() {
        assert_eq!(rfc3339(951_868_799_007), "2000-02-29T23:59:59.007Z");
        assert_eq!(
            from_crate("/home/x/.cargo/registry/src/mirror-0123/tokio-1.0.0/src/lib.rs"),
            "tokio-1.0.0/src/lib.rs"
        );
        assert_eq!(from_crate("functions/http/src/serve.rs"), "functions/http/src/serve.rs");
    }
}
