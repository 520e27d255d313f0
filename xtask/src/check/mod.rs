//! `cargo xtask check`: everything that must hold before a change is taken.
//!
//! Every step runs, even after one failed, so that one run tells all there is to mend.

mod arrows;
mod dependencies;
pub mod generated;
mod sources;
mod template;
pub mod tools;
mod types;

use std::time::Instant;

use clap::ValueEnum;

use crate::process::{Failure, cargo, quiet, shown};

/// One thing that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// rustfmt
    Format,
    /// clippy, warnings denied
    Lints,
    /// rustdoc, warnings denied
    Docs,
    /// which crate may link which
    Arrows,
    /// licences, bans, sources, advisories
    Dependencies,
    /// docs/ERRORS.md and docs/openapi.json
    Generated,
    /// template.yaml
    Template,
    /// TypeScript
    Types,
}

impl Step {
    const fn title(self) -> &'static str {
        match self {
            Self::Format => "format (rustfmt)",
            Self::Lints => "lints (clippy)",
            Self::Docs => "docs (rustdoc)",
            Self::Arrows => "arrows between crates",
            Self::Dependencies => "dependencies (cargo-deny)",
            Self::Generated => "generated docs",
            Self::Template => "template.yaml (sam validate --lint)",
            Self::Types => "types (tsc)",
        }
    }

    /// Runs the step; the text is a remark for its verdict line.
    fn run(self) -> Result<String, Failure> {
        match self {
            Self::Format => format(),
            Self::Lints => lints(),
            Self::Docs => docs(),
            Self::Arrows => arrows::check().and_then(|arrows| Ok(format!("{arrows}; {}", sources::check()?))),
            Self::Dependencies => dependencies::check(),
            Self::Generated => generated::check(),
            Self::Template => template::check(),
            Self::Types => types::check(),
        }
    }
}

/// The names of files suffice: a diff of each would bury them.
fn format() -> Result<String, Failure> {
    quiet(&mut cargo(&["fmt", "--all", "--check", "--", "--files-with-diff"]), "run `cargo fmt --all`")?;
    // A workspace of its own, because of what it builds.
    let apart = "envelope/interop/rust/Cargo.toml";
    let mut command = cargo(&["fmt", "--manifest-path", apart, "--check", "--", "--files-with-diff"]);
    quiet(&mut command, &format!("run `cargo fmt --manifest-path {apart}`"))?;
    Ok(String::new())
}

fn lints() -> Result<String, Failure> {
    let advice = "mend what clippy names, or allow it where it stands with a reason";
    shown(&mut cargo(&["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"]), advice)?;
    // What links testcontainers is behind a feature, so `--workspace` leaves it out.
    let holder =
        ["clippy", "--package", "chartseal-local", "--features", "docker", "--all-targets", "--", "-D", "warnings"];
    shown(&mut cargo(&holder), advice)?;
    Ok(String::new())
}

fn docs() -> Result<String, Failure> {
    let mut command = cargo(&["doc", "--no-deps", "--workspace", "--keep-going"]);
    shown(command.env("RUSTDOCFLAGS", "-D warnings"), "mend the documentation that rustdoc names")?;
    Ok(String::new())
}

/// Runs all steps, or only those named.
pub fn run(only: &[Step]) -> Result<(), Failure> {
    let started = Instant::now();
    let mut failed = Vec::new();
    for step in Step::value_variants().iter().filter(|step| only.is_empty() || only.contains(step)) {
        eprintln!("check   {}", step.title());
        let step_started = Instant::now();
        let verdict = step.run();
        let took = step_started.elapsed().as_secs_f64();
        match verdict {
            Ok(remark) if remark.is_empty() => println!("ok      {} ({took:.1} s)", step.title()),
            Ok(remark) => println!("ok      {} ({took:.1} s): {remark}", step.title()),
            Err(failure) => {
                println!("FAILED  {} ({took:.1} s)\n{}", step.title(), failure.in_step(step.title()));
                failed.push(step.title());
            }
        }
    }
    println!("check took {:.1} s", started.elapsed().as_secs_f64());
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        format!("failed steps: {}", failed.join(", ")),
        "mend what each step says above, then run it again",
    ))
}
