//! `cargo xtask`: the project's own commands.
//!
//! In scope: checking, testing, demonstrating, measuring and serving the vault on one machine. The local stack itself
//! (emulator, deployment) is the crate `chartseal-local`; nothing here speaks to AWS or links the vault's own code, so
//! that what is demonstrated and measured is what a user gets: the released binaries.

mod api_fuzz;
mod bench;
mod check;
mod demo;
mod fuzz;
mod image;
mod interop;
mod interrupt;
mod process;
mod samples;
mod stack;
mod test;
mod wallets;
mod witnesses;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// A provider's day on a local stack, from nothing, through the real command line
    Demo {
        /// Write the steps, times and hashes to this file
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Share these files instead of the samples
        #[arg(long, value_name = "FILE", num_args = 1..)]
        record: Vec<PathBuf>,
        /// Leave the stack and the wallets (end them with `cargo xtask down`)
        #[arg(long)]
        keep: bool,
    },
    /// Every test, against a local stack that is started and stopped here
    Test {
        /// Passed to `cargo test --workspace`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Start a local stack that stays
    Up {
        /// Start so many witnesses of its log, too; more than half of them must cosign
        #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=9))]
        witnesses: u8,
    },
    /// Build the emulator's container image, for `CHARTSEAL_STACK=docker`
    Image,
    /// Stop the stack that `up` or `demo --keep` left
    Down,
    /// Invoke the payloads of events/samples with `cargo lambda invoke` and check what they are answered
    Samples {
        /// Only these, by their names (`records-list`)
        #[arg(value_name = "NAME")]
        only: Vec<String>,
    },
    /// Format, lints, docs, arrows, licences, generated files, template
    Check {
        /// Only these steps
        #[arg(long, value_name = "STEP", value_delimiter = ',')]
        only: Vec<check::Step>,
    },
    /// Write docs/ERRORS.md and docs/openapi.json
    Generate,
    /// Run the fuzz targets, each for a bounded time, from the kept corpus
    Fuzz {
        /// Seconds for each target
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
        seconds: u32,
        /// Only these targets
        #[arg(long, value_name = "TARGET", value_delimiter = ',')]
        only: Vec<String>,
        /// Add what leads to new code to the kept corpus
        #[arg(long)]
        keep: bool,
    },
    /// Fuzz the API from docs/openapi.json against a local stack that is started and stopped here
    ApiFuzz(api_fuzz::Options),
    /// Messages to and from every other implementation of the format; the official SDK for Rust builds for minutes, once
    Interop(interop::Options),
    /// Measure what docs/BENCHMARKS.md promises
    Bench {
        /// Write the metrics to this file
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Only these groups of measurements
        #[arg(long, value_name = "GROUP", value_delimiter = ',')]
        only: Vec<bench::Group>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = interrupt::install().and_then(|()| match arguments.command {
        Task::Demo { json, record, keep } => demo::run(&demo::Options { json, record, keep }),
        Task::Test { arguments } => test::run(&arguments),
        Task::Up { witnesses } => stack::up(witnesses.into()),
        Task::Image => image::run(),
        Task::Down => stack::down(),
        Task::Samples { only } => samples::run(&only),
        Task::Check { only } => check::run(&only),
        Task::Generate => check::generated::write(),
        Task::Fuzz { seconds, only, keep } => fuzz::run(seconds, &only, keep),
        Task::ApiFuzz(options) => api_fuzz::run(&options),
        Task::Interop(options) => interop::run(&options),
        Task::Bench { json, only } => bench::run(json.as_deref(), &only),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
