//! `cargo xtask api-fuzz`: the API, fuzzed from its OpenAPI document for as long as one likes.
//!
//! The fuzzing itself is the test `api_fuzz` of `chartseal-tests`, of which `cargo xtask test` runs a bounded part with a fixed seed; here the reader
//! chooses how much, and with which seed.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::process::Failure;
use crate::test;

/// How much, and which.
#[derive(clap::Args)]
pub struct Options {
    /// Seconds to go on for
    #[arg(long, conflicts_with = "max_examples", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: Option<u32>,
    /// Calls to make up for each operation
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_examples: u32,
    /// Make up the calls of an earlier run
    #[arg(long)]
    seed: Option<u32>,
}

/// Starts a stack and fuzzes it.
pub fn run(options: &Options) -> Result<(), Failure> {
    let seed = options.seed.unwrap_or_else(of_the_clock);
    println!("seed {seed}");
    // The names are the test's: tests/api_fuzz/main.rs.
    let variables = [
        ("CHARTSEAL_FUZZ_SEED", seed.to_string()),
        ("CHARTSEAL_FUZZ_EXAMPLES", options.max_examples.to_string()),
        ("CHARTSEAL_FUZZ_SECONDS", options.seconds.map(|seconds| seconds.to_string()).unwrap_or_default()),
    ];
    let arguments = ["--test", "api_fuzz", "--", "--nocapture"].map(str::to_owned);
    test::run_with(&arguments, &variables)
}

/// A seed that no earlier run had, as good as any.
fn of_the_clock() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.subsec_nanos())
}
