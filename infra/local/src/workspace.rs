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
    /// Finds the checkout: upwards from the package that cargo runs, else from the current directory, else from where this crate was built.
    ///
    /// Where it was built says least: two checkouts that share a target folder share their binaries too, and cargo does not build
    /// anew for a path that the compiler once read. `cargo run` and `cargo test` name the package they run. (Where the checkouts' sources
    /// differ, sharing is no good idea at all: cargo tells new from old by times, not by contents.)
    pub fn find() -> Result<Self, Error> {
        let start = env::current_dir().map_err(Error::file("read", "."))?;
        let run = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
        let built = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::above(&[&run, &start, built]).ok_or(Error::NoCheckout { start })
    }

    /// The first checkout that holds one of these folders.
    fn above(folders: &[&Path]) -> Option<Self> {
        folders.iter().flat_map(|folder| folder.ancestors()).find(|folder| is_checkout(folder)).map(Self::at)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_package_that_runs_comes_before_the_one_that_was_built() {
        let folder = tempfile::tempdir().unwrap();
        let [runs, built] = ["runs", "built"].map(|name| folder.path().join(name));
        for checkout in [&runs, &built] {
            fs::create_dir_all(checkout.join("infra/local")).unwrap();
            fs::create_dir(checkout.join("xtask")).unwrap();
            for file in ["template.yaml", "infra/local/deploy.py"] {
                fs::write(checkout.join(file), "").unwrap();
            }
        }
        let root = |folders: &[&Path]| Workspace::above(folders).map(|workspace| workspace.root().to_path_buf());
        let elsewhere = folder.path();
        assert_eq!(root(&[&runs.join("xtask"), elsewhere, &built.join("infra/local")]), Some(runs.clone()));
        assert_eq!(root(&[Path::new(""), &runs.join("xtask"), &built.join("infra/local")]), Some(runs));
        assert_eq!(root(&[Path::new(""), elsewhere, &built.join("infra/local")]), Some(built));
        assert_eq!(root(&[Path::new(""), elsewhere]), None);
    }

    #[test]
    fn this_test_runs_in_the_checkout_that_cargo_names() {
        let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo test sets it"));
        assert_eq!(Workspace::find().unwrap().scripts_dir(), package);
    }
}
