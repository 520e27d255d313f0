//! What a function costs before it does anything for anybody: its size, its start, its memory, its own CPU.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use chartseal_local::{FUNCTIONS, Workspace, build, prerequisites};
use serde_json::{Value, json};

use crate::process::Failure;

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

/// A call that a function answers without any call to AWS.
struct Warm {
    function: &'static str,
    method: &'static str,
    path: &'static str,
    status: u16,
}

/// An answer for anybody, and a caller whose token is none.
const WARM: [Warm; 2] = [
    Warm { function: "healthz", method: "GET", path: "/healthz", status: 200 },
    Warm { function: "records", method: "GET", path: "/records", status: 401 },
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
    for warm in &WARM {
        let (cpu_ms, resident_mb) = invoke(&binaries, warm)?;
        note("cpu", warm.function, cpu_ms);
        note("resident", warm.function, resident_mb);
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
fn invoke(binaries: &Path, warm: &Warm) -> Result<(f64, f64), Failure> {
    let mut function = Function::start(&binaries.join(warm.function))?;
    let event = event(warm).to_string();
    for _ in 0..WARM_UP {
        let answer = function.invoke(&event)?;
        expect_status(&answer, warm)?;
    }
    let before = function.cpu_ms()?;
    for _ in 0..INVOCATIONS {
        function.invoke(&event)?;
    }
    let cpu_ms = (function.cpu_ms()? - before) / f64::from(INVOCATIONS);
    Ok((cpu_ms, function.resident_mb()?))
}

fn expect_status(answer: &str, warm: &Warm) -> Result<(), Failure> {
    let status = serde_json::from_str::<Value>(answer).ok().and_then(|answer| answer["statusCode"].as_u64());
    if status == Some(warm.status.into()) {
        return Ok(());
    }
    let cause = format!("{} answered {} {} with {answer}, not {}", warm.function, warm.method, warm.path, warm.status);
    Err(Failure::new(cause, "mend xtask/src/bench/functions.rs or the function"))
}

/// An HTTP API request (payload 2.0).
fn event(warm: &Warm) -> Value {
    json!({
        "version": "2.0",
        "routeKey": format!("{} {}", warm.method, warm.path),
        "rawPath": warm.path,
        "rawQueryString": "",
        "headers": {"authorization": "Bearer none", "content-type": "application/json", "host": "chartseal.local"},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "bench",
            "domainName": "chartseal.local",
            "domainPrefix": "chartseal",
            "http": {"method": warm.method, "path": warm.path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "bench"},
            "requestId": "bench",
            "routeKey": format!("{} {}", warm.method, warm.path),
            "stage": "$default",
            "time": "14/Mar/2026:12:00:00 +0000",
            "timeEpoch": 1_773_489_600_000_u64,
        },
        "isBase64Encoded": false,
    })
}
