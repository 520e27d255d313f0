//! `cargo xtask image`: the emulator's container image, built on the engine that answers, with or without a registry.
//!
//! The base is Debian's image by its name where the engine has it or can pull it; else one that debootstrap makes from the Debian mirror that this
//! machine is set up for. Wheels are fetched out here, with this machine's settings for a package index, so that the build itself needs no network.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use chartseal_local::{Engine, Image, Workspace, install, prerequisites, requirements_digest};

use crate::process::{Failure, captured, quiet, shown, within};

/// The base where a registry can be reached: a Debian release whose C library is at least as new as that of the machines that build functions.
const BASE: &str = "debian:trixie-slim";
/// The base that is made here where none can be.
const OWN_BASE: &str = "chartseal-debian:trixie";
/// That release.
const RELEASE: &str = "trixie";
/// Its Python.
const PYTHON: &str = "3.13";
/// The platforms whose wheels run on its C library.
const MANYLINUX: [&str; 8] = ["2014", "_2_17", "_2_24", "_2_26", "_2_27", "_2_28", "_2_31", "_2_34"];
/// A registry that swallows packets must not hold the build up.
const PULL_LIMIT: Duration = Duration::from_mins(3);
/// What apt prints for each of its sources.
const SOURCE: &str = "$(REPO_URI) $(ORIGIN) $(SUITE)";

/// Builds and says what was built.
pub fn run() -> Result<(), Failure> {
    let started = Instant::now();
    let engine = Engine::find()?;
    prerequisites()?;
    let workspace = Workspace::find()?;
    install(&workspace)?;
    let image = Image::ours(&workspace)?;
    let folder = workspace.local_dir().join("image");
    let scripts = workspace.scripts_dir();

    let base = base(&engine, &folder)?;
    println!("base: {base}");
    let wheels = wheels(&workspace, &folder)?;
    println!("wheels: {wheels}");
    copy(&scripts.join("requirements.txt"), &folder.join("requirements.txt"))?;
    let mut build = docker(&engine);
    build.args(["build", "--tag", image.name(), "--build-arg", &format!("BASE={base}")]);
    build.args(["--build-arg", &format!("REQUIREMENTS={}", requirements_digest(&workspace)?)]);
    build.arg("--file").arg(scripts.join("image/Dockerfile")).arg(&folder);
    shown(&mut build, "mend what the build names above")?;
    println!(
        "built {} on {} in {:.0} s: CHARTSEAL_STACK=docker cargo xtask test",
        image.name(),
        engine.host(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The command line of the engine that answered, whatever context it is set to.
fn docker(engine: &Engine) -> Command {
    let mut command = Command::new("docker");
    command.args(["--host", engine.host()]);
    command
}

/// The base's name; it is on the engine afterwards.
fn base(engine: &Engine, folder: &Path) -> Result<&'static str, Failure> {
    let there = |name| Ok::<_, Failure>(captured(docker(engine).args(["image", "inspect", name]))?.status.success());
    if there(BASE)? {
        return Ok(BASE);
    }
    println!("pulling {BASE}");
    match within(docker(engine).args(["pull", "--quiet", BASE]), PULL_LIMIT)? {
        Some(pulled) if pulled.status.success() => return Ok(BASE),
        Some(pulled) => {
            println!("cannot be pulled: {}", pulled.stderr.trim().lines().last().unwrap_or("no reason given"));
        }
        None => println!("not pulled within {} s", PULL_LIMIT.as_secs()),
    }
    if !there(OWN_BASE)? {
        bootstrap(engine, folder)?;
    }
    Ok(OWN_BASE)
}

/// Makes the base with debootstrap and imports it.
fn bootstrap(engine: &Engine, folder: &Path) -> Result<(), Failure> {
    let mirror = mirror()?;
    println!("making {OWN_BASE} with debootstrap from {mirror}");
    let (tree, archive) = (folder.join("debian"), folder.join("debian.tar"));
    unmount_proc(&tree);
    remove(&tree)?;
    create(&tree)?;
    let mut make = Command::new("debootstrap");
    make.args(["--variant=minbase", "--include=python3,python3-venv", RELEASE]).arg(&tree).arg(mirror);
    let bootstrapped = quiet(&mut make, "it must be run as root; its log is in .local/image/debian/debootstrap");
    unmount_proc(&tree);
    bootstrapped?;
    let mut pack = Command::new("tar");
    pack.arg("--create").arg("--file").arg(&archive).arg("--directory").arg(&tree);
    pack.arg("--one-file-system");
    pack.args(["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", "."]);
    quiet(&mut pack, "is there room on the disk?")?;
    quiet(docker(engine).arg("import").arg(&archive).arg(OWN_BASE), "the engine's message is above")?;
    remove(&tree)?;
    fs::remove_file(&archive).map_err(|error| unwritable(&archive, &error))
}

/// Takes away the /proc that debootstrap mounts in the tree and, on some machines, leaves there: a removal of the tree must never walk into it.
fn unmount_proc(tree: &Path) {
    // That there is nothing to unmount is the usual case.
    let _ = captured(Command::new("umount").arg("--lazy").arg(tree.join("proc")));
}

/// The Debian mirror that apt uses here.
fn mirror() -> Result<String, Failure> {
    let advice = "a base without a registry needs a Debian machine whose apt has a source of the main archive; else pull debian:trixie-slim";
    let listed =
        quiet(Command::new("apt-get").args(["indextargets", "--format", SOURCE, "Created-By: Packages"]), advice)?;
    main_archive(&listed.stdout).ok_or_else(|| Failure::new("apt has no source of Debian's main archive", advice))
}

/// The first source that is Debian's own archive, and not that of its security updates or backports.
fn main_archive(sources: &str) -> Option<String> {
    sources.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [address, "Debian", suite] if !suite.contains('-') => Some(address.to_owned()),
        _ => None,
    })
}

