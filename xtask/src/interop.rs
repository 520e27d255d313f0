//! `cargo xtask interop`: the envelope against every other implementation of its format, the official SDK for Rust included.
//!
//! The exchange itself is the program of `chartseal-interop`. It is not part of `cargo xtask test`, because the SDK for Rust builds for minutes; the
//! SDKs for Python and JavaScript and the portal's reader are in both.

use std::path::PathBuf;
use std::process::Command;

use crate::process::{Failure, built, root, shown};

/// What to exchange, and what to do with the outcome.
#[derive(clap::Args)]
pub struct Options {
    /// Write the outcome to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only these implementations: python, javascript, rust, webcrypto
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    with: Vec<String>,
    /// Measure how fast they seal and open instead
    #[arg(long)]
    bench: bool,
}

/// Builds the program and runs it; its exit code decides.
pub fn run(options: &Options) -> Result<(), Failure> {
    // Sealing and opening large bodies without optimisations would be most of the time.
    let build = ["--release", "--package", "chartseal-interop"];
    let program = built(&build, "chartseal-interop", "mend what the compiler names")?;
    let mut command = Command::new(program);
    command.current_dir(root()).arg(if options.bench { "bench" } else { "exchange" });
    if let Some(json) = &options.json {
        // Named from where the reader stands, not from the root.
        let json = std::path::absolute(json).map_err(|error| Failure::new(error.to_string(), "name another file"))?;
        command.arg("--json").arg(json);
    }
    if !options.with.is_empty() {
        command.arg("--with").arg(options.with.join(","));
    }
    shown(&mut command, "each row that is not ok says why; docs/ENVELOPE.md describes every byte")
}
