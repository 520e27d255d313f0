//! The emulator's life: started in a clean environment, watched, and never left behind.
//!
//! What we start is a process group of its own: the emulator with the functions it starts, or the program that holds its container. Three things
//! end it: [`Emulator::stop`], dropping the value, and the end of our process in any way: the group holds the other end of a pipe from us and ends
//! when that closes, unless it was told to stay. A process is killed; a holder is asked, so that it removes the container first.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::endpoint::{Endpoint, get};
use crate::image::Image;
use crate::{Choice, Error, Workspace, launch};

/// How long the emulator may take to become healthy.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The same for an image that is not ours: it may have to be pulled first. (What holds it ends at once when that fails.)
const PULL_LIMIT: Duration = Duration::from_mins(5);
/// How long a killed emulator may take to be gone.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How long a container may take to be removed.
const REMOVE_LIMIT: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How many free ports are tried: another process may take one between our look and the emulator's bind.
const MAX_PORTS_TRIED: u32 = 3;
/// Lines of the log shown with an error.
const TAIL_LINES: usize = 15;
/// What a port that somebody else took is called, by Python and by the engine.
const TAKEN: [&str; 2] = ["already in use", "already allocated"];
/// Both emulators answer it.
const HEALTH: &str = "/_localstack/health";
/// The line that tells the emulator to outlive us; `emulator.py` and the holder know it too.
const STAY: &[u8] = b"stay\n";

/// A running emulator that we started, or one that an earlier run left up.
#[derive(Debug)]
pub struct Emulator {
    endpoint: Endpoint,
    folder: PathBuf,
    group: Pid,
    /// What its container was made from; absent for a process.
    image: Option<Image>,
    /// Present while it is ours to stop when we go.
    leash: Option<Leash>,
}

#[derive(Debug)]
struct Leash {
    child: Child,
    pipe: ChildStdin,
}

impl Emulator {
    /// Starts the emulator that the environment asks for ([`Choice`]; beside an endpoint of the user's, a process), on a free port of the
    /// loopback interface, with IAM enforced, and waits until it is healthy.
    pub fn start(workspace: &Workspace) -> Result<Self, Error> {
        match Choice::from_environment(workspace)? {
            Choice::Embedded | Choice::Endpoint(_) => Self::start_process(workspace),
            Choice::Docker(image) => Self::start_somewhere(workspace, Some(&image)),
            Choice::Aws { .. } => Err(Error::NotOnAws),
        }
    }

    /// Starts the emulator as a process, whatever the environment asks for.
    pub fn start_process(workspace: &Workspace) -> Result<Self, Error> {
        Self::start_somewhere(workspace, None)
    }

    fn start_somewhere(workspace: &Workspace, image: Option<&Image>) -> Result<Self, Error> {
        remove_dead(&workspace.run_dir());
        let mut tried = 1;
        loop {
            match Self::start_on(workspace, image, free_port()?) {
                Err(Error::EmulatorStart { tail, .. })
                    if TAKEN.iter().any(|taken| tail.contains(taken)) && tried < MAX_PORTS_TRIED =>
                {
                    tried += 1;
                }
                result => return result,
            }
        }
    }

    fn start_on(workspace: &Workspace, image: Option<&Image>, port: u16) -> Result<Self, Error> {
        // The same address from here and from inside a container, so that whatever names it is right in both places.
        let endpoint = Endpoint::emulated(format!("http://127.0.0.1:{port}"));
        let folder = workspace.run_dir().join(port.to_string());
        let temporary = folder.join("tmp");
        fs::create_dir_all(&temporary).map_err(Error::file("create", &temporary))?;
        let (mut command, plan) = match image {
            None => (launch::process(workspace, &endpoint, port, &temporary), None),
            Some(image) => {
                let (command, plan) = launch::container(workspace, image, &endpoint, port)?;
                (command, Some(plan))
            }
        };
        let start = Instant::now();
        let log_path = folder.join("emulator.log");
        let log = File::create(&log_path).map_err(Error::file("create", &log_path))?;
        let errors = log.try_clone().map_err(Error::file("open", &log_path))?;
        command.current_dir(&folder).stdin(Stdio::piped()).stdout(log).stderr(errors).process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(Error::spawn(program))?;
        let group = Pid::from_child(&child);
        // Unwrap safety: standard input was asked to be piped above, and nobody has taken it.
        let mut pipe = child.stdin.take().expect("piped");
        if let Some(plan) = plan {
            // A holder that ended early says why in the log.
            let _ended = serde_json::to_writer(&mut pipe, &plan).map(|()| pipe.write_all(b"\n"));
        }
        let leash = Some(Leash { child, pipe });
        let mut emulator = Self { endpoint, folder, group, image: image.cloned(), leash };
        let pid_path = emulator.folder.join("pid");
        fs::write(&pid_path, group.as_raw_nonzero().to_string()).map_err(Error::file("write", &pid_path))?;
        emulator.wait_until_healthy()?;
        let took = start.elapsed().as_secs_f64();
        match image {
            None => eprintln!("emulator up at {} in {took:.1} s", emulator.endpoint.url),
            Some(image) => {
                eprintln!("emulator in a container of {} up at {} in {took:.1} s", image.name(), emulator.endpoint.url);
            }
        }
        Ok(emulator)
    }

