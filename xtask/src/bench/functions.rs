//! What a function costs before it does anything for anybody: its size, its start, its memory, its own CPU.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use chartseal_local::{FUNCTIONS, Workspace, build, prerequisites};
use serde_json::Value;

use crate::process::{Failure, root};

use super::metric::{Metric, median};
use super::runtime_api::Function;

const BINARY_LIMIT_MB: f64 = 12.0;
const START_LIMIT_MS: f64 = 25.0;
const RESIDENT_LIMIT_MB: f64 = 20.0;
const CPU_LIMIT_MS: f64 = 1.0;

/// Starts of each function; the median counts.
const STARTS: usize = 11;

/// Invocations before CPU is measured: caches fill, allocators settle.
const WARM_UP: usize = 50;

/// Invocations that CPU is measured over.
const INVOCATIONS: u32 = 500;

/// Functions, each with an invocation of `events/samples` that it reads in full and refuses by its age, before any call to
/// AWS: routing, JSON, JWS, limits, private parts and their commitments, problem+json, log line.
const WARM: [(&str, &str); 8] = [
    ("records", "records-announce"),
    ("register", "register-invite"),
    ("request", "request-create"),
    ("decide", "decide-approve"),
    ("issue-key", "issue-key-requester"),
    ("download", "download"),
    ("tokens", "tokens"),
    ("search", "search"),
];

/// Measures every function; the worst one counts.
pub fn measure() -> Result<Vec<Metric>, Failure> {
    prerequisites()?;
    let binaries = build(&Workspace::find()?)?;
    let mut worst = HashMap::new();
    let mut note = |name: &'static str, function: &'static str, value: f64| {
        let entry = worst.entry(name).or_insert((function, value));
        if value > entry.1 {
            *entry = (function, value);
        }
    };
    for function in FUNCTIONS {
        let path = binaries.join(function);
        note("size", function, size_mb(&path)?);
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let started = Function::start(&path)?;
            starts.push(started.start_ms());
            note("resident", function, started.resident_mb()?);
        }
        note("start", function, median(starts).unwrap_or(f64::NAN));
    }
    for (function, sample) in WARM {
        let (cpu_ms, resident_mb) = invoke(&binaries, function, sample)?;
        note("cpu", function, cpu_ms);
        note("resident", function, resident_mb);
    }
    let metric = |key: &str, name: &str, unit: &str, limit: f64| {
        let (function, value) = worst.get(key).copied().unwrap_or(("none", f64::NAN));
        println!("{name}: {value:.3} {unit} is the worst of all ({function})");
        Metric::limited(name, value, unit, limit)
    };
    Ok(vec![
        metric("size", "function_binary_max", "MB", BINARY_LIMIT_MB),
        metric("start", "function_start_p50_max", "ms", START_LIMIT_MS),
        metric("resident", "function_resident_max", "MB", RESIDENT_LIMIT_MB),
        metric("cpu", "function_warm_cpu_max", "ms", CPU_LIMIT_MS),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn size_mb(path: &Path) -> Result<f64, Failure> {
    let metadata = fs::metadata(path)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display()), "does the build make this binary?"))?;
    Ok(metadata.len() as f64 / 1e6)
}

/// CPU of one warm invocation, and the memory after many.
fn invoke(binaries: &Path, name: &str, sample: &str) -> Result<(f64, f64), Failure> {
    let path = root().join(format!("events/samples/{sample}.json"));
    let event = fs::read_to_string(&path)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display()), "is the checkout complete?"))?;
    let mut function = Function::start(&binaries.join(name))?;
    for _ in 0..WARM_UP {
        let answer = function.invoke(&event)?;
        if !is_refusal(&answer) {
            let cause = format!("{name} answered {sample}.json with {answer}, which is no refusal");
            return Err(Failure::new(cause, "measure an invocation that needs no call to AWS"));
        }
    }
    let before = function.cpu_ms()?;
    for _ in 0..INVOCATIONS {
        function.invoke(&event)?;
    }
    let cpu_ms = (function.cpu_ms()? - before) / f64::from(INVOCATIONS);
    Ok((cpu_ms, function.resident_mb()?))
}

/// Whether the caller was refused. A call to AWS would have ended as 503: there is none here.
fn is_refusal(answer: &str) -> bool {
    let answer: Option<Value> = serde_json::from_str(answer).ok();
    answer.and_then(|answer| answer["statusCode"].as_u64()).is_some_and(|status| (400..500).contains(&status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_is_measured() {
        assert!(is_refusal(r#"{"statusCode":401,"body":"{}"}"#));
        for other in [r#"{"statusCode":503}"#, r#"{"statusCode":200}"#, r#"{"errorMessage":"no"}"#, ""] {
            assert!(!is_refusal(other), "{other}");
        }
    }
}
