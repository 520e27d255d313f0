//! Deploying template.yaml through the CloudFormation API (`deploy.py` does it), and what comes out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::functions::FUNCTIONS;
use crate::scripts::{self, Answer};
use crate::{Endpoint, Error, Workspace};

/// How long CloudFormation may take, in seconds.
const STACK_LIMIT_SECONDS: u64 = 60;

/// What to deploy, and where.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The stack's name. An existing stack of that name is updated.
    pub stack_name: String,
    /// Template parameters; those not named keep their default (or, in an update, their value).
    pub parameters: BTreeMap<String, String>,
    /// The folder with one binary for each of [`FUNCTIONS`].
    pub binaries: PathBuf,
}

/// A deployed stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outputs {
    /// Base address of the HTTP API, without a slash at its end.
    pub api: String,
    /// The stack's outputs by key, as in template.yaml.
    pub stack: BTreeMap<String, String>,
    /// Physical names of the functions, by the name in [`FUNCTIONS`].
    pub functions: BTreeMap<String, String>,
    /// The CloudFormation operation: "create", "update" or "none" (nothing to change).
    pub operation: String,
    /// What each phase took, in milliseconds: "package", "change_set", "execute", "bridges", "total".
    pub timings_ms: BTreeMap<String, f64>,
}

impl Outputs {
    /// A stack output of template.yaml.
    ///
    /// # Panics
    /// When the template has no output of this name: both are ours, so that is a defect.
    pub fn get(&self, name: &str) -> &str {
        self.stack.get(name).unwrap_or_else(|| panic!("template.yaml has no output {name}"))
    }
}

#[derive(Serialize)]
struct Question<'a> {
    stack_name: &'a str,
    template: PathBuf,
    binaries: &'a Path,
    functions: [&'static str; FUNCTIONS.len()],
    parameters: &'a BTreeMap<String, String>,
    limit_seconds: u64,
}

/// Packages the functions, creates or updates the stack, bridges the emulator's gaps (infra/local/README.md), and waits.
pub fn deploy(workspace: &Workspace, deployment: &Deployment) -> Result<Outputs, Error> {
    let question = Question {
        stack_name: &deployment.stack_name,
        template: workspace.template(),
        binaries: &deployment.binaries,
        functions: FUNCTIONS,
        parameters: &deployment.parameters,
        limit_seconds: STACK_LIMIT_SECONDS,
    };
    match scripts::run(workspace, "deploy.py", &deployment.endpoint, &question)? {
        Answer::Ok(outputs) => Ok(outputs),
        Answer::Failed { cause, advice } => {
            Err(Error::Deploy { stack_name: deployment.stack_name.clone(), cause, advice })
        }
    }
}
