//! The images an emulator is started from, and what differs between them.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Workspace};

/// The name of the image that `cargo xtask image` builds; the emulator's version is its tag.
const OURS: &str = "chartseal-ministack";
/// The emulator in `requirements.txt`, up to its version.
const PIN: &str = "ministack[full]==";
/// The label of our image that says which requirements it was built from (`image/Dockerfile` sets it).
pub const REQUIREMENTS_LABEL: &str = "chartseal.requirements";

/// A container image with an emulator in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    name: String,
    emulator: Emulates,
}

/// Which emulator is in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Emulates {
    /// MiniStack: `emulator.py` starts it as it does in a process.
    MiniStack,
    /// LocalStack: started as its image says.
    LocalStack,
}

impl Image {
    /// Ours, with the pinned emulator.
    pub fn ours(workspace: &Workspace) -> Result<Self, Error> {
        let path = requirements(workspace);
        let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        let version = text.lines().find_map(|line| line.strip_prefix(PIN)).ok_or(Error::NoPin { path })?;
        Self::named(&format!("{OURS}:{}", version.trim()))
    }

    /// An image by its name. Which emulator it holds is read from that name: they are started differently.
    pub fn named(name: &str) -> Result<Self, Error> {
        let emulator = match name {
            _ if name.contains("ministack") => Emulates::MiniStack,
            _ if name.contains("localstack") => Emulates::LocalStack,
            _ => return Err(Error::UnknownImage { found: name.to_owned() }),
        };
        Ok(Self { name: name.to_owned(), emulator })
    }

    /// Its name, with the tag.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `cargo xtask image` builds it, so that no registry is asked for it.
    pub fn is_ours(&self) -> bool {
        self.name.split(':').next() == Some(OURS)
    }

    pub(crate) const fn emulates(&self) -> Emulates {
        self.emulator
    }
}

/// What our image is built from.
fn requirements(workspace: &Workspace) -> PathBuf {
    workspace.scripts_dir().join("requirements.txt")
}

/// The value of the image's label for these requirements.
pub fn requirements_digest(workspace: &Workspace) -> Result<String, Error> {
    let path = requirements(workspace);
    Ok(hex::encode(Sha256::digest(fs::read(&path).map_err(Error::file("read", &path))?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulator_is_told_by_the_images_name() {
        let emulates = |name: &str| Image::named(name).unwrap().emulates();
        assert_eq!(emulates("ministackorg/ministack:full"), Emulates::MiniStack);
        assert_eq!(emulates("registry.example:5000/hospital/ministack@sha256:00"), Emulates::MiniStack);
        assert_eq!(emulates("localstack/localstack:4.5"), Emulates::LocalStack);
    }

    #[test]
    fn ours_has_the_pinned_emulators_version() {
        let ours = Image::ours(&Workspace::find().unwrap()).unwrap();
        assert!(ours.is_ours());
        let (_, version) = ours.name().split_once(':').unwrap();
        assert!(version.split('.').count() == 3 && version.starts_with(|first: char| first.is_ascii_digit()));
        assert!(!Image::named("ministackorg/ministack:full").unwrap().is_ours());
    }
}
