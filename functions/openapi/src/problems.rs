//! The refusals of a route, as responses of its operation, one for each status.

use std::collections::BTreeMap;

use chartseal_events::Code;
use chartseal_http::{Access, RouteEntry};
use serde_json::{Map, Value, json};

/// Adds a route's problems, and to commands the answer of a repeated one.
pub(crate) fn add(operation: &mut Map<String, Value>, route: &RouteEntry) {
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    if route.access == Access::Command {
        let mut repeated = responses["201"].clone();
        repeated["description"] = "The same command had been taken before; this is its event.".into();
        responses["200"] = repeated;
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in route.codes() {
        by_status.entry(code.status()).or_default().push(code);
    }
    for (status, codes) in by_status {
        let lines: Vec<String> = codes.iter().map(|code| format!("- `{code}`: {}", code.title())).collect();
        let names: Vec<&str> = codes.iter().map(|code| code.name()).collect();
        responses[status.to_string()] = json!({
            "description": lines.join("\n"),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            "x-codes": names,
        });
    }
}
