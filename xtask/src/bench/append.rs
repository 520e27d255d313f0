//! The append's cost: measured by `infra`'s own example, beside the same raw calls, on an emulator of its own.

use chartseal_local::{Emulator, Endpoint, Workspace, install, prerequisites};

use crate::process::{Failure, cargo, quiet};

use super::metric::Metric;

/// Runs the example and reads the figures it prints.
pub fn measure() -> Result<Vec<Metric>, Failure> {
    prerequisites()?;
    let workspace = Workspace::find()?;
    install(&workspace)?;
    // Dropped, and with it stopped, when the figures are in.
    let started = if Endpoint::from_environment().is_none() { Some(Emulator::start(&workspace)?) } else { None };
    let mut command =
        cargo(&["run", "--quiet", "--release", "--package", "chartseal-infra", "--example", "bench_append"]);
    if let Some(emulator) = &started {
        command.envs(emulator.endpoint().environment());
    }
    let said = quiet(&mut command, "mend infra/examples/bench_append.rs")?;
    let metrics: Vec<Metric> = said.stdout.lines().filter_map(Metric::read).collect();
    if metrics.is_empty() {
        return Err(Failure::new("bench_append printed no figures", "it prints one JSON object on a line for each"));
    }
    Ok(metrics)
}
