//! The programs that run an emulator: Python here, or one that holds a container with Python in it.
//!
//! Both get the same environment, made from nothing, the same `emulator.py`, and the same leash: standard input, whose end tells them that we are
//! gone. In scope: their command lines. Their life is `emulator.rs`'s; what the holder does with the engine is in `container/`.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::functions::{binaries_of, cargo};
use crate::image::{Emulates, Image, requirements_digest};
use crate::{Endpoint, Error, Workspace};

/// The program that holds a container.
const HOLDER: &str = "chartseal-container";
/// The label on every container of ours: which program holds it, as `host/process id`. One whose holder is gone is removed at the next start.
pub const HOLDER_LABEL: &str = "chartseal.holder";
/// Where emulator.py lies in the container.
const EMULATOR: &str = "/chartseal/emulator.py";
/// Where our image and MiniStack's keep Python and the emulator.
const SEARCHED: [(&str, &str); 2] =
    [("PATH", "/opt/emulator/bin:/usr/local/bin:/usr/bin:/bin"), ("PYTHONPATH", "/opt/ministack")];

/// What the holder is told: the first line of its standard input, as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The image's name.
    pub image: String,
    /// The requirements that the image must have been built from; absent for images that are not ours.
    pub requirements: Option<String>,
    /// The port the emulator listens on, inside, and on this machine's loopback interface.
    pub port: u16,
    /// The program, where it is not the image's own.
    pub entrypoint: Option<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables beside the image's own.
    pub environment: BTreeMap<String, String>,
    /// Files of ours, by their paths in the container.
    pub files: BTreeMap<String, PathBuf>,
}

/// The emulator as a process of this machine.
pub(crate) fn process(workspace: &Workspace, endpoint: &Endpoint, port: u16, temporary: &Path) -> Command {
    let mut command = Command::new(workspace.python());
    command.arg(workspace.scripts_dir().join("emulator.py")).arg("--leash");
    command.env_clear().envs(environment(endpoint, port, "127.0.0.1", temporary));
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command
}

/// The emulator in a container: the holder, which is built first where it is not, and its plan.
pub(crate) fn container(
    workspace: &Workspace,
    image: &Image,
    endpoint: &Endpoint,
    port: u16,
) -> Result<(Command, Plan), Error> {
    let engine = Engine::find()?;
    let mut command = Command::new(holder(workspace)?);
    // What it may know of us: where the engine is, and whose credentials a registry takes.
    let kept = ["PATH", "HOME", "DOCKER_CONFIG"].map(|name| (name, env::var_os(name)));
    command.env_clear().envs(kept.into_iter().filter_map(|(name, value)| Some((name, value?))));
    command.env("DOCKER_HOST", engine.host());
    Ok((command, plan(workspace, image, endpoint, port)?))
}

fn plan(workspace: &Workspace, image: &Image, endpoint: &Endpoint, port: u16) -> Result<Plan, Error> {
    let requirements = if image.is_ours() { Some(requirements_digest(workspace)?) } else { None };
    let mut plan = Plan {
        image: image.name().to_owned(),
        requirements,
        port,
        entrypoint: None,
        arguments: Vec::new(),
        environment: BTreeMap::new(),
        files: BTreeMap::new(),
    };
    match image.emulates() {
        Emulates::MiniStack => {
            // `env -i`: functions inherit the whole environment, and an image has one of its own.
            plan.entrypoint = Some("/usr/bin/env".to_owned());
            let all = environment(endpoint, port, "0.0.0.0", Path::new("/tmp")).into_iter();
            let all = all.chain(SEARCHED.map(|(name, value)| (name, value.to_owned())));
            plan.arguments.push("-i".to_owned());
            plan.arguments.extend(all.map(|(name, value)| format!("{name}={value}")));
            plan.arguments.extend(["python3", EMULATOR].map(str::to_owned));
            plan.files.insert(EMULATOR.to_owned(), workspace.scripts_dir().join("emulator.py"));
        }
        Emulates::LocalStack => {
            let variables =
                [("GATEWAY_LISTEN", format!("0.0.0.0:{port}")), ("LOCALSTACK_HOST", format!("127.0.0.1:{port}"))];
            plan.environment.extend(variables.map(|(name, value)| (name.to_owned(), value)));
        }
    }
    Ok(plan)
}

