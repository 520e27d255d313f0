//! AWS crates are named in a function's `main.rs` and nowhere else in it.
//!
//! A manifest cannot say which file may use a dependency, so the sources are read. Comments do not count.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::{Failure, root};

/// Path segments that mean an AWS crate.
const AWS_NAMES: &[&str] = &["aws_sdk_", "aws_config", "aws_smithy_", "aws_types"];

/// Segments that mean the Lambda runtime; `functions/http` is the one library that may know it.
const LAMBDA_NAMES: &[&str] = &["lambda_runtime", "lambda_http"];

/// Reads every source of every function.
pub fn check() -> Result<String, Failure> {
    let functions = root().join("functions");
    let mut files = Vec::new();
    collect(&functions, &mut files).map_err(|error| {
        Failure::new(format!("{} cannot be read: {error}", functions.display()), "is the checkout complete?")
    })?;
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.file_name().is_some_and(|name| name != "main.rs")) {
        let source = fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", file.display()), "mend the file"))?;
        let shared = file.starts_with(functions.join("http"));
        for (line, name) in named_in(&source, shared) {
            let path = file.strip_prefix(root()).unwrap_or(file);
            found.push(format!("{}:{line} names {name}", path.display()));
        }
    }
    if found.is_empty() {
        return Ok(format!("{} function sources read", files.len()));
    }
    Err(Failure::new(found.join("\n"), "wire AWS in main.rs; the library takes a port of chartseal-infra"))
}

/// Line numbers and names of AWS crates in a source.
fn named_in(source: &str, shared: bool) -> Vec<(usize, &'static str)> {
    let names = || AWS_NAMES.iter().chain(LAMBDA_NAMES.iter().filter(|_| !shared));
    let mut found = Vec::new();
    for (index, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        found.extend(names().filter(|name| has_word(code, name)).map(|name| (index + 1, *name)));
    }
    found
}

/// Whether `name` begins a word of the code.
fn has_word(code: &str, name: &str) -> bool {
    code.match_indices(name)
        .any(|(at, _)| !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aws_crate_in_a_library_is_found() {
        assert_eq!(named_in("fn a() {}\nuse aws_sdk_s3::Client;\n", false), [(2, "aws_sdk_")]);
        assert_eq!(named_in("let x = lambda_http::run(f);", false), [(1, "lambda_http")]);
    }

    #[test]
    fn comments_longer_words_and_the_shared_crate_pass() {
        assert!(named_in("// aws_config is wired in main.rs\nlet my_aws_config = 1;", false).is_empty());
        assert!(named_in("use lambda_http::Body;", true).is_empty());
    }
}
