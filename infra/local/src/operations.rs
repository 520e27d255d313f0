//! The operations of docs/openapi.json, for whatever must have one thing for each of them: a row, a call, a price, a route of the template.
//!
//! Not in scope: what is said of an operation; who needs that reads it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What can be called.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// In capitals.
    pub method: String,
    /// With `{name}` for what varies.
    pub path: String,
    /// What the document says of it.
    pub described: Value,
}

impl Operation {
    /// `GET /records/{id}`
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// The part of a document that is read.
#[derive(Deserialize)]
struct Document {
    paths: BTreeMap<String, BTreeMap<String, Value>>,
}

/// Every operation of an OpenAPI document, by path.
pub fn operations(document: &str) -> Result<Vec<Operation>, serde_json::Error> {
    let Document { paths } = serde_json::from_str(document)?;
    let mut operations = Vec::new();
    for (path, methods) in paths {
        let of_path = methods.into_iter().map(|(method, described)| Operation {
            method: method.to_uppercase(),
            path: path.clone(),
            described,
        });
        operations.extend(of_path);
    }
    Ok(operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_of_each_path_is_one() {
        let document =
            r#"{"openapi": "3.1.0", "paths": {"/a": {"get": {"tags": ["x"]}, "post": {}}, "/b/{id}": {"get": {}}}}"#;
        let operations = operations(document).unwrap();
        let names: Vec<String> = operations.iter().map(Operation::name).collect();
        assert_eq!(names, ["GET /a", "POST /a", "GET /b/{id}"]);
        assert_eq!(operations[0].described["tags"][0], "x");
        assert!(super::operations("{}").is_err(), "no paths are no document");
    }
}
