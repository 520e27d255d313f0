//! `chartseal-budgets`: what each operation asks of AWS, seen from the command line.

use std::error::Error;

use chartseal_budgets::budget::{Budgets, verdict};
use chartseal_budgets::prices::Prices;
use chartseal_budgets::vault::{Measured, Vault, disputed};
use chartseal_budgets::{growth, opinion, story, table};
use clap::{Parser, Subcommand};
use serde_json::json;

/// Counts what each operation asks of AWS.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Compare with the budget file
    Check,
    /// Write the budget file anew
    Update,
    /// Print the tables, and the stories' costs as metrics for `cargo xtask bench`
    Bench,
    /// Print every call of an operation, in order
    Calls {
        /// As the budget file names it: "POST /search"
        operation: String,
    },
    /// Have another implementation of DynamoDB say what the same calls consume
    Opinion {
        /// Its address
        url: String,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    match Options::parse().task {
        Task::Check => {
            let measured = story::measured().await;
            let mut found = disputed(&measured);
            let differences = Budgets::read()?.differences(&Budgets::of(&measured));
            if !differences.is_empty() {
                found.push(verdict(&differences));
            }
            if found.is_empty() { Ok(()) } else { Err(found.join("\n").into()) }
        }
        Task::Update => Ok(Budgets::of(&story::measured().await).write()?),
        Task::Bench => {
            bench().await;
            Ok(())
        }
        Task::Calls { operation } => calls(&story::measured().await, &operation),
        Task::Opinion { url } => {
            let vault = Vault::new().await;
            story::tell(&vault).await;
            let compared = opinion::compare(&vault.history(), &url)?;
            println!("{} calls were compared, {} are disputed", compared.calls, compared.disputed.len());
            if compared.disputed.is_empty() { Ok(()) } else { Err(compared.disputed.join("\n").into()) }
        }
    }
}

async fn bench() {
    let (prices, measured) = (Prices::list(), story::measured().await);
    println!("{}\n", table::markdown(&prices, &measured));
    println!("{}", table::growth(&prices, &growth::measured().await));
    for (name, value, unit) in table::metrics(&prices, &measured) {
        println!("{}", json!({"name": name, "value": value, "unit": unit, "limit": null}));
    }
}

fn calls(measured: &[Measured], operation: &str) -> Result<(), Box<dyn Error>> {
    let names = || measured.iter().map(|row| row.name.as_str()).collect::<Vec<_>>().join("\n");
    let row = measured.iter().find(|row| row.name == operation);
    let row = row.ok_or_else(|| format!("nothing is called {operation}; there are:\n{}", names()))?;
    println!("{}: {}", row.name, row.situation);
    let Some(first) = row.calls.iter().map(|call| call.start).min() else { return Ok(()) };
    let mut calls: Vec<_> = row.calls.iter().collect();
    calls.sort_by_key(|call| call.start);
    for call in calls {
        let at = |time: std::time::Instant| time.duration_since(first).as_secs_f64() * 1e3;
        let (from_ms, to_ms, units) = (at(call.start), at(call.end), call.units);
        println!("{from_ms:7.1} to {to_ms:7.1} ms  {}  read {}  write {}", call.name(), units.read, units.write);
        println!("    {}", call.asked);
    }
    Ok(())
}
