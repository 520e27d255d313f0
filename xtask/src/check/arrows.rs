//! Which crate may link which (docs/ARCHITECTURE.md, DESIGN section 2), computed from `cargo metadata`.
//!
//! Three rules: an edge between two of our crates must be in the table; AWS and Lambda crates are linked by `infra` and by
//! functions alone; what must stay pure or must not trust server code is clean through its whole tree of dependencies.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::process::{Failure, cargo, quiet};

/// What each crate may link of ours. A function is any crate below `functions/` that is not named here.
const EDGES: &[(&str, &[&str])] = &[
    ("chartseal-events", &[]),
    ("chartseal-ledger", &["chartseal-events"]),
    ("chartseal-replay", &["chartseal-events", "chartseal-ledger"]),
    ("chartseal-envelope", &[]),
    ("chartseal-interop", &["chartseal-envelope", "chartseal-local"]),
    ("chartseal-infra", &["chartseal-events", "chartseal-ledger", "chartseal-envelope"]),
    ("chartseal-local", &[]),
    ("chartseal-http", SHARED_EDGES),
    ("chartseal-reactions", SHARED_EDGES),
    ("chartseal-cli", &["chartseal-events", "chartseal-ledger", "chartseal-replay", "chartseal-envelope"]),
    // An operator's tool: it reads the store through infra, and no client and no function links it.
    ("chartseal-audit", &["chartseal-events", "chartseal-envelope", "chartseal-infra"]),
    // A witness or mirror: a client that stays. Nothing links it.
    ("chartseal-node", &["chartseal-events", "chartseal-ledger", "chartseal-replay", "chartseal-cli"]),
    ("xtask", &["chartseal-local"]),
];

/// What the libraries that functions share may link of ours, and every function too.
const SHARED_EDGES: &[&str] = &["chartseal-events", "chartseal-ledger", "chartseal-envelope", "chartseal-infra"];

/// Those libraries.
const SHARED: &[&str] = &["chartseal-http", "chartseal-reactions"];

/// Describe what all functions do, so they link them.
const ABOVE_FUNCTIONS: &[&str] = &["chartseal-openapi"];

/// Tests drive everything. Nothing links them.
const TESTS: &[&str] = &["chartseal-tests", "chartseal-budgets", "chartseal-panics"];

/// Pure: no async, no clock, no network, no AWS types. The replay keeps files, and is as pure otherwise.
const PURE: &[&str] = &["chartseal-events", "chartseal-ledger", "chartseal-replay", "chartseal-envelope"];

/// What a pure crate never links, however deep.
const IMPURE: &[&str] = &["tokio", "async-std", "hyper", "reqwest", "ureq", "mio"];

/// A verifier must not trust server code.
const CLIENTS: &[&str] = &["chartseal-cli", "chartseal-node"];

/// How one package depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Normal,
    Dev,
    Build,
}

/// A package as `cargo metadata` resolved it.
struct Package {
    name: String,
    in_functions: bool,
    ours: bool,
    links: Vec<(Kind, String)>,
}

/// The resolved tree, by package id.
struct Graph(BTreeMap<String, Package>);

/// Reads the tree and applies the rules.
pub fn check() -> Result<String, Failure> {
    let advice = "is Cargo.lock current? `cargo metadata` says what is wrong with the manifests";
    let metadata = quiet(&mut cargo(&["metadata", "--format-version", "1", "--locked"]), advice)?;
    let graph = serde_json::from_str(&metadata.stdout).ok().and_then(|value| Graph::read(&value)).ok_or_else(|| {
        Failure::new("`cargo metadata` answered in a form this check does not know", "mend xtask/src/check/arrows.rs")
    })?;
    let (edges, refused) = graph.judge();
    if refused.is_empty() {
        return Ok(format!("{edges} edges between our crates"));
    }
    Err(Failure::new(refused.join("\n"), "turn the dependency round, or move the code to where it may link it"))
}

impl Graph {
    /// `None`: not the metadata this was written for.
    fn read(metadata: &Value) -> Option<Self> {
        let root = metadata["workspace_root"].as_str()?;
        let members: BTreeSet<&str> =
            metadata["workspace_members"].as_array()?.iter().filter_map(Value::as_str).collect();
        let functions = format!("{root}/functions/");
        let mut packages = BTreeMap::new();
        for package in metadata["packages"].as_array()? {
            let id = package["id"].as_str()?;
            let read = Package {
                name: package["name"].as_str()?.to_owned(),
                in_functions: package["manifest_path"].as_str()?.starts_with(&functions),
                ours: members.contains(id),
                links: Vec::new(),
            };
            packages.insert(id.to_owned(), read);
        }
        for node in metadata["resolve"]["nodes"].as_array()? {
            let package = packages.get_mut(node["id"].as_str()?)?;
            for link in node["deps"].as_array()? {
                let target = link["pkg"].as_str()?;
                for kind in link["dep_kinds"].as_array()? {
                    let kind = match kind["kind"].as_str() {
                        Some("dev") => Kind::Dev,
                        Some("build") => Kind::Build,
                        _ => Kind::Normal,
                    };
                    package.links.push((kind, target.to_owned()));
                }
            }
            package.links.sort();
            package.links.dedup();
        }
        Some(Self(packages))
    }

