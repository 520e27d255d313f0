//! The local stack: everything needed to run template.yaml on one machine, with no Docker and no AWS account.
//!
//! In scope: finding the checkout, checking and installing what the machine needs, building the functions, running the emulator,
//! deploying the template, asking the running stack for logs. Blocking code with few dependencies and no AWS SDK: what speaks AWS
//! is Python (boto3) in the emulator's virtual environment. Not in scope: what the stories do with the stack (`tests/`, `xtask/`).
//!
//! ```no_run
//! use chartseal_local::{LocalStack, Options, Workspace, build, install, prerequisites};
//!
//! prerequisites()?;
//! let workspace = Workspace::find()?;
//! install(&workspace)?;
//! let binaries = build(&workspace)?;
//! let stack = LocalStack::start(&workspace, &Options::new(binaries).with("OperatorKeys", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))?;
//! println!("{}", stack.api());
//! # Ok::<(), chartseal_local::Error>(())
//! ```

mod deploy;
mod emulator;
mod endpoint;
mod error;
mod functions;
mod install;
mod node;
mod scripts;
mod stack;
mod workspace;

pub use deploy::{Deployment, Outputs, deploy};
pub use emulator::Emulator;
pub use endpoint::Endpoint;
pub use error::Error;
pub use functions::{FUNCTIONS, build, cargo, function_of};
pub use install::{Environment, install, prerequisites};
pub use node::Node;
pub use stack::{Invocation, LocalStack, Options};
pub use workspace::Workspace;
