//! The invocation samples in events/samples: one or more for each function, and none for a route that the template does not have.

use std::collections::BTreeMap;
use std::fs;

use chartseal_local::{FUNCTIONS, Workspace, function_of};
use serde_json::Value;

fn samples(workspace: &Workspace) -> BTreeMap<String, Value> {
    let entries = fs::read_dir(workspace.root().join("events/samples")).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let sample = serde_json::from_slice(&fs::read(&path).unwrap());
            (
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                sample.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            )
        })
        .collect()
}

#[test]
fn every_function_has_a_sample_and_every_sample_a_function() {
    let workspace = Workspace::find().unwrap();
    let samples = samples(&workspace);
    let strays: Vec<_> = samples.keys().filter(|sample| function_of(sample).is_none()).collect();
    assert!(strays.is_empty(), "{strays:?}");
    let without: Vec<_> = FUNCTIONS
        .into_iter()
        .filter(|function| !samples.keys().any(|sample| function_of(sample) == Some(function)))
        .collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn every_http_sample_is_for_a_route_of_its_function() {
    let workspace = Workspace::find().unwrap();
    let template = fs::read_to_string(workspace.template()).unwrap();
    for (name, sample) in samples(&workspace) {
        let Some(route) = sample["routeKey"].as_str() else { continue };
        let line = template
            .lines()
            .find(|line| line.contains(&format!("RouteKey: '{route}'")))
            .unwrap_or_else(|| panic!("{name}: template.yaml has no route {route}"));
        let function = function_of(&name).unwrap();
        let integration = line.split_once("integrations/${").unwrap().1.split_once("Integration}").unwrap().0;
        assert_eq!(integration.to_lowercase(), function.replace('-', ""), "{name}: {route}");
        assert_eq!(sample["requestContext"]["routeKey"], route, "{name}");
        assert_eq!(sample["rawPath"], sample["requestContext"]["http"]["path"], "{name}");
    }
}
