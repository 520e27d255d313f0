//! The other implementations, and how each is installed and started.

use std::path::{Path, PathBuf};
use std::process::Command;

use chartseal_local::{Environment, Node, Workspace};

use crate::{Error, Oracle};

/// Another implementation of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Party {
    /// The official SDK for Python, `aws-encryption-sdk`
    Python,
    /// The official SDK for JavaScript, `@aws-crypto/client-node`
    Javascript,
    /// The official SDK for Rust, `aws-esdk`, which builds for minutes
    Rust,
    /// Our own second reader, TypeScript on WebCrypto; it only opens
    Webcrypto,
}

impl Party {
    /// Its name in a table, with the version its lock file pins.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Python => "aws-encryption-sdk 4.0.7 (Python)",
            Self::Javascript => "@aws-crypto/client-node 5.0.2 (JavaScript)",
            Self::Rust => "aws-esdk 1.2.4 (Rust)",
            Self::Webcrypto => "portal/envelope (WebCrypto)",
        }
    }

    /// Whether it writes messages too.
    pub const fn seals(self) -> bool {
        !matches!(self, Self::Webcrypto)
    }

    /// Installs or builds it when it is not there yet, and starts it.
    pub fn start(self, workspace: &Workspace) -> Result<Oracle, Error> {
        let here = workspace.root().join("envelope/interop");
        Oracle::start(&mut match self {
            Self::Python => {
                let mut command = Command::new(python_with_sdk(workspace)?);
                command.arg(here.join("python/esdk.py"));
                command
            }
            Self::Javascript => {
                let (node, folder) = (Node::install(workspace)?, here.join("javascript"));
                let packages = node.packages(workspace, &folder)?;
                let mut command = node.command();
                command.arg(folder.join("esdk.mjs")).arg(packages);
                command
            }
            Self::Rust => rust(workspace, &here.join("rust"))?,
            Self::Webcrypto => {
                let mut command = Node::install(workspace)?.command();
                command.arg(workspace.root().join("portal/envelope/tests/oracle.ts"));
                command
            }
        })
    }
}

/// The interpreter that has the official SDK for Python, which is installed when it is not there yet.
pub fn python_with_sdk(workspace: &Workspace) -> Result<PathBuf, Error> {
    let folder = workspace.root().join("envelope/interop/python");
    let venv = workspace.local_dir().join("venv-esdk");
    let requirements = folder.join("requirements.txt");
    let environment =
        Environment { folder: &venv, requirements: &requirements, what: "the official SDK for Python (about 60 MB)" };
    environment.install(workspace)?;
    Ok(environment.python())
}

/// Built with optimisations, because it is also measured; beside the workspace's own objects, because its lock file is another.
fn rust(workspace: &Workspace, folder: &Path) -> Result<Command, Error> {
    let target = workspace.target_dir().join("aws-esdk");
    let mut build = chartseal_local::cargo();
    build.args(["build", "--release", "--locked", "--manifest-path"]).arg(folder.join("Cargo.toml"));
    let status = build.arg("--target-dir").arg(&target).status().map_err(Error::Speak)?;
    if !status.success() {
        return Err(Error::Build(status));
    }
    Ok(Command::new(target.join("release/aws-esdk-oracle")))
}
