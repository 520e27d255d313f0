//! Documents that are generated from the code: written by `cargo xtask generate`, compared by `check`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, built, quiet, root};

/// The program, and its target's name.
const GENERATOR: &str = "chartseal-openapi";

/// Subject of the generator, and the document that holds its output.
const DOCUMENTS: &[(&str, &str)] = &[("errors", "docs/ERRORS.md"), ("openapi", "docs/openapi.json")];

const ADVICE: &str = "mend functions/openapi: it prints the document to standard output";

/// Builds the generator, with the features that the tests have, so that it costs no build of its own.
fn generator() -> Result<PathBuf, Failure> {
    built(&["--workspace", "--bin", GENERATOR], GENERATOR, ADVICE)
}

/// What the code says now.
fn generate(generator: &Path, subject: &str) -> Result<String, Failure> {
    Ok(quiet(Command::new(generator).current_dir(root()).arg(subject), ADVICE)?.stdout)
}

/// Writes both documents.
pub fn write() -> Result<(), Failure> {
    let generator = generator()?;
    for (subject, path) in DOCUMENTS {
        let text = generate(&generator, subject)?;
        fs::write(root().join(path), text).map_err(|error| {
            Failure::new(format!("{path} cannot be written: {error}"), "is the checkout yours to write?")
        })?;
        println!("wrote   {path}");
    }
    Ok(())
}

/// Compares both documents with what the code says.
pub fn check() -> Result<String, Failure> {
    let generator = generator()?;
    let mut stale = Vec::new();
    for (subject, path) in DOCUMENTS {
        let wanted = generate(&generator, subject)?;
        let found = fs::read_to_string(root().join(path)).unwrap_or_default();
        stale.extend(difference(&wanted, &found).map(|what| format!("{path} {what}")));
    }
    if stale.is_empty() {
        return Ok("docs/ERRORS.md, docs/openapi.json".to_owned());
    }
    Err(Failure::new(stale.join("\n"), "run `cargo xtask generate` and commit both files"))
}

/// Where a document differs from the code; `None` if it does not.
fn difference(wanted: &str, found: &str) -> Option<String> {
    if wanted == found {
        return None;
    }
    if found.is_empty() {
        return Some("is missing or empty".to_owned());
    }
    let same = wanted.lines().zip(found.lines()).take_while(|(wanted, found)| wanted == found).count();
    Some(format!("differs from the code at line {}", same + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_document_is_told_by_its_line() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb\n", "a\nc\n").as_deref(), Some("differs from the code at line 2"));
        assert_eq!(difference("a\nb\n", "a\n").as_deref(), Some("differs from the code at line 2"));
        assert_eq!(difference("a\n", "").as_deref(), Some("is missing or empty"));
    }
}
