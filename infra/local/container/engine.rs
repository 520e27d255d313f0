//! Questions to the engine that testcontainers does not ask: whose containers are left, what an image was built from, when one ended.

use std::collections::HashMap;
use std::path::PathBuf;

use chartseal_local::{HOLDER_LABEL, REQUIREMENTS_LABEL};
use futures_util::StreamExt;
use rustix::process::{Pid, test_kill_process};
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::models::{PortBinding, PortMap};
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, WaitContainerOptions,
};

/// Why no container is held.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The parent said nothing.
    #[error("this program is started by chartseal-local, which tells it what to run")]
    NoPlan,
    /// The parent said something else.
    #[error("the plan cannot be read: {source}")]
    BadPlan {
        /// Why.
        source: serde_json::Error,
    },
    /// Something of the operating system failed.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file that the container needs cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The engine refused, or did not answer.
    #[error("the container engine: {0}")]
    Engine(#[from] EngineError),
    /// The container could not be started.
    #[error("the container cannot be started: {0}")]
    Start(#[from] testcontainers::TestcontainersError),
    /// Our image is not there.
    #[error("there is no image {image} on this engine: build it with `cargo xtask image`")]
    NoImage {
        /// Its name.
        image: String,
    },
    /// Our image is there, and old.
    #[error(
        "the image {image} was built from other requirements than infra/local/requirements.txt: build it anew with `cargo xtask image`"
    )]
    OldImage {
        /// Its name.
        image: String,
    },
    /// The emulator ended.
    #[error("the container ended by itself (exit code {code}); what it said is above")]
    Ended {
        /// Its exit code.
        code: i64,
    },
}

/// The engine's containers.
pub struct Containers(Docker);

impl Containers {
    /// The engine that testcontainers uses, too (`DOCKER_HOST`).
    pub async fn connect() -> Result<Self, Failure> {
        let engine = testcontainers::core::client::docker_client_instance().await;
        Ok(Self(engine.map_err(testcontainers::TestcontainersError::from)?))
    }

    /// Removes the containers of holders of this machine that are no more.
    pub async fn remove_abandoned(&self) -> Result<(), Failure> {
        let filters = HashMap::from([("label", vec![HOLDER_LABEL])]);
        let every = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        for container in self.0.list_containers(Some(every)).await? {
            let holder = container.labels.unwrap_or_default().remove(HOLDER_LABEL).unwrap_or_default();
            if let (true, Some(id)) = (is_gone(&holder), container.id) {
                eprintln!("removing a container whose holder {holder} is no more");
                self.remove(&id).await?;
            }
        }
        Ok(())
    }

    /// Removes a container, running or not. One that is not there is as good as removed, and so is one that somebody removes already.
    pub async fn remove(&self, name: &str) -> Result<(), Failure> {
        let forced = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.0.remove_container(name, Some(forced)).await {
            Err(EngineError::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Waits for the end of a container, which nobody asked for.
    pub async fn wait(&self, name: &str) -> Result<(), Failure> {
        let mut ends = self.0.wait_container(name, None::<WaitContainerOptions>).boxed_local();
        let code = match ends.next().await {
            Some(Ok(ended)) => ended.status_code,
            Some(Err(EngineError::DockerContainerWaitError { code, .. })) => code,
            Some(Err(error)) => return Err(error.into()),
            None => 0,
        };
        Err(Failure::Ended { code })
    }

    /// Fails unless the image is there and was built from these requirements.
    pub async fn must_be_built_from(&self, image: &str, requirements: &str) -> Result<(), Failure> {
        let image = image.to_owned();
        let found = match self.0.inspect_image(&image).await {
            Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => {
                return Err(Failure::NoImage { image });
            }
            found => found?,
        };
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        if labels.get(REQUIREMENTS_LABEL).is_some_and(|built| built == requirements) {
            return Ok(());
        }
        Err(Failure::OldImage { image })
    }
}

/// A port of the container on the same port of this machine's loopback interface.
pub fn loopback(port: u16) -> PortMap {
    let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(port.to_string()) };
    PortMap::from([(format!("{port}/tcp"), Some(vec![binding]))])
}

/// The label of what this process holds.
pub fn own_label() -> String {
    format!("{}/{}", machine(), std::process::id())
}

/// Whether the holder that a label names ran on this machine and does no more. Process ids of other machines (or of other containers
/// that share the engine) say nothing here.
fn is_gone(label: &str) -> bool {
    let Some((place, id)) = label.rsplit_once('/') else { return false };
    let Some(pid) = id.parse().ok().and_then(Pid::from_raw) else { return false };
    place == machine() && test_kill_process(pid).is_err()
}

fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_of_this_machine_are_gone() {
        assert!(!is_gone(&own_label()));
        // The largest process id that can be: no system counts so far.
        let dead = i32::MAX;
        assert!(is_gone(&format!("{}/{dead}", machine())));
        for other in ["", "somebody", "another-machine/1", &format!("{}/0", machine()), &format!("{}/x", machine())] {
            assert!(!is_gone(other), "{other}");
        }
        assert!(!is_gone(&format!("not-{}/{dead}", machine())));
    }

    #[test]
    fn a_port_is_published_to_this_machine_alone() {
        let map = loopback(4999);
        let binding = &map["4999/tcp"].as_ref().unwrap()[0];
        assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(binding.host_port.as_deref(), Some("4999"));
    }
}
