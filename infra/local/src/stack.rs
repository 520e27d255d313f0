//! A deployed stack, on the emulator we start or on the endpoint the user named ([`Choice`]).

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::deploy::{Deployment, Outputs, deploy};
use crate::emulator::Emulator;
use crate::image::{Emulates, Image};
use crate::scripts::{self, Answer};
use crate::{Choice, Endpoint, Engine, Error, Workspace};

/// The stack's name on an emulator of our own.
const STACK_NAME: &str = "chartseal";

/// How to start a [`LocalStack`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder with the functions' binaries ([`crate::build`]).
    pub binaries: PathBuf,
    /// The stack's name; an existing stack of that name is updated.
    pub stack_name: String,
    /// Template parameters that differ from the template's defaults.
    pub parameters: BTreeMap<String, String>,
}

impl Options {
    /// The template's defaults, on these binaries.
    pub fn new(binaries: PathBuf) -> Self {
        Self { binaries, stack_name: STACK_NAME.to_owned(), parameters: BTreeMap::new() }
    }

    /// With a template parameter.
    #[must_use]
    pub fn with(mut self, parameter: &str, value: impl Into<String>) -> Self {
        self.parameters.insert(parameter.to_owned(), value.into());
        self
    }
}

/// A deployed stack.
#[derive(Debug)]
pub struct LocalStack {
    workspace: Workspace,
    endpoint: Endpoint,
    stack_name: String,
    outputs: Outputs,
    /// Absent on an endpoint the user named.
    emulator: Option<Emulator>,
}

/// What a function answered to a direct invocation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Invocation {
    /// The function's answer, or its error object.
    pub payload: Value,
    /// Whether the function failed (Lambda's `FunctionError`).
    pub failed: bool,
}

/// What a stack that stays is found by, in `.local/run/up.json`.
#[derive(Serialize, Deserialize)]
struct State {
    group: i32,
    folder: PathBuf,
    #[serde(default)]
    image: Option<Image>,
    endpoint: Endpoint,
    stack_name: String,
    outputs: Outputs,
}

impl LocalStack {
    /// Deploys to what the environment asks for: the endpoint of `AWS_ENDPOINT_URL`, or an emulator, as a process or in a container, that is
    /// started here and stopped when the value is dropped. Says which on standard error.
    pub fn start(workspace: &Workspace, options: &Options) -> Result<Self, Error> {
        if let Choice::Endpoint(endpoint) = Self::asked_for(workspace)? {
            eprintln!("using the endpoint of AWS_ENDPOINT_URL: {}", endpoint.url);
            return Self::deploy_to(workspace, options, endpoint, None);
        }
        let emulator = Emulator::start(workspace)?;
        Self::deploy_to(workspace, options, emulator.endpoint().clone(), Some(emulator))
    }

    /// What [`LocalStack::start`] will take. Fails where that is absent or cannot run a vault: before anything is built for it.
    pub fn asked_for(workspace: &Workspace) -> Result<Choice, Error> {
        let choice = Choice::from_environment(workspace)?;
        match &choice {
            Choice::Embedded => {}
            Choice::Endpoint(endpoint) => endpoint.reach()?,
            Choice::Docker(image) if image.emulates() == Emulates::LocalStack => {
                return Err(Error::NoApi { image: image.name().to_owned() });
            }
            Choice::Docker(_) => {
                Engine::find()?;
            }
            Choice::Aws { .. } => return Err(Error::NotOnAws),
        }
        Ok(choice)
    }

    fn deploy_to(
        workspace: &Workspace,
        options: &Options,
        endpoint: Endpoint,
        emulator: Option<Emulator>,
    ) -> Result<Self, Error> {
        let Options { binaries, stack_name, parameters } = options.clone();
        let deployment = Deployment { endpoint, stack_name, parameters, binaries };
        let outputs = deploy(workspace, &deployment)?;
        let Deployment { endpoint, stack_name, .. } = deployment;
        Ok(Self { workspace: workspace.clone(), endpoint, stack_name, outputs, emulator })
    }

