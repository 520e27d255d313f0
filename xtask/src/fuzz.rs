//! `cargo xtask fuzz`: the fuzz targets of the envelope and the ledger (`envelope/fuzz`, `ledger/fuzz`), each for a bounded time.
//!
//! libFuzzer through a pinned cargo-fuzz, without a sanitizer: there is no unsafe of ours to watch, every target states its own invariants, and so a stable
//! toolchain is enough. The kept corpus is read and not written, unless that is asked for; the ordinary tests replay it too.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::check::tools;
use crate::process::{Failure, root, shown};

/// The fuzz crates. No two have a target of the same name.
const CRATES: &[&str] = &["envelope/fuzz", "ledger/fuzz"];

/// Longest input that is tried: longer ones lead nowhere new and take longer.
const MAX_INPUT_BYTES: u32 = 4096;

/// Fuzzes, and fails at the first input for which something does not hold.
pub fn run(seconds: u32, only: &[String], keep: bool) -> Result<(), Failure> {
    let program = tools::cargo_fuzz()?;
    let targets = targets()?;
    if let Some(unknown) = only.iter().find(|name| !targets.iter().any(|(_, target)| target == *name)) {
        let names: Vec<&str> = targets.iter().map(|(_, target)| target.as_str()).collect();
        return Err(Failure::new(format!("there is no fuzz target {unknown}"), format!("one of {}", names.join(", "))));
    }
    for (fuzz_crate, target) in targets.iter().filter(|(_, target)| only.is_empty() || only.contains(target)) {
        let folder = root().join(fuzz_crate);
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
        let advice = format!(
            "the input is in {fuzz_crate}/artifacts/{target}: mend what fails, and keep the input in the corpus"
        );
        shown(&mut command, &advice).map_err(|failure| failure.in_step(target))?;
    }
    Ok(())
}

/// Every crate's targets.
fn targets() -> Result<Vec<(&'static str, String)>, Failure> {
    let mut targets = Vec::new();
    for &fuzz_crate in CRATES {
        let names = names(&root().join(fuzz_crate).join("fuzz_targets"))?;
        targets.extend(names.into_iter().map(|name| (fuzz_crate, name)));
    }
    Ok(targets)
}

/// The names of a crate's targets, in order.
fn names(folder: &Path) -> Result<Vec<String>, Failure> {
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
        let targets = targets().expect("targets");
        let mut names: Vec<&str> = targets.iter().map(|(_, target)| target.as_str()).collect();
        for fuzz_crate in CRATES {
            assert!(targets.iter().filter(|(of, _)| of == fuzz_crate).count() >= 3, "{targets:?}");
        }
        for (fuzz_crate, target) in &targets {
            let corpus = root().join(fuzz_crate).join("corpus").join(target);
            assert!(corpus.is_dir(), "{target} has no kept corpus");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), targets.len(), "a name stands twice");
    }
}
