//! What a deployment refuses before it sends anything. (That it works is the end-to-end stories' to show: they need the binaries.)

use std::collections::BTreeMap;
use std::net::TcpListener;

use chartseal_local::{Deployment, Endpoint, Error, FUNCTIONS, Workspace, deploy, install};

/// A deployment to an address where nobody listens: a refusal must come without asking.
fn deployment(parameter: (&str, &str)) -> (tempfile::TempDir, Deployment) {
    let empty = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let deployment = Deployment {
        endpoint: Endpoint::emulated(format!("http://127.0.0.1:{port}")),
        stack_name: "refused".to_owned(),
        parameters: BTreeMap::from([(parameter.0.to_owned(), parameter.1.to_owned())]),
        binaries: empty.path().to_path_buf(),
    };
    (empty, deployment)
}

fn refusal(parameter: (&str, &str)) -> String {
    let workspace = Workspace::find().unwrap();
    install(&workspace).unwrap();
    let (_folder, deployment) = deployment(parameter);
    let error = deploy(&workspace, &deployment).unwrap_err();
    assert!(matches!(error, Error::Deploy { .. }), "{error}");
    error.to_string()
}

#[test]
fn functions_that_were_not_built_are_all_named_with_what_to_do() {
    let refusal = refusal(("Origin", "vault.test"));
    assert!(FUNCTIONS.iter().all(|function| refusal.contains(function)), "{refusal}");
    assert!(refusal.contains("build the functions first"), "{refusal}");
}

#[test]
fn a_parameter_that_the_template_does_not_have_is_named() {
    let refusal = refusal(("OperatorKey", "x"));
    assert!(refusal.contains("no parameter OperatorKey"), "{refusal}");
}
