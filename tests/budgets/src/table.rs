//! The figures for people: a row for each operation, its cost, and what typical stories cost.

use std::collections::BTreeMap;

use crate::figures::Figures;
use crate::prices::{Around, Prices};
use crate::vault::Measured;

/// A day's worth of operations that belong together.
struct Story {
    name: &'static str,
    /// What is done, and how often. A sweeper's turn is there anyway: what a story adds to it is the difference.
    operations: &'static [(&'static str, i32)],
}

/// The sweeper's turns of 30 days.
const IDLE: &str = "a month of doing nothing";

/// What people do, with all that follows from it.
const STORIES: &[Story] = &[
    Story {
        name: "upload one record",
        operations: &[
            ("POST /tokens", 1),
            ("POST /records", 1),
            ("consumer record.created.v1", 1),
            ("POST /records/{id}/upload", 1),
            ("consumer record.announced.v1", 1),
            ("commit", 1),
            ("consumer record.uploaded.v1", 1),
            ("sweeper, after an upload", 1),
            ("sweeper", -1),
        ],
    },
    Story { name: "search", operations: &[("POST /tokens", 1), ("POST /search", 1)] },
    Story {
        name: "request, approve, download",
        operations: &[
            ("POST /records/{id}/requests", 1),
            ("consumer access.requested.v1", 1),
            ("workflow verify", 1),
            ("consumer access.verified.v1", 1),
            ("workflow await", 1),
            ("GET /requests", 1),
            ("POST /requests/{id}/approve", 1),
            ("consumer access.approved.v1", 1),
            ("GET /requests/{id}", 1),
            ("POST /requests/{id}/key", 1),
            ("consumer key.issued.v1", 1),
            ("POST /requests/{id}/download", 1),
            ("consumer record.downloaded.v1", 1),
            ("workflow wait-over", 1),
            ("consumer access.expired.v1", 1),
            ("sweeper, after a request", 1),
            ("sweeper", -1),
        ],
    },
    Story { name: IDLE, operations: &[("sweeper", 60 * 24 * 30)] },
];

/// What goes with an operation beside its calls. The workflow's states are those of `infra/workflows/approval.asl.json`.
pub fn around(name: &str) -> Around {
    let operation = name.split(", ").next().unwrap_or(name);
    let api_requests = u32::from(is_route(operation));
    let around = Around { api_requests, ..Around::default() };
    match name {
        // HasTrace, Verify, IsVerified
        "workflow verify" => Around { transitions: 3, ..around },
        // AwaitDecision; EndWait
        "workflow await" | "workflow wait-over" => Around { transitions: 1, ..around },
        // IsApproved, WaitUntilOver; IsApproved, Closed
        "consumer access.approved.v1" | "consumer access.denied.v1" => Around { transitions: 2, ..around },
        "commit" | "commit, again" => Around { events: 1, ..around },
        "POST /records/{id}/upload" => Around { client_puts: 1, ..around },
        "POST /records/{id}/upload/parts" => Around { client_puts: 2, ..around },
        "POST /requests/{id}/download" | "POST /records/{id}/download" => Around { client_gets: 1, ..around },
        _ => around,
    }
}

/// Whether this is an operation of the HTTP API.
pub fn is_route(name: &str) -> bool {
    ["GET ", "POST ", "PUT ", "DELETE "].iter().any(|method| name.starts_with(method))
}

/// What a story costs a million times, in US dollars, by name.
pub fn stories(prices: &Prices, measured: &[Measured]) -> Vec<(&'static str, f64)> {
    let costs: BTreeMap<&str, f64> = measured.iter().map(|row| (row.name.as_str(), cost(prices, row))).collect();
    let of = |story: &Story| {
        let parts = story.operations.iter().map(|(name, times)| costs[name] * f64::from(*times));
        (story.name, parts.sum())
    };
    STORIES.iter().map(of).collect()
}

