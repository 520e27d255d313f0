//! `cargo xtask bench`: the figures of docs/BENCHMARKS.md, measured on this machine, against their limits.
//!
//! Everything that is timed is a released binary. Run it on a machine that does nothing else.

mod append;
mod budgets;
mod envelope;
mod functions;
mod metric;
mod runtime_api;

use std::fs;
use std::path::Path;

use clap::ValueEnum;
use serde_json::json;

use crate::demo;
use crate::process::Failure;

use metric::{Metric, table};

/// The demonstration on two cores, after the build.
const DEMO_LIMIT_S: f64 = 60.0;

/// The deployment in it.
const DEPLOY_LIMIT_S: f64 = 10.0;

/// Measurements that are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// An event's append beside the same raw calls
    Append,
    /// Size, start, memory and CPU of the functions
    Functions,
    /// The demonstration's time
    Demo,
    /// The envelope beside openssl, SHA-256 and the official SDKs
    Envelope,
    /// What each operation asks of AWS, and what that costs
    Budgets,
}

impl Group {
    fn measure(self) -> Result<Vec<Metric>, Failure> {
        match self {
            Self::Append => append::measure(),
            Self::Functions => functions::measure(),
            Self::Demo => demonstration(),
            Self::Envelope => envelope::measure(),
            Self::Budgets => budgets::measure(),
        }
    }
}

/// Measures, prints, writes; fails if a limit is broken or a figure could not be taken.
pub fn run(json: Option<&Path>, only: &[Group]) -> Result<(), Failure> {
    let mut metrics = Vec::new();
    let mut failures = Vec::new();
    for group in Group::value_variants().iter().filter(|group| only.is_empty() || only.contains(group)) {
        match group.measure() {
            Ok(measured) => metrics.extend(measured),
            Err(failure) => failures.push(format!("{group:?} could not be measured\n{failure}")),
        }
    }
    println!("\n{}", table(&metrics));
    if let Some(path) = json {
        let rows: Vec<_> = metrics.iter().map(Metric::to_json).collect();
        fs::write(path, format!("{:#}\n", json!({"metrics": rows})))
            .map_err(|error| Failure::new(format!("{}: {error}", path.display()), "name a file you may write"))?;
    }
    let broken = metrics.iter().filter(|metric| metric.is_broken());
    failures.extend(broken.map(|metric| format!("beyond its limit: {metric}")));
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::new(failures.join("\n"), "nothing else should run on the machine; then see docs/BENCHMARKS.md"))
}

fn demonstration() -> Result<Vec<Metric>, Failure> {
    let options = demo::Options { json: None, record: Vec::new(), keep: false };
    let mut report = demo::Report::default();
    demo::play(&options, &mut report)?;
    let deployment = report.deployment().unwrap_or_default().as_secs_f64();
    Ok(vec![
        Metric::limited("demo_after_build", report.after_build().as_secs_f64(), "s", DEMO_LIMIT_S),
        Metric::limited("deploy", deployment, "s", DEPLOY_LIMIT_S),
    ])
}