    /// The number of edges between our crates, and a line for each that must not be.
    fn judge(&self) -> (usize, Vec<String>) {
        let mut edges = 0;
        let mut refused = Vec::new();
        for (id, package) in self.0.iter().filter(|(_, package)| package.ours) {
            for (kind, target) in &package.links {
                let Some(target) = self.0.get(target) else { continue };
                if target.ours {
                    edges += 1;
                }
                refused.extend(refusal(package, *kind, target));
            }
            refused.extend(self.deep_refusals(id, package));
        }
        (edges, refused)
    }

    /// What a package reaches through normal dependencies and must not.
    fn deep_refusals(&self, id: &str, package: &Package) -> Vec<String> {
        let name = package.name.as_str();
        let forbidden = |found: &Package| -> Option<&'static str> {
            let reached = found.name.as_str();
            if PURE.contains(&name) && (IMPURE.contains(&reached) || is_aws(reached)) {
                return Some("a pure crate links no runtime and no network");
            }
            let server = reached == "chartseal-infra" || found.in_functions || is_aws(reached);
            (CLIENTS.contains(&name) && server).then_some("a client links no server code")
        };
        let mut refused = Vec::new();
        let mut seen = BTreeSet::from([id]);
        let mut paths = vec![(id, package.name.clone())];
        while let Some((at, path)) = paths.pop() {
            for (kind, target) in self.0.get(at).map(|package| package.links.as_slice()).unwrap_or_default() {
                let Some(found) = self.0.get(target) else { continue };
                if *kind != Kind::Normal || !seen.insert(target) {
                    continue;
                }
                let path = format!("{path} -> {}", found.name);
                match forbidden(found) {
                    Some(reason) => refused.push(format!("{path}: {reason}")),
                    None => paths.push((target, path)),
                }
            }
        }
        refused
    }
}

/// Crates of the AWS SDK and of the Lambda runtime.
fn is_aws(name: &str) -> bool {
    let sdk = ["aws-sdk-", "aws-smithy-"].iter().any(|prefix| name.starts_with(prefix));
    sdk || ["aws-config", "aws-types", "aws-credential-types", "aws-sigv4", "lambda_http", "lambda_runtime"]
        .contains(&name)
}

