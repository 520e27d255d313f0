//! Where things are: the checkout, the folder that holds everything installed, and the build's output.
//!
//! Nothing is ever installed outside the checkout's `.local/` folder.

use std::env;
use std::path::{Path, PathBuf};

use crate::Error;

/// The checkout and the folders the local stack uses in it.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the checkout: upwards from the current directory, else where this crate was built.
    pub fn find() -> Result<Self, Error> {
        let start = env::current_dir().map_err(Error::file("read", "."))?;
        let built = Path::new(env!("CARGO_MANIFEST_DIR"));
        start
            .ancestors()
            .chain(built.ancestors())
            .find(|folder| is_checkout(folder))
            .map(Self::at)
            .ok_or(Error::NoCheckout { start })
    }

    /// The workspace of a known checkout.
    pub fn at(root: &Path) -> Self {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
        Self { root: root.to_path_buf(), target }
    }

    /// The checkout's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target folder (`CARGO_TARGET_DIR`, else `target/`).
    pub fn target_dir(&self) -> &Path {
        &self.target
    }

    /// `.local/`: everything that is installed or left behind by a run.
    pub fn local_dir(&self) -> PathBuf {
        self.root.join(".local")
    }

    /// `.local/run/`: one folder for each emulator (log, temporary files), and the state of a stack that stays.
    pub fn run_dir(&self) -> PathBuf {
        self.local_dir().join("run")
    }

    /// `.local/tools/`: pinned command line tools (`cargo xtask check` keeps cargo-deny here).
    pub fn tools_dir(&self) -> PathBuf {
        self.local_dir().join("tools")
    }

    /// `.local/venv/`: the virtual environment of the emulator and the scripts.
    pub fn venv_dir(&self) -> PathBuf {
        self.local_dir().join("venv")
    }

    /// The virtual environment's Python.
    pub fn python(&self) -> PathBuf {
        self.venv_dir().join("bin").join("python")
    }

    /// `.local/node/`: Node, for the tests that need one.
    pub fn node_dir(&self) -> PathBuf {
        self.local_dir().join("node")
    }

    /// `.local/npm/`: one folder for each of our package.json files, and npm's cache.
    pub fn npm_dir(&self) -> PathBuf {
        self.local_dir().join("npm")
    }

    /// `infra/local/`: the scripts and the pinned requirements.
    pub fn scripts_dir(&self) -> PathBuf {
        self.root.join("infra").join("local")
    }

    /// The stack's template.
    pub fn template(&self) -> PathBuf {
        self.root.join("template.yaml")
    }

    /// The state of a stack that stays (`cargo xtask up`).
    pub(crate) fn state_file(&self) -> PathBuf {
        self.run_dir().join("up.json")
    }
}

fn is_checkout(folder: &Path) -> bool {
    folder.join("template.yaml").is_file() && folder.join("infra/local/deploy.py").is_file()
}
