//! The local stack: everything needed to run template.yaml on one machine, with no Docker and no AWS account.
//!
//! Which stack is taken is read from the environment ([`Choice`]); the emulator in a container is one of them.
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

mod choice;
mod deploy;
mod emulator;
mod endpoint;
mod engine;
mod error;
mod functions;
mod image;
mod install;
mod launch;
mod node;
mod operations;
mod place;
mod scripts;
mod stack;
mod witnesses;
mod workspace;

pub use choice::{Choice, shared_file};
pub use deploy::{Deployment, Outputs, deploy};
pub use emulator::Emulator;
pub use endpoint::Endpoint;
pub use engine::Engine;
pub use error::Error;
pub use functions::{FUNCTIONS, build, build_alone, build_beside, cargo, function_of};
pub use image::{Image, REQUIREMENTS_LABEL, requirements_digest};
pub use install::{Environment, install, prerequisites};
pub use launch::{HOLDER_LABEL, Plan};
pub use node::Node;
pub use operations::{Operation, operations};
pub use place::Place;
pub use stack::{Invocation, LocalStack, Options};
pub use witnesses::{Witness, WitnessMaking, witness_parameters, witness_program};
pub use workspace::Workspace;
