//! The emulator's process: started in a clean environment, watched, and never left behind.
//!
//! It runs in a process group of its own, with the functions it starts. Three things end the group: [`Emulator::stop`], dropping
//! the value, and the end of our process in any way: the emulator holds the other end of a pipe from us and kills its group when
//! that closes, unless it was told to stay.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::endpoint::{Endpoint, get};
use crate::{Error, Workspace};

/// How long the emulator may take to become healthy.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a killed emulator may take to be gone.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How many free ports are tried: another process may take one between our look and the emulator's bind.
const MAX_PORTS_TRIED: u32 = 3;
/// Lines of the log shown with an error.
const TAIL_LINES: usize = 15;
/// The line that tells the emulator to outlive us; `emulator.py` knows it too.
const STAY: &[u8] = b"stay\n";

/// A running emulator that we started, or one that an earlier run left up.
#[derive(Debug)]
pub struct Emulator {
    endpoint: Endpoint,
    folder: PathBuf,
    group: Pid,
    /// Present while it is ours to stop when we go.
    leash: Option<Leash>,
}

#[derive(Debug)]
struct Leash {
    child: Child,
    pipe: ChildStdin,
}

impl Emulator {
    /// Starts an emulator on a free port of the loopback interface, with IAM enforced, and waits until it is healthy.
    pub fn start(workspace: &Workspace) -> Result<Self, Error> {
        remove_dead(&workspace.run_dir());
        let mut tried = 1;
        loop {
            match Self::start_on(workspace, free_port()?) {
                Err(Error::EmulatorStart { tail, .. })
                    if tail.contains("already in use") && tried < MAX_PORTS_TRIED =>
                {
                    tried += 1;
                }
                result => return result,
            }
        }
    }

    fn start_on(workspace: &Workspace, port: u16) -> Result<Self, Error> {
        let start = Instant::now();
        let folder = workspace.run_dir().join(port.to_string());
        let temporary = folder.join("tmp");
        fs::create_dir_all(&temporary).map_err(Error::file("create", &temporary))?;
        let log_path = folder.join("emulator.log");
        let log = File::create(&log_path).map_err(Error::file("create", &log_path))?;
        let errors = log.try_clone().map_err(Error::file("open", &log_path))?;

        let endpoint = Endpoint::emulated(format!("http://127.0.0.1:{port}"));
        let python = workspace.python();
        let mut command = Command::new(&python);
        command
            .arg(workspace.scripts_dir().join("emulator.py"))
            .arg("--leash")
            .current_dir(&folder)
            .env_clear()
            .envs(environment(&endpoint, port, &temporary))
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .process_group(0);
        let mut child = command.spawn().map_err(Error::spawn(python.display().to_string()))?;
        let group = Pid::from_child(&child);
        // Unwrap safety: standard input was asked to be piped above, and nobody has taken it.
        let pipe = child.stdin.take().expect("piped");
        let mut emulator = Self { endpoint, folder, group, leash: Some(Leash { child, pipe }) };
        let pid_path = emulator.folder.join("pid");
        fs::write(&pid_path, group.as_raw_nonzero().to_string()).map_err(Error::file("write", &pid_path))?;
        emulator.wait_until_healthy()?;
        eprintln!("emulator up at {} in {:.1} s", emulator.endpoint.url, start.elapsed().as_secs_f64());
        Ok(emulator)
    }

    fn wait_until_healthy(&mut self) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            if self.is_healthy() {
                return Ok(());
            }
            let ended = self.leash.as_mut().and_then(|leash| leash.child.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(self.start_error(format!("ended while starting ({status})")));
            }
            if start.elapsed() > START_LIMIT {
                return Err(self.start_error(format!("did not answer within {} s", START_LIMIT.as_secs())));
            }
            thread::sleep(POLL);
        }
    }

    fn start_error(&self, cause: String) -> Error {
        let log = self.log_file();
        Error::EmulatorStart { cause, tail: tail(&log, TAIL_LINES), log }
    }

    /// The emulator that an earlier run detached.
    pub(crate) fn attach(endpoint: Endpoint, folder: PathBuf, group: i32) -> Option<Self> {
        let emulator = Self { endpoint, folder, group: Pid::from_raw(group)?, leash: None };
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
        get(&format!("{}/_ministack/health", self.endpoint.url), Duration::from_secs(1))
            .is_ok_and(|status| status == 200)
    }

    /// Its endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its log.
    pub fn log_file(&self) -> PathBuf {
        self.folder.join("emulator.log")
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
        // The group may be gone already; what counts is that it is.
        let _gone = kill_process_group(self.group, Signal::KILL);
        if let Some(mut leash) = self.leash.take() {
            leash.child.wait().map_err(Error::file("wait for", "the emulator"))?;
        }
        let start = Instant::now();
        // Killed children that nobody has reaped yet still count as a group, so ask the port as well.
        while test_kill_process_group(self.group).is_ok() && self.is_healthy() {
            if start.elapsed() > STOP_LIMIT {
                let (endpoint, waited_s) = (self.endpoint.url.clone(), STOP_LIMIT.as_secs());
                return Err(Error::EmulatorStop { endpoint, group: self.group(), waited_s });
            }
            thread::sleep(POLL);
        }
        remove_temporary(&self.folder);
        Ok(())
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

/// The whole environment of the emulator. Functions inherit it, so it names no address but the emulator's own.
fn environment(endpoint: &Endpoint, port: u16, temporary: &Path) -> Vec<(&'static str, String)> {
    let mut variables = endpoint.environment();
    variables.extend([
        ("GATEWAY_PORT", port.to_string()),
        ("BIND_HOST", "127.0.0.1".to_owned()),
        ("AUTH", "true".to_owned()),
        ("SFTP_ENABLED", "0".to_owned()),
        ("IOT_MTLS_ENABLED", "0".to_owned()),
        ("LOG_LEVEL", "INFO".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("PYTHONUNBUFFERED", "1".to_owned()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ("HOME", temporary.display().to_string()),
        ("TMPDIR", temporary.display().to_string()),
    ]);
    variables
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
