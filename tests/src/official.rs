//! The official AWS Encryption SDK for Python, in the virtual environment that the envelope's own tests use too.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use chartseal_local::Workspace;

/// The Python interpreter that has it; installed when it is not there yet. A machine where that is not possible fails the test.
pub fn python(workspace: &Workspace) -> PathBuf {
    let requirements = workspace.root().join("envelope/tests/interop/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).expect("the list of requirements");
    let venv = workspace.local_dir().join("venv-esdk");
    let lock = File::create(workspace.local_dir().join("venv-esdk.lock")).expect("a lock file");
    lock.lock().expect("locked");
    let (python, marker) = (venv.join("bin/python"), venv.join("installed-requirements.txt"));
    if std::fs::read_to_string(&marker).ok().as_ref() != Some(&wanted) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&requirements));
        // Written last: an installation that was interrupted is made anew.
        std::fs::write(&marker, &wanted).expect("the marker of a finished installation");
    }
    python
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
    assert!(status.success(), "{command:?} failed, so the official SDK cannot be asked");
}