    fn wait_until_healthy(&mut self) -> Result<(), Error> {
        let start = Instant::now();
        let limit = if self.image.as_ref().is_some_and(|image| !image.is_ours()) { PULL_LIMIT } else { START_LIMIT };
        loop {
            if self.is_healthy() {
                return Ok(());
            }
            let ended = self.leash.as_mut().and_then(|leash| leash.child.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(self.start_error(format!("ended while starting ({status})")));
            }
            if start.elapsed() > limit {
                return Err(self.start_error(format!("did not answer within {} s", limit.as_secs())));
            }
            thread::sleep(POLL);
        }
    }

    fn start_error(&self, cause: String) -> Error {
        let log = self.log_file();
        Error::EmulatorStart { cause, tail: tail(&log, TAIL_LINES), log }
    }

    /// The emulator that an earlier run detached.
    pub(crate) fn attach(endpoint: Endpoint, folder: PathBuf, group: i32, image: Option<Image>) -> Option<Self> {
        let emulator = Self { endpoint, folder, group: Pid::from_raw(group)?, image, leash: None };
        let ours = fs::read_to_string(emulator.folder.join("pid")).is_ok_and(|pid| pid.trim() == group.to_string());
        (ours && test_kill_process_group(emulator.group).is_ok() && emulator.is_healthy()).then_some(emulator)
    }

    /// Lets the emulator outlive us.
    pub(crate) fn detach(&mut self) -> Result<(), Error> {
        if let Some(leash) = &mut self.leash {
            leash.pipe.write_all(STAY).map_err(Error::file("write", "the emulator's pipe"))?;
        }
        self.leash = None;
        Ok(())
    }

    /// Whether its health endpoint answers.
    pub fn is_healthy(&self) -> bool {
        get(&format!("{}{HEALTH}", self.endpoint.url), Duration::from_secs(1)).is_ok_and(|status| status == 200)
    }

    /// Its endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its log.
    pub fn log_file(&self) -> PathBuf {
        self.folder.join("emulator.log")
    }

    /// What its container was made from; `None` for a process.
    pub fn image(&self) -> Option<&Image> {
        self.image.as_ref()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn group(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// Ends the emulator and every function it runs, and waits until they are gone. Its state was in memory only.
    pub fn stop(mut self) -> Result<(), Error> {
        self.kill()
    }

    fn kill(&mut self) -> Result<(), Error> {
        let contained = self.image.is_some();
        let (signal, limit) = if contained { (Signal::TERM, REMOVE_LIMIT) } else { (Signal::KILL, STOP_LIMIT) };
        // The group may be gone already; what counts is that it is.
        let _gone = kill_process_group(self.group, signal);
        let start = Instant::now();
        if let Some(Leash { mut child, pipe }) = self.leash.take() {
            drop(pipe);
            while child.try_wait().map_err(Error::file("wait for", "the emulator"))?.is_none() {
                if start.elapsed() > limit {
                    return Err(self.stop_error(limit));
                }
                thread::sleep(POLL);
            }
        }
        // Killed children that nobody has reaped yet still count as a group, so ask the port as well.
        while test_kill_process_group(self.group).is_ok() && self.is_healthy() {
            if start.elapsed() > limit {
                return Err(self.stop_error(limit));
            }
            thread::sleep(POLL);
        }
        remove_temporary(&self.folder);
        Ok(())
    }

    fn stop_error(&self, waited: Duration) -> Error {
        Error::EmulatorStop { endpoint: self.endpoint.url.clone(), group: self.group(), waited_s: waited.as_secs() }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if self.leash.is_some()
            && let Err(error) = self.kill()
        {
            eprintln!("{error}");
        }
    }
}

fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::file("bind", "a port of 127.0.0.1"))?;
    Ok(listener.local_addr().map_err(Error::file("read", "the port of 127.0.0.1"))?.port())
}

/// The last lines of a file, or why there are none.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    match fs::read_to_string(path) {
        Ok(text) => {
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        }
        Err(error) => format!("({error})"),
    }
}

/// Removes what emulators that are no more left in `.local/run`: their logs were kept until now, in case they were wanted.
///
/// The folder's name is the port: an emulator that had time to start and does not listen is no more. (Its process group says less:
/// where nobody reaps orphans, a dead one still counts.)
fn remove_dead(run_dir: &Path) {
    let Ok(entries) = fs::read_dir(run_dir) else { return };
    for folder in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let port = folder.file_name().and_then(|name| name.to_str()?.parse::<u16>().ok());
        let age = fs::metadata(folder.join("pid")).and_then(|pid| pid.modified()).ok().and_then(|at| at.elapsed().ok());
        if let (Some(port), Some(age)) = (port, age)
            && age > START_LIMIT
            && TcpStream::connect(("127.0.0.1", port)).is_err()
        {
            remove_temporary(&folder);
            let _best_effort = fs::remove_dir_all(&folder);
        }
    }
}

/// A failure here costs disk space, never correctness: it is said, not returned.
fn remove_temporary(folder: &Path) {
    let temporary = folder.join("tmp");
    match fs::remove_dir_all(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            eprintln!("cannot remove {}: {error}", temporary.display());
        }
        _ => {}
    }
}