/// Fetches exactly the pinned wheels for the base's Python; how many there are.
fn wheels(workspace: &Workspace, folder: &Path) -> Result<String, Failure> {
    let wheels = folder.join("wheels");
    remove(&wheels)?;
    create(&wheels)?;
    let mut fetch = Command::new(workspace.python());
    fetch.args([
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "download",
        "--quiet",
        "--only-binary=:all:",
    ]);
    fetch.args(["--implementation", "cp", "--python-version", PYTHON]);
    fetch.args(MANYLINUX.map(|version| format!("--platform=manylinux{version}_{ARCH}")));
    fetch.arg("--dest").arg(&wheels).arg("--requirement").arg(workspace.scripts_dir().join("requirements.txt"));
    quiet(&mut fetch, "pip needs to reach a Python package index")?;
    let count = fs::read_dir(&wheels).map_err(|error| unwritable(&wheels, &error))?.count();
    Ok(format!("{count} for CPython {PYTHON} on {ARCH}"))
}

fn create(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))
}

fn remove(folder: &Path) -> Result<(), Failure> {
    if folder.exists() { fs::remove_dir_all(folder).map_err(|error| unwritable(folder, &error)) } else { Ok(()) }
}

fn copy(from: &Path, to: &PathBuf) -> Result<(), Failure> {
    fs::copy(from, to).map(|_| ()).map_err(|error| unwritable(to, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()), "is the folder yours to write?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_the_main_archive() {
        let sources = "http://mirror.example/debian-security/ Debian oldstable-security\n\
                       http://mirror.example/other/ Somebody stable\n\
                       http://mirror.example/debian/ Debian oldstable\n";
        assert_eq!(main_archive(sources).as_deref(), Some("http://mirror.example/debian/"));
        assert_eq!(main_archive("http://mirror.example/ubuntu/ Ubuntu noble\n"), None);
    }
}