/// Why a direct edge must not be; `None` if it may.
fn refusal(from: &Package, kind: Kind, to: &Package) -> Option<String> {
    let edge = format!("{} -> {}", from.name, to.name);
    // Tests and examples may start the local stack, which links nothing of ours; a function's tests may run its neighbours, and replay what it wrote.
    let neighbours = from.in_functions && (to.in_functions || to.name == "chartseal-replay");
    if TESTS.contains(&from.name.as_str()) || (kind == Kind::Dev && (neighbours || to.name == "chartseal-local")) {
        return None;
    }
    if is_aws(&to.name) {
        let lambda = from.name == "chartseal-http" && to.name.starts_with("lambda_");
        let function = from.in_functions && !SHARED.contains(&from.name.as_str());
        let allowed = from.name == "chartseal-infra" || function || lambda;
        return (!allowed).then(|| format!("{edge}: AWS crates are linked by infra and by functions alone"));
    }
    // A crate that tests itself with one more feature links itself.
    if !to.ours || from.name == to.name {
        return None;
    }
    let allowed = match EDGES.iter().find(|(name, _)| *name == from.name) {
        Some((_, allowed)) => allowed.contains(&to.name.as_str()),
        None if from.in_functions => {
            SHARED_EDGES.contains(&to.name.as_str())
                || SHARED.contains(&to.name.as_str())
                || (to.in_functions && ABOVE_FUNCTIONS.contains(&from.name.as_str()))
        }
        None => return Some(format!("{edge}: {} has no place in the table of arrows", from.name)),
    };
    (!allowed).then(|| format!("{edge}: not one of the arrows"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn folder(name: &str) -> String {
        let functions = ["http", "openapi", "reactions", "records", "search"];
        let function = name.strip_prefix("chartseal-").filter(|function| functions.contains(function));
        function.map_or_else(|| name.to_owned(), |function| format!("functions/{function}"))
    }

    /// A workspace of the named packages with these links: (from, to, kind).
    fn graph(links: &[(&str, &str, Option<&str>)]) -> Graph {
        let names: BTreeSet<&str> = links.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        let ours = |name: &str| name.starts_with("chartseal-") || name == "xtask";
        let packages: Vec<Value> = names
            .iter()
            .map(|name| json!({"name": name, "id": name, "manifest_path": format!("/w/{}/Cargo.toml", folder(name))}))
            .collect();
        let nodes: Vec<Value> = names
            .iter()
            .map(|name| {
                let deps: Vec<Value> = links
                    .iter()
                    .filter(|(from, _, _)| from == name)
                    .map(|(_, to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]}))
                    .collect();
                json!({"id": name, "deps": deps})
            })
            .collect();
        let members: Vec<&str> = names.iter().copied().filter(|name| ours(name)).collect();
        let metadata = json!({"workspace_root": "/w", "workspace_members": members, "packages": packages, "resolve": {"nodes": nodes}});
        Graph::read(&metadata).expect("the form of `cargo metadata`")
    }

    fn refused(links: &[(&str, &str, Option<&str>)]) -> Vec<String> {
        graph(links).judge().1
    }

    #[test]
    fn the_houses_own_arrows_pass() {
        let links = [
            ("chartseal-ledger", "chartseal-events", None),
            ("chartseal-infra", "chartseal-ledger", None),
            ("chartseal-infra", "aws-sdk-s3", None),
            ("chartseal-infra", "chartseal-local", Some("dev")),
            ("chartseal-records", "chartseal-infra", None),
            ("chartseal-records", "chartseal-http", None),
            ("chartseal-records", "aws-config", None),
            ("chartseal-http", "lambda_http", None),
            ("chartseal-http", "chartseal-http", Some("dev")),
            ("chartseal-openapi", "chartseal-records", None),
            ("chartseal-replay", "chartseal-ledger", None),
            ("chartseal-cli", "chartseal-replay", None),
            ("chartseal-cli", "chartseal-envelope", None),
            ("chartseal-cli", "ureq", None),
            ("chartseal-audit", "chartseal-infra", None),
            ("chartseal-records", "chartseal-replay", Some("dev")),
            ("chartseal-tests", "chartseal-infra", Some("dev")),
            ("xtask", "chartseal-local", None),
        ];
        assert_eq!(graph(&links).judge(), (14, Vec::new()));
    }

    #[test]
    fn a_wrong_edge_is_refused() {
        for (from, to) in [
            ("chartseal-events", "chartseal-ledger"),
            ("chartseal-envelope", "chartseal-infra"),
            ("chartseal-ledger", "chartseal-replay"),
            ("chartseal-replay", "chartseal-infra"),
            ("chartseal-records", "chartseal-replay"),
            ("chartseal-cli", "chartseal-local"),
            ("chartseal-cli", "chartseal-audit"),
            ("chartseal-records", "chartseal-audit"),
            ("chartseal-audit", "aws-sdk-s3"),
            ("chartseal-records", "chartseal-search"),
            ("chartseal-infra", "chartseal-http"),
            ("xtask", "chartseal-infra"),
            ("chartseal-stranger", "chartseal-events"),
            ("chartseal-http", "aws-sdk-kms"),
            ("chartseal-local", "aws-config"),
            ("chartseal-reactions", "aws-sdk-sfn"),
            ("chartseal-reactions", "lambda_runtime"),
            ("chartseal-reactions", "chartseal-http"),
        ] {
            for kind in [None, Some("dev"), Some("build")] {
                let in_functions = |name: &str| folder(name).starts_with("functions/");
                let neighbours = in_functions(from) && (in_functions(to) || to == "chartseal-replay");
                if kind == Some("dev") && (neighbours || to == "chartseal-local") {
                    assert!(refused(&[(from, to, kind)]).is_empty(), "tests of {from} may use {to}");
                    continue;
                }
                let refused = refused(&[(from, to, kind)]);
                assert!(
                    refused.iter().any(|line| line.starts_with(&format!("{from} -> {to}: "))),
                    "{from} -> {to} passed"
                );
            }
        }
    }

    #[test]
    fn a_pure_crate_is_clean_all_the_way_down() {
        let found = refused(&[("chartseal-events", "hpke", None), ("hpke", "tokio", None)]);
        assert_eq!(found, ["chartseal-events -> hpke -> tokio: a pure crate links no runtime and no network"]);
        let only_in_tests = [("chartseal-events", "proptest", Some("dev")), ("proptest", "tokio", None)];
        assert!(refused(&only_in_tests).is_empty());
    }

    #[test]
    fn a_client_never_reaches_server_code() {
        let found = refused(&[("chartseal-cli", "middle", None), ("middle", "chartseal-infra", None)]);
        assert_eq!(found, ["chartseal-cli -> middle -> chartseal-infra: a client links no server code"]);
    }

    #[test]
    fn an_unknown_form_is_not_a_pass() {
        assert!(Graph::read(&json!({"packages": []})).is_none());
    }
}