    /// The stack that an earlier run left up on an embedded emulator, if it still runs.
    pub fn attach(workspace: &Workspace) -> Result<Option<Self>, Error> {
        let path = workspace.state_file();
        let found = read_state(&path)?.and_then(|state| {
            let emulator = Emulator::attach(state.endpoint.clone(), state.folder, state.group, state.image)?;
            Some((emulator, state.endpoint, state.stack_name, state.outputs))
        });
        let Some((emulator, endpoint, stack_name, outputs)) = found else { return Ok(None) };
        Ok(Some(Self { workspace: workspace.clone(), endpoint, stack_name, outputs, emulator: Some(emulator) }))
    }

    /// Leaves the stack up when this process ends; [`LocalStack::attach`] finds it again.
    ///
    /// On an endpoint the user named there is nothing to do: it stays anyway.
    pub fn detach(&mut self) -> Result<(), Error> {
        let Some(emulator) = &mut self.emulator else { return Ok(()) };
        if let Some(other) = Self::attach(&self.workspace)?
            && other.endpoint != self.endpoint
        {
            return Err(Error::AlreadyUp { endpoint: other.endpoint.url });
        }
        let path = self.workspace.state_file();
        let state = State {
            group: emulator.group(),
            folder: emulator.folder().to_path_buf(),
            image: emulator.image().cloned(),
            endpoint: self.endpoint.clone(),
            stack_name: self.stack_name.clone(),
            outputs: self.outputs.clone(),
        };
        let text = serde_json::to_string_pretty(&state).map_err(|source| unreadable("up.json", source))?;
        fs::write(&path, text).map_err(Error::file("write", &path))?;
        emulator.detach()
    }

    /// Stops the emulator, and with it the stack. On an endpoint the user named the stack is left as it is.
    pub fn stop(self) -> Result<(), Error> {
        let Some(emulator) = self.emulator else { return Ok(()) };
        let path = self.workspace.state_file();
        // The stack that stays may be another one.
        let ours = read_state(&path)?.is_some_and(|state| state.endpoint == self.endpoint);
        emulator.stop()?;
        if ours { fs::remove_file(&path).map_err(Error::file("remove", &path)) } else { Ok(()) }
    }

    /// Deploys again, with other binaries or parameters: an update of the running stack.
    pub fn update(&mut self, options: &Options) -> Result<(), Error> {
        let Options { binaries, parameters, .. } = options.clone();
        let (endpoint, stack_name) = (self.endpoint.clone(), self.stack_name.clone());
        self.outputs = deploy(&self.workspace, &Deployment { endpoint, stack_name, parameters, binaries })?;
        Ok(())
    }

    /// The endpoint it runs on, with an administrator's credentials.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Base address of the HTTP API, without a slash at its end.
    pub fn api(&self) -> &str {
        &self.outputs.api
    }

    /// The stack's outputs, names of functions, and what deploying took.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// The emulator it runs on; absent on an endpoint the user named.
    pub fn emulator(&self) -> Option<&Emulator> {
        self.emulator.as_ref()
    }

    /// The last lines that a function logged, oldest first (a name of [`crate::FUNCTIONS`]).
    pub fn logs(&self, function: &str, lines: usize) -> Result<Vec<String>, Error> {
        self.ask(
            &format!("the logs of {function}"),
            json!({"ask": "logs", "stack": self.stack_name, "function": function, "lines": lines}),
        )
    }

    /// Invokes a function directly and waits for its answer (a name of [`crate::FUNCTIONS`]; the sweeper, for instance).
    pub fn invoke(&self, function: &str, payload: &Value) -> Result<Invocation, Error> {
        let question = json!({"ask": "invoke", "stack": self.stack_name, "function": function, "payload": payload});
        self.ask(&format!("an invocation of {function}"), question)
    }

