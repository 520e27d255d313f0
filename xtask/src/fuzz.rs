//! `cargo xtask fuzz`: the envelope's fuzz targets (`envelope/fuzz`), each for a bounded time.
//!
//! libFuzzer through a pinned cargo-fuzz, without a sanitizer: there is no unsafe of ours to watch, every target states its own invariants, and so a stable
//! toolchain is enough. The kept corpus is read and not written, unless that is asked for; the ordinary tests replay it too.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::check::tools;
use crate::process::{Failure, root, shown};

/// The fuzz crate.
const CRATE: &str = "envelope/fuzz";

/// Longest input that is tried: longer ones lead nowhere new and take longer.
const MAX_INPUT_BYTES: u32 = 4096;

/// Fuzzes, and fails at the first input for which something does not hold.
pub fn run(seconds: u32, only: &[String], keep: bool) -> Result<(), Failure> {
    let program = tools::cargo_fuzz()?;
    let folder = root().join(CRATE);
    let targets = targets(&folder.join("fuzz_targets"))?;
    if let Some(unknown) = only.iter().find(|name| !targets.contains(name)) {
        return Err(Failure::new(
            format!("there is no fuzz target {unknown}"),
            format!("one of {}", targets.join(", ")),
        ));
    }
    for target in targets.iter().filter(|target| only.is_empty() || only.contains(target)) {
        println!("fuzz    {target} ({seconds} s)");
        let found = scratch(target)?;
        let kept = folder.join("corpus").join(target);
        let mut command = Command::new(&program);
        // As `cargo fuzz`, it is given the name that cargo would have given it.
        command.current_dir(&folder).args(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir"]).arg(&folder);
        command.arg("--target-dir").arg(target_folder()).arg(target);
        // The first folder is written to.
        let corpora = if keep { vec![kept] } else { vec![found, kept] };
        command.args(corpora).arg("--").args([
            format!("-max_total_time={seconds}"),
            format!("-max_len={MAX_INPUT_BYTES}"),
            "-verbosity=0".to_owned(),
            "-print_final_stats=1".to_owned(),
        ]);
        let advice =
            format!("the input is in {CRATE}/artifacts/{target}: mend what fails, and keep the input in the corpus");
        shown(&mut command, &advice).map_err(|failure| failure.in_step(target))?;
    }
    Ok(())
}

/// The targets' names, in order.
fn targets(folder: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error| Failure::new(format!("{}: {error}", folder.display()), "is this a whole checkout?");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// An empty folder for what this run finds.
fn scratch(target: &str) -> Result<std::path::PathBuf, Failure> {
    let folder = target_folder().join("found").join(target);
    let failed = |error| Failure::new(format!("{}: {error}", folder.display()), "is the disk full?");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir_all(&folder).map_err(failed)?;
    Ok(folder)
}

/// Built with a fuzzer's flags, so apart from everything else.
fn target_folder() -> std::path::PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    target.join("fuzz")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_kept_corpus() {
        let folder = root().join(CRATE);
        let targets = targets(&folder.join("fuzz_targets")).expect("targets");
        assert!(targets.len() >= 3, "{targets:?}");
        for target in targets {
            assert!(folder.join("corpus").join(&target).is_dir(), "{target} has no kept corpus");
        }
    }
}
