//! The documents that are generated from the code: `docs/openapi.json` (OpenAPI 3.1) and `docs/ERRORS.md`.
//!
//! Each function describes its own routes (`utoipa::path` on its handlers) and lists them with their problem codes (`ROUTES`). Here the two are
//! held against each other and put together; what one has and the other has not is an error, so a route cannot be forgotten.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod errors;
mod problems;

use std::collections::BTreeSet;

use chartseal_http::{Access, Route, RouteEntry};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

pub use errors::errors;

/// What every call has in common; the beginning of the document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "chartseal",
        description = "A vault for patient records that healthcare providers share.\n\n\
            Every call that changes something is a command: a compact JWS in the body, signed by a person's wallet and kept for ever in the \
            event it leads to. The same command twice is one event: 201 first, 200 from then on, with the same answer. Every read carries a \
            read token of the same wallet. docs/EVENT-LOG.md has the formats, docs/ERRORS.md the problem codes.\n\n\
            SHA-256 values are lower-case hex; all other bytes are base64url without padding; times are Unix milliseconds; ids are ULIDs. \
            Every answer has a `date` header, by which a client corrects its clock before it signs.",
    ),
    tags(
        (name = "vault", description = "Whether the vault answers, and where trust in it begins."),
        (name = "ledger", description = "The signed log of all events, for anybody to check: hashes. What its events say is for operators and auditors."),
        (name = "operators", description = "Who runs the vault."),
        (name = "auditors", description = "Who may read what operators read."),
        (name = "providers", description = "Who may use the vault."),
        (name = "records", description = "Encrypted records: create, announce, upload, list, download."),
        (name = "keys", description = "Data keys, sealed to one wallet."),
        (name = "requests", description = "Access to another provider's records."),
        (name = "search", description = "Blind terms and search over their tokens."),
    ),
    components(schemas(chartseal_events::wire::Problem))
)]
struct Base;

/// Why the document cannot be made: the code does not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A route that no handler describes.
    #[error("{0} is in a function's ROUTES, and no handler describes it")]
    Undescribed(String),
    /// A description of what is no route.
    #[error("{0} is described by a handler, and in no function's ROUTES")]
    NoRoute(String),
    /// Two handlers under one name.
    #[error("two handlers are named {0}")]
    SameName(String),
    /// The document is not one.
    #[error("the document does not serialise")]
    Json,
}

fn entries<T: Copy>(routes: &[Route<T>]) -> Vec<RouteEntry> {
    routes.iter().map(Route::entry).collect()
}

/// The functions that the gateway calls, by the names of their programs, each with its routes.
pub fn functions() -> Vec<(&'static str, Vec<RouteEntry>)> {
    vec![
        ("healthz", entries(chartseal_healthz::ROUTES)),
        ("ledger-api", entries(chartseal_ledger_api::ROUTES)),
        ("register", entries(chartseal_register::ROUTES)),
        ("records", entries(chartseal_records::ROUTES)),
        ("uploads", entries(chartseal_uploads::ROUTES)),
        ("issue-key", entries(chartseal_issue_key::ROUTES)),
        ("tokens", entries(chartseal_tokens::ROUTES)),
        ("search", entries(chartseal_search::ROUTES)),
        ("request", entries(chartseal_request::ROUTES)),
        ("decide", entries(chartseal_decide::ROUTES)),
        ("download", entries(chartseal_download::ROUTES)),
    ]
}

/// Every route of the API.
pub fn routes() -> Vec<RouteEntry> {
    functions().into_iter().flat_map(|(_, routes)| routes).collect()
}

/// `docs/openapi.json`.
pub fn openapi() -> Result<String, Unfit> {
    let mut api = Base::openapi();
    for function in [
        chartseal_healthz::Api::openapi(),
        chartseal_ledger_api::Api::openapi(),
        chartseal_register::Api::openapi(),
        chartseal_records::Api::openapi(),
        chartseal_uploads::Api::openapi(),
        chartseal_issue_key::Api::openapi(),
        chartseal_tokens::Api::openapi(),
        chartseal_search::Api::openapi(),
        chartseal_request::Api::openapi(),
        chartseal_decide::Api::openapi(),
        chartseal_download::Api::openapi(),
    ] {
        api.merge(function);
    }
    let mut document = serde_json::to_value(api).map_err(|_| Unfit::Json)?;
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["info"]["license"] = json!({"name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT"});
    document["components"]["securitySchemes"]["readToken"] = json!({
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An EdDSA JWT of type chartseal-read+jwt, signed by the caller's wallet for this method and path, at most 60 seconds old.",
    });
    let routes = routes();
    complete(&mut document, &routes)?;
    let text = serde_json::to_string_pretty(&sorted(document)).map_err(|_| Unfit::Json)?;
    Ok(text + "\n")
}

/// Adds to every operation what follows from its route, and checks that routes and descriptions are the same.
fn complete(document: &mut Value, routes: &[RouteEntry]) -> Result<(), Unfit> {
    let mut names = BTreeSet::new();
    let mut done = BTreeSet::new();
    for route in routes {
        let method = route.method.to_ascii_lowercase();
        let name = format!("{} {}", route.method, route.pattern);
        // OpenAPI has no word for a value with slashes.
        let pattern = route.pattern.replace("+}", "}");
        let operation = document["paths"].get_mut(&pattern).and_then(|path| path.get_mut(&method));
        let operation = operation.and_then(Value::as_object_mut).ok_or_else(|| Unfit::Undescribed(name.clone()))?;
        let id = operation_id(operation);
        if !names.insert(id.clone()) {
            return Err(Unfit::SameName(id));
        }
        operation.insert("operationId".to_owned(), id.into());
        let security = if route.access == Access::Read { json!([{"readToken": []}]) } else { json!([]) };
        operation.insert("security".to_owned(), security);
        problems::add(operation, route);
        done.insert((pattern, method));
    }
    let described = document["paths"].as_object().into_iter().flatten();
    for (path, operations) in described {
        for method in operations.as_object().into_iter().flat_map(Map::keys) {
            if !done.contains(&(path.clone(), method.clone())) {
                return Err(Unfit::NoRoute(format!("{} {path}", method.to_ascii_uppercase())));
            }
        }
    }
    Ok(())
}

/// `<tag>_<handler>`: handlers of different functions may have the same name.
fn operation_id(operation: &Map<String, Value>) -> String {
    let tag = operation.get("tags").and_then(|tags| tags[0].as_str()).unwrap_or_default();
    let handler = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
    format!("{tag}_{handler}")
}

/// The same document with its members in order, whatever order serde_json was built to keep.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(members.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_every_reference_leads_somewhere() {
        let text = openapi().expect("routes and descriptions fit");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        assert!(document["openapi"].as_str().expect("a version").starts_with("3.1"));
        assert!(text.ends_with("}\n"));
        let mut references = BTreeSet::new();
        find_references(&document, &mut references);
        assert!(references.contains("#/components/schemas/Problem"));
        for reference in references {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    fn find_references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| find_references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| find_references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn a_route_without_description_and_a_description_without_route_are_noticed() {
        let routes = routes();
        let mut nothing = json!({"paths": {}});
        assert!(matches!(complete(&mut nothing, &routes), Err(Unfit::Undescribed(_))));
        let mut more = json!({"paths": {"/nothing": {"get": {"operationId": "x", "tags": ["y"]}}}});
        assert_eq!(complete(&mut more, &[]), Err(Unfit::NoRoute("GET /nothing".to_owned())));
    }
}
