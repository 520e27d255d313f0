//! What an operation costs: its figures by one table of list prices, `prices.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::figures::Figures;

const FILE: &str = include_str!("../prices.json");

/// A price.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US dollars.
    pub usd: f64,
    /// For so many.
    pub per: f64,
    /// Of what.
    pub unit: String,
    /// The page of AWS that says so.
    pub source: String,
}

impl Price {
    fn of(&self, amount: f64) -> f64 {
        self.usd / self.per * amount
    }
}

/// What no recording can tell.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assumptions {
    /// Memory of a function.
    pub lambda_gb: f64,
    /// How long a function runs beside its calls.
    pub lambda_base_ms: f64,
    /// How long a round of calls takes.
    pub lambda_round_ms: f64,
    /// What an invocation logs, Lambda's own lines included.
    pub log_bytes: f64,
}

/// The list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Where.
    pub region: String,
    /// When.
    pub as_of: String,
    /// In what.
    pub currency: String,
    /// What to know about it.
    pub note: String,
    /// The prices by name.
    pub prices: BTreeMap<String, Price>,
    /// What was assumed.
    pub assumptions: Assumptions,
}

/// What goes with an operation beside its recorded calls.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Around {
    /// Calls of the HTTP API.
    pub api_requests: u32,
    /// States that the workflow passes.
    pub transitions: u32,
    /// Events of EventBridge.
    pub events: u32,
    /// The client's own PUTs of bodies.
    pub client_puts: u32,
    /// The client's own GETs of bodies.
    pub client_gets: u32,
}

impl Prices {
    /// The list in the repository.
    pub fn list() -> Self {
        serde_json::from_str(FILE).expect("prices.json is a list of prices")
    }

    fn of(&self, name: &str, amount: f64) -> f64 {
        self.prices.get(name).unwrap_or_else(|| panic!("prices.json has no {name}")).of(amount)
    }

    /// US dollars for a million of these operations.
    pub fn per_million(&self, figures: &Figures, around: Around) -> f64 {
        let Assumptions { lambda_gb, lambda_base_ms, lambda_round_ms, log_bytes } = self.assumptions;
        let seconds = (lambda_base_ms + lambda_round_ms * f64::from(figures.rounds)) / 1000.0;
        let bytes = u32::try_from(figures.answer_bytes).map_or(f64::NAN, f64::from);
        let calls: f64 = figures.calls.iter().map(|(name, calls)| self.of_calls(name, f64::from(*calls))).sum();
        let one = calls
            + self.of("dynamodb_read_unit", figures.read_units)
            + self.of("dynamodb_write_unit", figures.write_units)
            + self.of("lambda_request", 1.0)
            + self.of("lambda_gb_second", seconds * lambda_gb)
            + self.of("logs_gb", log_bytes)
            + self.of("data_out_gb", bytes)
            + self.of("api_request", f64::from(around.api_requests))
            + self.of("workflow_transition", f64::from(around.transitions))
            + self.of("eventbridge_event", f64::from(around.events))
            + self.of("s3_put", f64::from(around.client_puts))
            + self.of("s3_get", f64::from(around.client_gets));
        one * 1e6
    }

    /// Calls that are charged by their number. DynamoDB charges units, Step Functions transitions, S3 nothing for deleting and aborting.
    fn of_calls(&self, name: &str, calls: f64) -> f64 {
        match name.split_once(' ') {
            Some(("KMS", "Sign")) => self.of("kms_signature", calls),
            Some(("KMS", _)) => self.of("kms_request", calls),
            Some(("S3", "DeleteObject" | "AbortMultipartUpload")) => 0.0,
            Some(("S3", "HeadObject" | "GetObject")) => self.of("s3_get", calls),
            Some(("S3", _)) => self.of("s3_put", calls),
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_costs_what_its_parts_cost() {
        let prices = Prices::list();
        let figures = Figures { read_units: 4.0, write_units: 2.0, ..Figures::default() };
        let nothing = prices.per_million(&Figures::default(), Around::default());
        let difference = prices.per_million(&figures, Around::default()) - nothing;
        assert!((difference - (4.0 * 0.125 + 2.0 * 0.625)).abs() < 1e-9, "{difference}");
        let calls = BTreeMap::from([
            ("KMS Decrypt".to_owned(), 1),
            ("S3 HeadObject".to_owned(), 1),
            ("S3 AbortMultipartUpload".to_owned(), 3),
        ]);
        let difference = prices.per_million(&Figures { calls, ..Figures::default() }, Around::default()) - nothing;
        assert!((difference - (3.0 + 0.4)).abs() < 1e-9, "{difference}");
    }

    #[test]
    fn every_price_says_of_what_and_where_it_is_written() {
        let prices = Prices::list();
        assert!(
            prices.prices.values().all(|price| price.usd > 0.0 && !price.unit.is_empty() && !price.source.is_empty())
        );
        assert!((prices.region.as_str(), prices.currency.as_str()) == ("us-east-1", "USD") && !prices.as_of.is_empty());
    }
}
