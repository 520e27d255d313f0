//! A measured figure and its limit.

use std::fmt;

use serde_json::{Value, json};

/// A figure. Smaller is better, unless its limit is the least it may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    name: String,
    value: f64,
    unit: String,
    limit: Option<f64>,
    ratio: Option<f64>,
    /// Whether the limit is the least that the figure may be.
    at_least: bool,
}

impl Metric {
    /// A figure with the limit that the project promises.
    pub fn limited(name: &str, value: f64, unit: &str, limit: f64) -> Self {
        let (name, unit, ratio) = (name.to_owned(), unit.to_owned(), Some(value / limit));
        Self { name, value, unit, limit: Some(limit), ratio, at_least: false }
    }

    /// A figure that must not be smaller than this.
    pub fn at_least(name: &str, value: f64, unit: &str, limit: f64) -> Self {
        Self { at_least: true, ..Self::limited(name, value, unit, limit) }
    }

    /// A figure that is told and not judged.
    pub fn told(name: &str, value: f64, unit: &str) -> Self {
        Self { limit: None, ratio: None, ..Self::limited(name, value, unit, 1.0) }
    }

    /// A figure that another program measured and printed as JSON.
    pub fn read(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let (measured, limit) = (value["value"].as_f64()?, value["limit"].as_f64());
        Some(Self {
            name: value["name"].as_str()?.to_owned(),
            value: measured,
            unit: value["unit"].as_str().unwrap_or_default().to_owned(),
            limit,
            ratio: value["ratio"].as_f64().or_else(|| limit.map(|limit| measured / limit)),
            at_least: false,
        })
    }

    /// Whether it is beyond its limit. A figure that is no number is.
    pub fn is_broken(&self) -> bool {
        let beyond = |limit| if self.at_least { self.value < limit } else { self.value > limit };
        self.value.is_nan() || self.limit.is_some_and(beyond)
    }

    /// As `--json` writes it.
    pub fn to_json(&self) -> Value {
        let Self { name, value, unit, limit, ratio, at_least } = self;
        let kind = limit.map(|_| if *at_least { "least" } else { "most" });
        json!({"name": name, "value": value, "unit": unit, "limit": limit, "limit_is": kind, "ratio": ratio})
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.3} {}", self.name, self.value, self.unit)?;
        if let Some(limit) = self.limit {
            write!(f, " (at {} {limit})", if self.at_least { "least" } else { "most" })?;
        }
        Ok(())
    }
}

/// The figures as a Markdown table, as docs/BENCHMARKS.md holds them.
pub fn table(metrics: &[Metric]) -> String {
    let figure =
        |value: Option<f64>, digits: usize| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
    let mut rows = vec!["| metric | value | unit | limit | ratio |".to_owned(), "|---|---:|---|---:|---:|".to_owned()];
    rows.extend(metrics.iter().map(|metric| {
        let Metric { name, value, unit, limit, ratio, at_least } = metric;
        let sign = if *at_least { "≥ " } else { "" };
        format!("| {name} | {value:.3} | {unit} | {sign}{} | {} |", figure(*limit, 1), figure(*ratio, 2))
    }));
    rows.join("\n")
}

/// The median; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_broken_above_it_only() {
        assert!(!Metric::limited("start", 25.0, "ms", 25.0).is_broken());
        assert!(Metric::limited("start", 25.1, "ms", 25.0).is_broken());
        assert!(Metric::limited("start", f64::NAN, "ms", 25.0).is_broken());
        assert!(!Metric::at_least("speed", 0.8, "ratio", 0.8).is_broken());
        assert!(Metric::at_least("speed", 0.79, "ratio", 0.8).is_broken());
        assert!(Metric::at_least("speed", f64::NAN, "ratio", 0.8).is_broken());
        assert!(!Metric::told("speed", 1e9, "MB/s").is_broken());
    }

    #[test]
    fn another_programs_line_is_read_and_completed() {
        let metric = Metric::read(r#"{"name":"append","value":1.1,"unit":"times","limit":1.2}"#);
        assert_eq!(metric, Some(Metric::limited("append", 1.1, "times", 1.2)));
        let own_ratio =
            Metric::read(r#"{"name":"a","value":2,"unit":"ms","limit":null,"ratio":1.05}"#).expect("a metric");
        assert_eq!((own_ratio.is_broken(), own_ratio.to_json()["ratio"].clone()), (false, json!(1.05)));
        assert_eq!(Metric::read("warming up"), None);
        assert_eq!(Metric::read(r#"{"name":"append"}"#), None);
    }

    #[test]
    fn a_table_has_a_row_for_each() {
        let table = table(&[Metric::limited("deploy", 2.6, "s", 10.0)]);
        assert_eq!(table.lines().last(), Some("| deploy | 2.600 | s | 10.0 | 0.26 |"));
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
