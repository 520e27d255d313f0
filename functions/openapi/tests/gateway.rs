//! template.yaml's routes, held against docs/openapi.json and against the functions: what the gateway sends to whom.
//!
//! In scope: `AWS::ApiGatewayV2::Route`, its integration, and the program that the integration's function runs. Each of the three is found by its
//! lines, since the template is the one YAML file here; a route whose lines read otherwise is noticed, because the resources are counted.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_http::RouteEntry;
use chartseal_local::{Operation, operations};
use chartseal_openapi::functions;

const TEMPLATE: &str = include_str!("../../../template.yaml");
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// What answers a call that has no route: a problem, from the function that asks for nothing.
const NO_ROUTE: &str = "$default";

/// Which program serves which route.
type Served = BTreeMap<String, String>;

/// The lines of each resource, by its name.
fn resources(template: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut resources: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for line in template.lines() {
        match line.strip_prefix("  ") {
            Some(inner) if !inner.starts_with([' ', '#']) => name = inner.trim_end_matches(':'),
            _ => resources.entry(name).or_default().push(line),
        }
    }
    resources
}

/// What stands between two texts in a resource.
fn between<'a>(lines: &[&'a str], before: &str, after: &str) -> Option<&'a str> {
    lines.iter().find_map(|line| Some(line.split_once(before)?.1.split_once(after)?.0))
}

/// The routes of a template, each with the program that it leads to.
fn of_gateway(template: &str) -> Result<Served, String> {
    let resources = resources(template);
    let mut served = Served::new();
    let mut found = 0;
    for (name, lines) in &resources {
        if !lines.iter().any(|line| line.trim() == "Type: AWS::ApiGatewayV2::Route") {
            continue;
        }
        found += 1;
        let lost = |what: &str| format!("{name}: no {what}");
        let key = between(lines, "RouteKey: ", ", ").ok_or_else(|| lost("key"))?.trim_matches('\'');
        // OpenAPI has no word for a value with slashes.
        let key = key.replace("+}", "}");
        let integration = between(lines, "Target: !Sub 'integrations/${", "}'").ok_or_else(|| lost("target"))?;
        let integration = resources.get(integration).ok_or_else(|| lost("integration"))?;
        let uri = integration.iter().find_map(|line| line.trim().strip_prefix("IntegrationUri: !GetAtt "));
        let function = uri.and_then(|uri| uri.strip_suffix(".Arn")).ok_or_else(|| lost("function"))?;
        let function = resources.get(function).ok_or_else(|| lost("function"))?;
        let binary = between(function, "Binary: ", "}").ok_or_else(|| lost("program"))?;
        if served.insert(key.clone(), binary.to_owned()).is_some() {
            return Err(format!("{key} is there twice"));
        }
    }
    let all = template.matches("AWS::ApiGatewayV2::Route").count();
    if found == all { Ok(served) } else { Err(format!("{all} routes, and {found} can be read")) }
}

/// The operations of a document.
fn of_document(text: &str) -> BTreeSet<String> {
    operations(text).expect("an OpenAPI document").iter().map(Operation::name).collect()
}

/// Which program's code has which route.
fn of_functions() -> Served {
    let each = functions().into_iter().flat_map(|(program, routes)| {
        let name = |route: RouteEntry| format!("{} {}", route.method, route.pattern).replace("+}", "}");
        routes.into_iter().map(move |route| (name(route), program.to_owned()))
    });
    each.collect()
}

/// What does not fit, one sentence for each.
fn differences(template: &str, document: &str) -> Vec<String> {
    let mut served = match of_gateway(template) {
        Ok(served) => served,
        Err(why) => return vec![why],
    };
    let mut wrong = Vec::new();
    if served.remove(NO_ROUTE).as_deref() != Some("healthz") {
        wrong.push("what has no route does not go to healthz".to_owned());
    }
    let (operations, code) = (of_document(document), of_functions());
    for operation in &operations {
        let (gateway, code) = (served.get(operation), code.get(operation));
        match gateway {
            None => wrong.push(format!("no route: {operation}")),
            Some(program) if code != Some(program) => {
                wrong.push(format!("{operation} goes to {program}, and {code:?} serves it"));
            }
            Some(_) => {}
        }
    }
    let undocumented = served.keys().filter(|route| !operations.contains(*route));
    wrong.extend(undocumented.map(|route| format!("no operation: {route}")));
    wrong
}

#[test]
fn the_gateway_sends_each_operation_to_the_function_that_serves_it() {
    assert_eq!(differences(TEMPLATE, DOCUMENT), [""; 0]);
}

#[test]
fn what_does_not_fit_is_noticed() {
    let broken = |from: &str, to: &str| {
        assert!(TEMPLATE.contains(from), "{from}");
        differences(&TEMPLATE.replacen(from, to, 1), DOCUMENT)
    };
    let moved = broken("'POST /search'", "'POST /find'");
    assert_eq!(moved, ["no route: POST /search", "no operation: POST /find"]);
    let search = "'POST /search', Target: !Sub 'integrations/${SearchIntegration}'";
    let astray = broken(search, "'POST /search', Target: !Sub 'integrations/${TokensIntegration}'");
    assert_eq!(astray, ["POST /search goes to tokens, and Some(\"search\") serves it"]);
    let other_function =
        broken("IntegrationUri: !GetAtt SearchFunction.Arn", "IntegrationUri: !GetAtt TokensFunction.Arn");
    assert_eq!(other_function, astray);
    let other_program = broken("{Binary: search}", "{Binary: tokens}");
    assert_eq!(other_program, astray);
    assert_eq!(broken("RouteKey: 'POST /search'", "Key: 'POST /search'").len(), 1);
    let closed = broken("RouteKey: $default", "RouteKey: 'GET /nothing'");
    assert_eq!(closed, ["what has no route does not go to healthz", "no operation: GET /nothing"]);
    let undocumented = differences(TEMPLATE, &DOCUMENT.replacen("\"/search\": {", "\"/found\": {", 1));
    assert_eq!(undocumented, ["no route: POST /found", "no operation: POST /search"]);
}
