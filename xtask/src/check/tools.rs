//! Tools that the checks and the samples need, pinned, installed once.
//!
//! They go to `$CHARTSEAL_TOOLS`, else to the tools folder of the user's cache if there is one, else into the checkout's
//! `.local/tools`. A version is part of each path, so that another version is another install.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, cargo, quiet, root, shown};

/// The version of cargo-deny that deny.toml was written for.
const CARGO_DENY: &str = "0.20.2";

/// The version of cargo-fuzz that runs the fuzz targets.
const CARGO_FUZZ: &str = "0.13.2";

/// The version of aws-sam-cli that judges template.yaml.
const SAM_CLI: &str = "1.170.0";

/// The version of cargo-lambda that the samples are invoked with.
const CARGO_LAMBDA: &str = "1.9.2";

/// Where tools live.
fn folder() -> PathBuf {
    let cached = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .map(|cache| cache.join("chartseal/tools"))
        .filter(|tools| tools.is_dir());
    env::var_os("CHARTSEAL_TOOLS").map(PathBuf::from).or(cached).unwrap_or_else(|| root().join(".local/tools"))
}

/// Path of the pinned cargo-deny; builds it when it is missing (about six minutes of CPU, once).
pub fn cargo_deny() -> Result<PathBuf, Failure> {
    cargo_tool("cargo-deny", CARGO_DENY, "about six minutes of CPU")
}

/// Path of the pinned cargo-fuzz; builds it when it is missing (about two minutes of CPU, once).
pub fn cargo_fuzz() -> Result<PathBuf, Failure> {
    cargo_tool("cargo-fuzz", CARGO_FUZZ, "about two minutes of CPU")
}

/// Path of a program of cargo's that says its own version.
fn cargo_tool(name: &str, version: &str, cost: &str) -> Result<PathBuf, Failure> {
    let home = folder();
    let program = home.join("bin").join(name);
    let wanted = format!("{name} {version}");
    let current = Command::new(&program).arg("--version").output();
    if current.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == wanted) {
        return Ok(program);
    }
    eprintln!("        installing {wanted} into {} (once, {cost})", home.display());
    let mut install = cargo(&["install", "--quiet", "--locked", "--force", "--version", version, "--root"]);
    // Its objects are of no use to this workspace: they go to a temporary folder.
    install.arg(&home).arg(name).env_remove("CARGO_TARGET_DIR");
    shown(&mut install, &format!("{name} comes from the package registry: is it reachable?"))?;
    Ok(program)
}

/// Path of the pinned `sam`; installs it when it is missing.
pub fn sam() -> Result<PathBuf, Failure> {
    Ok(python_tool("sam", "aws-sam-cli", SAM_CLI, &[])?.join("sam"))
}

/// Path of the pinned cargo-lambda; installs it when it is missing. Without Zig, which only its builds for Lambda need.
pub fn cargo_lambda() -> Result<PathBuf, Failure> {
    Ok(python_tool("cargo-lambda", "cargo-lambda", CARGO_LAMBDA, &["--no-deps"])?.join("cargo-lambda"))
}

/// The programs of a pinned Python package, in a virtual environment of its own.
fn python_tool(name: &str, package: &str, version: &str, options: &[&str]) -> Result<PathBuf, Failure> {
    let environment = folder().join(format!("{name}-{version}"));
    let complete = environment.join("complete");
    if !complete.is_file() {
        eprintln!("        installing {package} {version} into {} (once)", environment.display());
        create_environment(&environment)?;
        let mut install = Command::new(environment.join("bin/python"));
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(options);
        let advice = format!("{package} comes from the package index: is it reachable?");
        quiet(install.arg(format!("{package}=={version}")), &advice)?;
        // Written last: an install that was interrupted is begun again.
        fs::write(&complete, version)
            .map_err(|error| Failure::new(format!("{}: {error}", complete.display()), "is the disk full?"))?;
    }
    Ok(environment.join("bin"))
}

fn create_environment(path: &Path) -> Result<(), Failure> {
    let mut create = Command::new("python3");
    create.args(["-m", "venv", "--clear"]).arg(path);
    quiet(&mut create, "install Python 3 with its venv module").map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deploying_takes_the_versions_that_are_checked_here() {
        let pinned = fs::read_to_string(root().join("infra/sam-requirements.txt")).expect("the file");
        for wanted in [format!("aws-sam-cli=={SAM_CLI}"), format!("cargo-lambda=={CARGO_LAMBDA}")] {
            assert!(pinned.lines().any(|line| line == wanted), "{wanted}");
        }
    }
}
