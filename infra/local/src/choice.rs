//! Which stack the environment asks for: `CHARTSEAL_STACK`, `CHARTSEAL_IMAGE`, `AWS_ENDPOINT_URL`, `CHARTSEAL_STACK_FILE`.
//!
//! In scope: reading the variables and refusing what contradicts itself. Not in scope: whether what they name is there
//! (`Endpoint::reach`, `Engine::find`); whoever starts it finds out, and fails where it is not.

use std::env;
use std::path::PathBuf;

use crate::image::Image;
use crate::{Endpoint, Error, Workspace};

/// Names the kind of stack.
const STACK: &str = "CHARTSEAL_STACK";
/// Names the image of the container.
const IMAGE: &str = "CHARTSEAL_IMAGE";
/// Names the file that describes a stack shared by several programs (`cargo xtask test` writes it).
const SHARED_FILE: &str = "CHARTSEAL_STACK_FILE";

/// What the environment asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// The emulator as a process of ours.
    Embedded,
    /// The emulator in a container of this image.
    Docker(Image),
    /// An emulator that somebody else runs.
    Endpoint(Endpoint),
    /// A real AWS account.
    Aws {
        /// An address that stands for AWS, to try the same path without an account.
        endpoint_url: Option<String>,
    },
}

impl Choice {
    /// Reads the environment.
    pub fn from_environment(workspace: &Workspace) -> Result<Self, Error> {
        Self::read(|name| env::var(name).ok(), || Image::ours(workspace))
    }

    /// [`Choice::from_environment`] with another environment, and our own image's name.
    fn read(variable: impl Fn(&str) -> Option<String>, ours: impl Fn() -> Result<Image, Error>) -> Result<Self, Error> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let endpoint = Endpoint::read(&variable);
        let both = |stack: &str, other| Err(Error::TwoStacks { stack: stack.to_owned(), other });
        let image = variable(IMAGE);
        match (variable(STACK).as_deref(), endpoint) {
            (Some("docker"), None) => Ok(Self::Docker(image.map_or_else(ours, |name| Image::named(&name))?)),
            (Some("aws"), _) if variable(SHARED_FILE).is_some() => both("aws", SHARED_FILE),
            (Some("aws"), endpoint) => Ok(Self::Aws { endpoint_url: endpoint.map(|endpoint| endpoint.url) }),
            (Some(stack @ ("embedded" | "docker")), Some(_)) => both(stack, "AWS_ENDPOINT_URL"),
            (Some("embedded") | None, None) if image.is_some() => Err(Error::ImageWithoutDocker),
            (Some("embedded") | None, None) => Ok(Self::Embedded),
            (None, Some(endpoint)) => Ok(Self::Endpoint(endpoint)),
            (Some(other), _) => Err(Error::UnknownStack { found: other.to_owned() }),
        }
    }
}

/// The file of a stack that this program shares with others. It comes before any [`Choice`]: that stack runs already.
pub fn shared_file() -> Option<PathBuf> {
    env::var_os(SHARED_FILE).filter(|file| !file.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Choice, Error> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Choice::read(find, || Image::named("chartseal-ministack:0"))
    }

    fn image(name: &str) -> Choice {
        Choice::Docker(Image::named(name).unwrap())
    }

    #[test]
    fn nothing_said_means_the_embedded_emulator() {
        for variables in [&[][..], &[(STACK, "")], &[(STACK, "embedded")], &[("AWS_REGION", "eu-central-1")]] {
            assert_eq!(read(variables).unwrap(), Choice::Embedded, "{variables:?}");
        }
    }

    #[test]
    fn each_kind_is_taken_by_its_name() {
        assert_eq!(read(&[(STACK, "docker")]).unwrap(), image("chartseal-ministack:0"));
        let named = read(&[(STACK, "docker"), (IMAGE, "localstack/localstack:4.5")]).unwrap();
        assert_eq!(named, image("localstack/localstack:4.5"));
        assert_eq!(read(&[(STACK, "aws")]).unwrap(), Choice::Aws { endpoint_url: None });
        let url = "http://127.0.0.1:4566";
        assert_eq!(read(&[("AWS_ENDPOINT_URL", url)]).unwrap(), Choice::Endpoint(Endpoint::emulated(url)));
        let stands_for_aws = Choice::Aws { endpoint_url: Some(url.to_owned()) };
        assert_eq!(read(&[(STACK, "aws"), ("AWS_ENDPOINT_URL", url)]).unwrap(), stands_for_aws);
    }

    #[test]
    fn a_kind_that_is_not_known_is_refused_with_those_that_are() {
        let refused = read(&[(STACK, "Docker")]).unwrap_err().to_string();
        for part in ["CHARTSEAL_STACK is Docker", "embedded", "docker", "aws"] {
            assert!(refused.contains(part), "{refused}");
        }
    }

    #[test]
    fn two_stacks_at_once_are_refused() {
        let address = ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566");
        for kind in ["embedded", "docker"] {
            let refused = read(&[(STACK, kind), address]).unwrap_err().to_string();
            assert!(refused.contains(kind) && refused.contains("unset AWS_ENDPOINT_URL"), "{refused}");
        }
        let refused = read(&[(STACK, "aws"), (SHARED_FILE, "stack.json")]).unwrap_err().to_string();
        assert!(refused.contains("unset CHARTSEAL_STACK_FILE"), "{refused}");
    }

    #[test]
    fn an_image_without_docker_is_refused() {
        for variables in [&[(IMAGE, "localstack/localstack:4.5")][..], &[(STACK, "embedded"), (IMAGE, "ministack")]] {
            let refused = read(variables).unwrap_err().to_string();
            assert!(refused.contains("CHARTSEAL_STACK=docker"), "{refused}");
        }
    }

    #[test]
    fn an_image_of_neither_emulator_is_refused() {
        let refused = read(&[(STACK, "docker"), (IMAGE, "postgres:17")]).unwrap_err().to_string();
        assert!(refused.contains("postgres:17") && refused.contains("localstack"), "{refused}");
    }
}
