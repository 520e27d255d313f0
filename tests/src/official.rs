//! The official AWS Encryption SDK for Python, in the virtual environment that the envelope's own tests use too.

use std::path::PathBuf;

use chartseal_local::{Environment, Workspace};

/// The Python interpreter that has it; installed when it is not there yet. A machine where that is not possible fails the test.
pub fn python(workspace: &Workspace) -> PathBuf {
    let environment = Environment {
        folder: &workspace.local_dir().join("venv-esdk"),
        requirements: &workspace.root().join("envelope/interop/python/requirements.txt"),
        what: "the official SDK for Python (about 60 MB)",
    };
    environment.install(workspace).expect("the official SDK for Python is installed");
    environment.python()
}
