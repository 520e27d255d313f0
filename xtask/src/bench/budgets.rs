//! What each operation asks of AWS and costs: counted by `tests/budgets`, on an emulator of its own. Counts are the same in every build, so it is not a
//! released one. Whether an operation keeps to its budget is for that crate's test.

use std::process::Command;

use chartseal_local::{Emulator, Endpoint, Workspace, install, prerequisites};

use crate::process::{Failure, built, quiet, root};

use super::metric::Metric;

const PROGRAM: &str = "chartseal-budgets";

const ADVICE: &str = "see docs/TESTING.md, section Budgets";

/// Prints the tables; gives the costs of the stories.
pub fn measure() -> Result<Vec<Metric>, Failure> {
    prerequisites()?;
    let workspace = Workspace::find()?;
    install(&workspace)?;
    let program = built(&["--package", PROGRAM], PROGRAM, ADVICE)?;
    // Dropped, and with it stopped, when the figures are in.
    let started = if Endpoint::from_environment().is_none() { Some(Emulator::start(&workspace)?) } else { None };
    let mut command = Command::new(program);
    command.arg("bench").current_dir(root());
    if let Some(emulator) = &started {
        command.envs(emulator.endpoint().environment());
    }
    let said = quiet(&mut command, ADVICE)?;
    let (mut metrics, mut tables) = (Vec::new(), Vec::new());
    for line in said.stdout.lines() {
        match Metric::read(line) {
            Some(metric) => metrics.push(metric),
            None => tables.push(line),
        }
    }
    println!("{}", tables.join("\n"));
    if metrics.is_empty() {
        return Err(Failure::new(
            format!("{PROGRAM} printed no figures"),
            "it prints one JSON object on a line for each",
        ));
    }
    Ok(metrics)
}
