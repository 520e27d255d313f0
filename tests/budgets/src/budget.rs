//! The budget file: the figures that each operation may have. It says what is so: a figure that grew fails, and one that shrank fails too until the file says it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::figures::Figures;
use crate::vault::Measured;

/// What to call when the figures and the file differ.
pub const UPDATE: &str = "cargo run -p chartseal-budgets -- update";

/// What an operation may ask of AWS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// What it is about.
    pub situation: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// The file: budgets by operation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Budgets(pub BTreeMap<String, Budget>);

/// Why there is no budget file, or not one that can be read.
#[derive(Debug, thiserror::Error)]
pub enum BudgetError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what [`Budgets`] writes.
    #[error("the budget file: {0}")]
    Json(#[from] serde_json::Error),
}

/// A difference between what was measured and what the file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The operation.
    pub operation: String,
    /// Which figure.
    pub figure: String,
    /// What the file says; none where it says nothing of the operation.
    pub budget: Option<f64>,
    /// What was measured; none where nothing was.
    pub measured: Option<f64>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, figure, budget, measured } = self;
        match (budget, measured) {
            (Some(budget), Some(measured)) if measured > budget => {
                write!(f, "{operation}: {figure} grew from {budget} to {measured}")
            }
            (Some(budget), Some(measured)) => {
                write!(f, "{operation}: {figure} shrank from {budget} to {measured}; the budget is loose")
            }
            (None, _) => write!(f, "{operation} has no budget"),
            (_, None) => write!(f, "{operation} has a budget, and nothing measured it"),
        }
    }
}

impl Budgets {
    /// Where the file is.
    pub fn path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("budgets.json")
    }

    /// Reads the file.
    pub fn read() -> Result<Self, BudgetError> {
        let path = Self::path();
        let text = fs::read_to_string(&path).map_err(|source| BudgetError::File { path, source })?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Writes the file.
    pub fn write(&self) -> Result<(), BudgetError> {
        let path = Self::path();
        let text = format!("{}\n", serde_json::to_string_pretty(self)?);
        fs::write(&path, text).map_err(|source| BudgetError::File { path, source })
    }

    /// What these measurements are.
    pub fn of(measured: &[Measured]) -> Self {
        let rows = measured.iter().map(|row| {
            let (situation, figures) = (row.situation.clone(), row.figures.clone());
            (row.name.clone(), Budget { situation, figures })
        });
        Self(rows.collect())
    }

    /// Where these measurements are not what the file says.
    pub fn differences(&self, measured: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        for name in self.0.keys().chain(measured.0.keys().filter(|name| !self.0.contains_key(*name))) {
            let one = |figure: &str, budget, measured| Difference {
                operation: name.clone(),
                figure: figure.to_owned(),
                budget,
                measured,
            };
            match (self.0.get(name), measured.0.get(name)) {
                (Some(budget), Some(measured)) => {
                    let (budget, measured) = (figures(&budget.figures), figures(&measured.figures));
                    let names = budget.keys().chain(measured.keys().filter(|name| !budget.contains_key(*name)));
                    let pairs = names.map(|name| {
                        let of = |figures: &BTreeMap<String, f64>| figures.get(name).copied().unwrap_or(0.0);
                        (name, of(&budget), of(&measured))
                    });
                    let moved = pairs.filter(|(_, budget, measured)| (budget - measured).abs() > f64::EPSILON);
                    found.extend(moved.map(|(name, budget, measured)| one(name, Some(budget), Some(measured))));
                }
                (budget, measured) => {
                    let calls = |row: Option<&Budget>| row.map(|row| f64::from(row.figures.call_count()));
                    found.push(one("calls", calls(budget), calls(measured)));
                }
            }
        }
        found
    }
}

/// The figures by name.
fn figures(of: &Figures) -> BTreeMap<String, f64> {
    let count = |bytes: usize| u32::try_from(bytes).map_or(f64::NAN, f64::from);
    let mut named: BTreeMap<String, f64> =
        of.calls.iter().map(|(name, calls)| (format!("calls of {name}"), f64::from(*calls))).collect();
    named.extend([
        ("rounds".to_owned(), f64::from(of.rounds)),
        ("read units".to_owned(), of.read_units),
        ("write units".to_owned(), of.write_units),
        ("bytes sent".to_owned(), count(of.sent_bytes)),
        ("bytes received".to_owned(), count(of.received_bytes)),
        ("bytes answered".to_owned(), count(of.answer_bytes)),
    ]);
    named
}

/// What a failed comparison says.
pub fn verdict(differences: &[Difference]) -> String {
    let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
    format!(
        "{}\nto see every call of an operation: cargo run -p chartseal-budgets -- calls OPERATION\nwhere it is meant: {UPDATE}, and let the \
         difference in tests/budgets/budgets.json be reviewed",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets(queries: u32, read_units: f64) -> Budgets {
        let calls = BTreeMap::from([("DynamoDB Query".to_owned(), queries)]);
        let figures = Figures { calls, rounds: 1, read_units, ..Figures::default() };
        Budgets(BTreeMap::from([("GET /healthz".to_owned(), Budget { situation: "new".to_owned(), figures })]))
    }

    fn said(file: &Budgets, measured: &Budgets) -> Vec<String> {
        file.differences(measured).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_grows_and_what_shrinks_is_named() {
        let file = budgets(1, 1.0);
        assert_eq!(said(&file, &file), Vec::<String>::new());
        assert_eq!(
            said(&file, &budgets(2, 1.5)),
            ["GET /healthz: calls of DynamoDB Query grew from 1 to 2", "GET /healthz: read units grew from 1 to 1.5"]
        );
        let loose = "GET /healthz: read units shrank from 1 to 0.5; the budget is loose";
        assert_eq!(said(&file, &budgets(1, 0.5)), [loose]);
    }

    #[test]
    fn every_operation_has_one_budget() {
        let (file, none) = (budgets(1, 1.0), Budgets::default());
        assert_eq!(said(&none, &file), ["GET /healthz has no budget"]);
        assert_eq!(said(&file, &none), ["GET /healthz has a budget, and nothing measured it"]);
    }

    #[test]
    fn the_file_reads_as_it_was_written() {
        let text = serde_json::to_string_pretty(&budgets(1, 1.5)).expect("JSON");
        assert_eq!(serde_json::from_str::<Budgets>(&text).expect("a budget file"), budgets(1, 1.5));
    }
}
