//! `cargo xtask interop`: every exchange with every other implementation, as a table.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chartseal_interop::exchange::{Exchange, Row};
use chartseal_interop::{Error, Party, bench};
use chartseal_local::Workspace;
use clap::{Parser, Subcommand, ValueEnum as _};
use serde_json::json;

#[derive(Parser)]
#[command(about = "The envelope against other implementations of its format", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
    /// Only these implementations
    #[arg(long, value_name = "NAME", value_delimiter = ',', global = true)]
    with: Vec<Party>,
    /// Write the outcome to this file
    #[arg(long, value_name = "FILE", global = true)]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Task {
    /// Messages in both directions, bodies of several parts included
    Exchange,
    /// Megabytes a second, sealing and opening
    Bench {
        /// Plaintext, in MiB
        #[arg(long, default_value_t = 64)]
        mib: usize,
        /// Plaintext bytes of each frame
        #[arg(long, default_value_t = 262_144)]
        frame_bytes: u32,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything was as it should be.
fn run(arguments: &Arguments) -> Result<bool, Error> {
    let workspace = Workspace::find()?;
    let folder = tempfile::tempdir().map_err(Error::Speak)?;
    let chosen = |party: &&Party| arguments.with.is_empty() || arguments.with.contains(party);
    let (mut good, mut outcomes) = (true, Vec::new());
    for party in Party::value_variants().iter().filter(chosen) {
        let oracle = party.start(&workspace)?;
        match arguments.command {
            Task::Exchange => {
                let rows = Exchange::new(*party, oracle, folder.path()).all(true);
                print!("{}", table(&rows));
                good &= rows.iter().all(|row| row.outcome.is_ok());
                outcomes.extend(rows.iter().map(Row::to_json));
            }
            Task::Bench { mib, frame_bytes } => {
                let speed = bench::measure(*party, oracle, folder.path(), mib << 20, frame_bytes)?;
                let seal = speed.seal_mb_s.map_or_else(|| "-".to_owned(), |speed| format!("{speed:.0}"));
                println!("{:<42} seal {seal:>6} MB/s   open {:>6.0} MB/s", party.title(), speed.open_mb_s);
                outcomes.push(speed.to_json());
            }
        }
    }
    if let Some(path) = &arguments.json {
        write(path, &json!({"outcomes": outcomes}))?;
    }
    Ok(good)
}

fn write(path: &Path, outcome: &serde_json::Value) -> Result<(), Error> {
    fs::write(path, format!("{outcome:#}\n")).map_err(|source| Error::File { path: path.to_path_buf(), source })
}

fn table(rows: &[Row]) -> String {
    let mut table = String::new();
    for row in rows {
        let verdict = row.outcome.as_ref().map_or_else(ToString::to_string, |()| "ok".to_owned());
        let (who, way) = (row.party.title(), row.direction.title());
        // Writing to a text does not fail.
        let _ = writeln!(
            table,
            "{who:<42} {way:<26} frame {:>7}  plaintext {:>9}  {:>8.1} ms  {verdict}",
            row.frame_bytes,
            row.plaintext_bytes,
            row.seconds * 1000.0
        );
    }
    table
}
