//! What the machine must have, and what we add to it: virtual environments in `.local/`, the emulator's first of all. Node is in [`crate::Node`].

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::{Error, Workspace};

/// The oldest Python the emulator runs on, as (major, minor).
const MIN_PYTHON: (u32, u32) = (3, 10);

/// Checks for a C compiler and a Python with `venv`; the error has one line for each that is missing.
pub fn prerequisites() -> Result<(), Error> {
    prerequisites_of("cc", "python3")
}

/// [`prerequisites`] with the programs' names, so that a test can name absent ones.
pub(crate) fn prerequisites_of(compiler: &str, python: &str) -> Result<(), Error> {
    let mut missing = Vec::new();
    if !runs(compiler, &["--version"]) {
        missing.push(format!(
            "a C compiler (`{compiler}`), for the cryptography library: Debian and Ubuntu `apt install gcc libc6-dev`, Fedora \
             `dnf install gcc`, macOS `xcode-select --install`"
        ));
    }
    let (major, minor) = MIN_PYTHON;
    let version = format!("import sys; sys.exit(sys.version_info < ({major}, {minor}))");
    if !runs(python, &["-c", &version]) {
        missing.push(format!(
            "Python {major}.{minor} or later (`{python}`), for the emulator: Debian and Ubuntu `apt install python3 python3-venv`, \
             Fedora `dnf install python3`, macOS `brew install python`"
        ));
    } else if !runs(python, &["-c", "import ensurepip, venv"]) {
        missing.push(format!("`{python}` has no `venv` module: Debian and Ubuntu `apt install python3-venv`"));
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::Prerequisites(missing)) }
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Makes `.local/venv` hold exactly `infra/local/requirements.txt`. Does nothing when it already does.
pub fn install(workspace: &Workspace) -> Result<(), Error> {
    let requirements = workspace.scripts_dir().join("requirements.txt");
    let environment =
        Environment { folder: &workspace.venv_dir(), requirements: &requirements, what: "the emulator (about 80 MB)" };
    environment.install(workspace)
}

/// A virtual environment in `.local/` and what it must hold.
pub struct Environment<'a> {
    /// Where it is.
    pub folder: &'a Path,
    /// A pip requirements file that pins everything in it.
    pub requirements: &'a Path,
    /// What a reader is told is being installed.
    pub what: &'a str,
}

impl Environment<'_> {
    /// Makes the folder hold exactly the requirements. Does nothing when it already does.
    pub fn install(&self, workspace: &Workspace) -> Result<(), Error> {
        let marker = self.folder.join("chartseal-requirements.sha256");
        once(workspace, &[self.requirements], &marker, || {
            eprintln!("installing {} into {}, once", self.what, self.folder.display());
            step(
                "creating the virtual environment",
                Command::new("python3").args(["-m", "venv", "--clear"]).arg(self.folder),
                "is Python's venv module installed? (Debian and Ubuntu: `apt install python3-venv`)",
            )?;
            step(
                "installing from the package index",
                pip(&self.python()).args(["install", "--quiet", "--requirement"]).arg(self.requirements),
                "pip's message is above; it needs to reach a Python package index",
            )
        })
    }

    /// Its Python.
    pub fn python(&self) -> PathBuf {
        self.folder.join("bin").join("python")
    }
}

/// Runs `install` unless `marker` says that it ran, to its end, for exactly these pins.
pub(crate) fn once(
    workspace: &Workspace,
    pins: &[&Path],
    marker: &Path,
    install: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    let mut digest = Sha256::new();
    for pin in pins {
        digest.update(fs::read(pin).map_err(Error::file("read", *pin))?);
    }
    let wanted = hex::encode(digest.finalize());
    let local = workspace.local_dir();
    fs::create_dir_all(&local).map_err(Error::file("create", &local))?;

    // Two runs at once must not install into one folder: the second waits, then finds the marker.
    let lock_path = local.join("install.lock");
    let lock = File::create(&lock_path).map_err(Error::file("create", &lock_path))?;
    lock.lock().map_err(Error::file("lock", &lock_path))?;
    if fs::read_to_string(marker).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let start = Instant::now();
    install()?;
    // Written last: an installation that was interrupted is made anew.
    fs::write(marker, wanted).map_err(Error::file("write", marker))?;
    eprintln!("installed in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--disable-pip-version-check", "--no-input"]);
    command
}

/// Runs one step with its output on our standard error.
pub(crate) fn step(step: &'static str, command: &mut Command, advice: &str) -> Result<(), Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    // Standard output is the caller's; a tool's chatter belongs on standard error.
    let status = command.stdin(Stdio::null()).stdout(std::io::stderr()).status().map_err(Error::spawn(program))?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Step { step, status: status.to_string(), advice: advice.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_program_is_one_line_that_says_how_to_get_it() {
        let error = prerequisites_of("no-such-compiler", "no-such-python").unwrap_err();
        let Error::Prerequisites(lines) = &error else { panic!("{error}") };
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("no-such-compiler") && lines[0].contains("apt install gcc"), "{}", lines[0]);
        assert!(lines[1].contains("no-such-python") && lines[1].contains("python3-venv"), "{}", lines[1]);
        assert!(lines.iter().all(|line| !line.contains('\n')));
        assert_eq!(error.to_string().lines().count(), 3);
    }

    #[test]
    fn a_python_that_fails_every_question_is_too_old() {
        let Err(Error::Prerequisites(lines)) = prerequisites_of("true", "false") else { panic!("accepted") };
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("3.10 or later"), "{}", lines[0]);
    }

    #[test]
    fn programs_that_answer_are_enough() {
        prerequisites_of("true", "true").unwrap();
    }
}