/// Builds the holder. What it links (testcontainers) is behind a feature, so that nobody else builds it.
fn holder(workspace: &Workspace) -> Result<PathBuf, Error> {
    // The real folder: a test's checkout may have a link to it.
    let scripts = workspace.scripts_dir();
    let crate_dir = scripts.canonicalize().map_err(Error::file("find", &scripts))?;
    let mut command = cargo();
    command.arg("build").arg("--manifest-path").arg(crate_dir.join("Cargo.toml"));
    command.args(["--quiet", "--features", "docker", "--bin", HOLDER, "--message-format=json-render-diagnostics"]);
    let mut binaries = binaries_of(&mut command, "building the program that holds the container")?;
    binaries.remove(HOLDER).ok_or_else(|| Error::MissingBinaries(vec![HOLDER.to_owned()]))
}

/// The whole environment of the emulator but its search paths. Functions inherit it, so it names no address but the emulator's own.
fn environment(endpoint: &Endpoint, port: u16, bind: &str, temporary: &Path) -> Vec<(&'static str, String)> {
    let mut variables = endpoint.environment();
    variables.extend([
        ("GATEWAY_PORT", port.to_string()),
        ("BIND_HOST", bind.to_owned()),
        ("AUTH", "true".to_owned()),
        ("SFTP_ENABLED", "0".to_owned()),
        ("IOT_MTLS_ENABLED", "0".to_owned()),
        ("LOG_LEVEL", "INFO".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("PYTHONUNBUFFERED", "1".to_owned()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ("HOME", temporary.display().to_string()),
        ("TMPDIR", temporary.display().to_string()),
    ]);
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(image: &str) -> Plan {
        let workspace = Workspace::find().unwrap();
        let endpoint = Endpoint::emulated("http://127.0.0.1:4999");
        plan(&workspace, &Image::named(image).unwrap(), &endpoint, 4999).unwrap()
    }

    #[test]
    fn ministack_gets_the_launcher_and_the_environment_of_the_process_and_no_other() {
        let plan = plan_of("ministackorg/ministack:full");
        assert_eq!(plan.entrypoint.as_deref(), Some("/usr/bin/env"));
        assert_eq!(plan.arguments.first().map(String::as_str), Some("-i"));
        assert!(plan.arguments.ends_with(&["python3".to_owned(), EMULATOR.to_owned()]));
        for variable in
            ["AWS_ENDPOINT_URL=http://127.0.0.1:4999", "GATEWAY_PORT=4999", "BIND_HOST=0.0.0.0", "AUTH=true"]
        {
            assert!(plan.arguments.iter().any(|one| one == variable), "{variable}: {:?}", plan.arguments);
        }
        assert!(plan.files[EMULATOR].is_file());
        assert!(plan.environment.is_empty() && plan.requirements.is_none());
    }

    #[test]
    fn ours_must_be_of_these_requirements() {
        let workspace = Workspace::find().unwrap();
        let plan = plan_of(Image::ours(&workspace).unwrap().name());
        assert_eq!(plan.requirements, Some(requirements_digest(&workspace).unwrap()));
    }

    #[test]
    fn localstack_is_started_as_its_image_says_on_our_port() {
        let plan = plan_of("localstack/localstack:4.5");
        assert_eq!(plan.entrypoint, None);
        assert!(plan.arguments.is_empty() && plan.files.is_empty());
        assert_eq!(plan.environment["GATEWAY_LISTEN"], "0.0.0.0:4999");
        assert_eq!(plan.environment["LOCALSTACK_HOST"], "127.0.0.1:4999");
    }
}
