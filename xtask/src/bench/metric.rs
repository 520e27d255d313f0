//! A measured figure and its limit.

use std::fmt;

use serde_json::{Value, json};

/// A figure; smaller is better.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    name: String,
    value: f64,
    unit: String,
    limit: Option<f64>,
    ratio: Option<f64>,
}

impl Metric {
    /// A figure with the limit that the project promises.
    pub fn limited(name: &str, value: f64, unit: &str, limit: f64) -> Self {
        Self { name: name.to_owned(), value, unit: unit.to_owned(), limit: Some(limit), ratio: Some(value / limit) }
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
        })
    }

    /// Whether it is over its limit. A figure that is no number is.
    pub fn is_broken(&self) -> bool {
        self.value.is_nan() || self.limit.is_some_and(|limit| self.value > limit)
    }

    /// As `--json` writes it.
    pub fn to_json(&self) -> Value {
        json!({"name": self.name, "value": self.value, "unit": self.unit, "limit": self.limit, "ratio": self.ratio})
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.3} {}", self.name, self.value, self.unit)?;
        if let Some(limit) = self.limit {
            write!(f, " (limit {limit})")?;
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
        let Metric { name, value, unit, limit, ratio } = metric;
        format!("| {name} | {value:.3} | {unit} | {} | {} |", figure(*limit, 1), figure(*ratio, 2))
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
