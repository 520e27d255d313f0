//! The append's cost: measured by `infra`'s own example, beside the same raw calls, on an emulator of its own.

use std::path::PathBuf;
use std::process::Command;

use chartseal_local::{Emulator, Endpoint, FUNCTIONS, Workspace, install, prerequisites};

use crate::process::{Failure, built, quiet, root};

use super::metric::Metric;

const EXAMPLE: &str = "bench_append";

const ADVICE: &str = "mend infra/examples/bench_append.rs";

/// Builds the example with the packages that a stack is built with, so that the AWS SDK is not built once more.
fn built_example() -> Result<PathBuf, Failure> {
    let functions = FUNCTIONS.map(|function| format!("chartseal-{function}"));
    let mut arguments = vec!["--release", "--package", "chartseal-infra", "--package", "chartseal-cli"];
    arguments.extend(functions.iter().flat_map(|function| ["--package", function]));
    arguments.extend(["--example", EXAMPLE]);
    built(&arguments, EXAMPLE, ADVICE)
}

/// Runs the example and reads the figures it prints.
pub fn measure() -> Result<Vec<Metric>, Failure> {
    prerequisites()?;
    let workspace = Workspace::find()?;
    install(&workspace)?;
    let program = built_example()?;
    // Dropped, and with it stopped, when the figures are in.
    let started = if Endpoint::from_environment().is_none() { Some(Emulator::start(&workspace)?) } else { None };
    let mut command = Command::new(program);
    command.current_dir(root());
    if let Some(emulator) = &started {
        command.envs(emulator.endpoint().environment());
        // It runs already, whichever kind it is.
        command.env_remove("CHARTSEAL_STACK").env_remove("CHARTSEAL_IMAGE");
    }
    let said = quiet(&mut command, ADVICE)?;
    let metrics: Vec<Metric> = said.stdout.lines().filter_map(Metric::read).collect();
    if metrics.is_empty() {
        return Err(Failure::new("bench_append printed no figures", "it prints one JSON object on a line for each"));
    }
    Ok(metrics)
}