    /// An environment in which any function runs outside the emulator, on this stack's tables, keys and bucket.
    ///
    /// Its credentials are the administrator's: what a function may do is shown by the deployed one, which has its own role's.
    pub fn function_environment(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut variables: BTreeMap<String, String> =
            self.ask("the functions' environment", json!({"ask": "environment", "stack": self.stack_name}))?;
        variables.extend(self.endpoint.environment().into_iter().map(|(name, value)| (name.to_owned(), value)));
        Ok(variables)
    }

    fn ask<A: serde::de::DeserializeOwned>(&self, what: &str, mut question: Value) -> Result<A, Error> {
        question["functions"] = json!(self.outputs.functions);
        match scripts::run(&self.workspace, "ask.py", &self.endpoint, &question)? {
            Answer::Ok(answer) => Ok(answer),
            Answer::Failed { cause, .. } => Err(Error::Ask { question: what.to_owned(), cause }),
        }
    }
}

/// The state of the stack that stays. One that cannot be read, or is not there, describes nothing that runs.
fn read_state(path: &Path) -> Result<Option<State>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(serde_json::from_str(&text).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

fn unreadable(script: &'static str, source: serde_json::Error) -> Error {
    Error::Answer { script, answer: String::new(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::install;

    /// A checkout of its own with the real scripts and the real installation, so that no stack of the developer's is touched.
    fn workspace(folder: &Path) -> Workspace {
        let real = Workspace::find().unwrap();
        install(&real).unwrap();
        let workspace = Workspace::at(folder);
        fs::create_dir_all(workspace.run_dir()).unwrap();
        fs::create_dir_all(folder.join("infra")).unwrap();
        symlink(real.venv_dir(), workspace.venv_dir()).unwrap();
        symlink(real.scripts_dir(), workspace.scripts_dir()).unwrap();
        workspace
    }

    /// A stack with nothing deployed on it.
    fn bare(workspace: &Workspace) -> LocalStack {
        let emulator = Emulator::start(workspace).unwrap();
        let outputs = Outputs {
            api: format!("{}/api", emulator.endpoint().url),
            stack: BTreeMap::new(),
            functions: BTreeMap::new(),
            operation: "create".to_owned(),
            timings_ms: BTreeMap::new(),
        };
        LocalStack {
            workspace: workspace.clone(),
            endpoint: emulator.endpoint().clone(),
            stack_name: STACK_NAME.to_owned(),
            outputs,
            emulator: Some(emulator),
        }
    }

    #[test]
    fn one_stack_stays_until_it_is_taken_down_whatever_others_do() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = workspace(folder.path());
        assert!(LocalStack::attach(&workspace).unwrap().is_none());

        let mut stays = bare(&workspace);
        stays.detach().unwrap();
        let endpoint = stays.endpoint().clone();
        drop(stays);

        let mut second = bare(&workspace);
        let refused = second.detach().unwrap_err();
        assert!(matches!(&refused, Error::AlreadyUp { endpoint: url } if *url == endpoint.url), "{refused}");
        second.stop().unwrap();

        let found = LocalStack::attach(&workspace).unwrap().expect("it stays");
        assert_eq!(found.endpoint(), &endpoint);
        assert_eq!(found.api(), format!("{}/api", endpoint.url));
        found.stop().unwrap();
        assert!(LocalStack::attach(&workspace).unwrap().is_none());
        assert!(!workspace.state_file().exists());
    }

    #[test]
    fn a_record_of_a_stack_that_is_gone_finds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = workspace(folder.path());
        let mut stack = bare(&workspace);
        stack.detach().unwrap();
        let emulator = stack.emulator.take().unwrap();
        emulator.stop().unwrap();
        assert!(workspace.state_file().exists());
        assert!(LocalStack::attach(&workspace).unwrap().is_none());
    }
}