/// The stories' costs as metrics: name, value and unit.
pub fn metrics(prices: &Prices, measured: &[Measured]) -> Vec<(String, f64, &'static str)> {
    let named = |(name, usd): (&'static str, f64)| {
        let (value, unit) = if name == IDLE { (usd / 1e6, "USD") } else { (usd, "USD a million") };
        (format!("cost: {name}"), value, unit)
    };
    stories(prices, measured).into_iter().map(named).collect()
}

fn cost(prices: &Prices, row: &Measured) -> f64 {
    prices.per_million(&row.figures, around(&row.name))
}

/// Everything as Markdown.
pub fn markdown(prices: &Prices, measured: &[Measured]) -> String {
    let head = "| operation | situation | calls | rounds | read units | write units | bytes sent / received | answer | USD a million |";
    let mut lines = vec![head.to_owned(), "|---|---|---|---:|---:|---:|---:|---:|---:|".to_owned()];
    lines.extend(measured.iter().map(|row| {
        let Figures { rounds, read_units, write_units, sent_bytes, received_bytes, answer_bytes, .. } = &row.figures;
        let (name, situation, calls, usd) = (&row.name, &row.situation, calls(&row.figures), cost(prices, row));
        format!(
            "| `{name}` | {situation} | {calls} | {rounds} | {read_units} | {write_units} | {sent_bytes} / {received_bytes} | {answer_bytes} | {usd:.2} |"
        )
    }));
    lines.push(String::new());
    lines.push("| story | USD each |".to_owned());
    lines.push("|---|---:|".to_owned());
    lines.extend(stories(prices, measured).into_iter().map(|(name, usd)| format!("| {name} | {:.6} |", usd / 1e6)));
    lines.join("\n")
}

/// What grows, as Markdown.
pub fn growth(prices: &Prices, measured: &[Measured]) -> String {
    let head = "| operation | situation | rounds | read units | write units | answer | USD a million |";
    let mut lines = vec![head.to_owned(), "|---|---|---:|---:|---:|---:|---:|".to_owned()];
    lines.extend(measured.iter().filter(|row| row.situation.ends_with("downloads before")).map(|row| {
        let Figures { rounds, read_units, write_units, answer_bytes, .. } = &row.figures;
        let (name, situation, usd) = (&row.name, &row.situation, cost(prices, row));
        format!("| `{name}` | {situation} | {rounds} | {read_units} | {write_units} | {answer_bytes} | {usd:.2} |")
    }));
    lines.join("\n")
}

/// `6 Query, 1 PutItem; KMS Decrypt`: of DynamoDB without its name.
fn calls(figures: &Figures) -> String {
    let named = figures.calls.iter().map(|(name, count)| {
        let name = name.strip_prefix("DynamoDB ").unwrap_or(name);
        format!("{count} {name}")
    });
    let text = named.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "none".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workflows_states_are_all_counted() {
        let asl: serde_json::Value = serde_json::from_str(
            include_str!("../../../infra/workflows/approval.asl.json")
                .split("${DecisionSeconds}")
                .collect::<Vec<_>>()
                .join("1")
                .as_str(),
        )
        .expect("a state machine");
        let mut state = asl["StartAt"].as_str().expect("a state").to_owned();
        let mut passed = 1;
        while asl["States"][&state]["End"] != true {
            let described = &asl["States"][&state];
            // A choice's first way is the one to an approval.
            let next = described["Next"].as_str().or_else(|| described["Choices"][0]["Next"].as_str());
            next.expect("a state").clone_into(&mut state);
            passed += 1;
        }
        let names = ["workflow verify", "workflow await", "consumer access.approved.v1", "workflow wait-over"];
        assert_eq!(names.map(|name| around(name).transitions).iter().sum::<u32>(), passed);
    }

    #[test]
    fn routes_are_told_from_reactions() {
        assert_eq!(around("POST /tokens, first of a process").api_requests, 1);
        assert_eq!(around("consumer record.created.v1").api_requests, 0);
    }
}
