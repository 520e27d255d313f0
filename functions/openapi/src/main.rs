//! Prints a document: `chartseal-openapi openapi` or `chartseal-openapi errors`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let subject = std::env::args().nth(1);
    let document = match subject.as_deref() {
        Some("openapi") => chartseal_openapi::openapi(),
        Some("errors") => Ok(chartseal_openapi::errors()),
        _ => {
            eprintln!("say what to print: openapi (docs/openapi.json) or errors (docs/ERRORS.md)");
            return ExitCode::from(2);
        }
    };
    match document {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
