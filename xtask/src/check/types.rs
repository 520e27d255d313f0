//! What is TypeScript must type-check: `portal/envelope/`, its sources for any browser, its tests for Node.

use chartseal_local::{Error, Node, Workspace};

use crate::process::{Failure, quiet};

/// The package, from the checkout's root.
const PACKAGE: &str = "portal/envelope";

/// Projects of the package, each with its own idea of what is around it.
const PROJECTS: [&str; 2] = ["tsconfig.json", "tests/tsconfig.json"];

/// Runs the pinned compiler on each project.
pub fn check() -> Result<String, Failure> {
    let unprepared = |error: Error| Failure::new(error.to_string(), "Node and its packages come from PyPI and npm");
    let workspace = Workspace::find().map_err(unprepared)?;
    let node = Node::install(&workspace).map_err(unprepared)?;
    let package = workspace.root().join(PACKAGE);
    let installed = node.packages(&workspace, &package).map_err(unprepared)?.join("node_modules");
    for project in PROJECTS {
        let mut compiler = node.command();
        compiler.arg(installed.join("typescript/bin/tsc")).arg("--project").arg(package.join(project));
        compiler.arg("--typeRoots").arg(installed.join("@types"));
        quiet(&mut compiler, "mend what the compiler names")?;
    }
    Ok(PACKAGE.to_owned())
}
