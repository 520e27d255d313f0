//! Running other programs, and saying clearly what went wrong.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use chartseal_local::Workspace;
use serde_json::Value;

use crate::interrupt::ChildGuard;

/// Lines of a failed program's output that its message repeats.
const SHOWN_LINES: usize = 30;

/// How often a program with a time limit is looked at.
pub const POLL: Duration = Duration::from_millis(50);

/// What went wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub struct Failure {
    /// The step that failed, where a command has steps.
    pub step: Option<String>,
    /// What happened.
    pub cause: String,
    /// What the reader can do.
    pub advice: String,
}

impl Failure {
    /// A failure outside any step.
    pub fn new(cause: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { step: None, cause: cause.into(), advice: advice.into() }
    }

    /// The same failure, in a named step.
    #[must_use]
    pub fn in_step(mut self, step: &str) -> Self {
        self.step.get_or_insert_with(|| step.to_owned());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Some(step) => writeln!(f, "Failed: {step}")?,
            None => writeln!(f, "Failed")?,
        }
        writeln!(f, "  cause: {}", self.cause.trim_end().replace('\n', "\n         "))?;
        write!(f, "  to do: {}", self.advice)
    }
}

/// What a program wrote before it ended.
pub struct Captured {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Runs a program whose output the reader sees; its exit code decides.
pub fn shown(command: &mut Command, advice: &str) -> Result<(), Failure> {
    let mut child = command.spawn().map_err(|error| not_started(command, &error))?;
    let _guard = ChildGuard::new(child.id());
    let status = child.wait().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(Failure::new(ended(command, status), advice)) }
}

/// Runs a program and keeps its output; the caller judges the exit code.
pub fn captured(command: &mut Command) -> Result<Captured, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| not_started(command, &error))?;
    let _guard = ChildGuard::new(child.id());
    let output = child.wait_with_output().map_err(|error| not_started(command, &error))?;
    Ok(Captured { status: output.status, stdout: text(&output.stdout), stderr: text(&output.stderr) })
}

/// Runs a program quietly; a failure repeats the end of its output.
pub fn quiet(command: &mut Command, advice: &str) -> Result<Captured, Failure> {
    let captured = captured(command)?;
    if captured.status.success() {
        return Ok(captured);
    }
    let said = format!("{}\n{}", captured.stdout.trim_end(), captured.stderr.trim_end());
    Err(Failure::new(format!("{}\n{}", ended(command, captured.status), last_lines(&said)), advice))
}

/// Runs a program for at most `limit`. `None`: it took longer and was ended.
pub fn within(command: &mut Command, limit: Duration) -> Result<Option<Captured>, Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| not_started(command, &error))?;
    let _guard = ChildGuard::new(child.id());
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let started = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| not_started(command, &error))? {
            Some(status) => break status,
            None if started.elapsed() > limit => {
                // It may have ended in between; either way it is reaped.
                let _ = child.kill();
                let _ = child.wait();
                return Ok(None);
            }
            None => thread::sleep(POLL),
        }
    };
    let collect = |reader: thread::JoinHandle<Vec<u8>>| text(&reader.join().unwrap_or_default());
    Ok(Some(Captured { status, stdout: collect(stdout), stderr: collect(stderr) }))
}

/// Reads a pipe to its end, so that its writer never waits.
fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// The cargo that runs this, else the one on the path.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = chartseal_local::cargo();
    command.args(arguments).current_dir(root());
    command
}

/// Builds one program and returns its path. Cargo's progress is shown.
///
/// Unlike `cargo run` this takes any selection of packages: features are unified over the selection, so one that matches an
/// earlier build shares its objects, and one that does not builds the AWS SDK once more.
pub fn built(arguments: &[&str], target: &str, advice: &str) -> Result<PathBuf, Failure> {
    let mut command = cargo(&["build", "--message-format", "json-render-diagnostics"]);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command.spawn().map_err(|error| not_started(&command, &error))?;
    let _guard = ChildGuard::new(child.id());
    let output = child.wait_with_output().map_err(|error| not_started(&command, &error))?;
    if !output.status.success() {
        return Err(Failure::new(ended(&command, output.status), advice));
    }
    executable(&text(&output.stdout), target)
        .ok_or_else(|| Failure::new(format!("the build made no program {target}"), advice))
}

/// The path of a target's program in cargo's messages.
fn executable(messages: &str, target: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut ours = messages.filter(|message| message["target"]["name"] == target);
    ours.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The checkout's root: the one that cargo runs this for, whichever checkout it was built in.
///
/// # Panics
/// When there is no checkout any more, neither here nor where this was built.
pub fn root() -> PathBuf {
    let workspace = Workspace::find().expect("`cargo xtask` runs in a checkout");
    workspace.root().to_path_buf()
}

/// The last lines of a text, enough to see a cause.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn named(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let mut name = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        name.push(' ');
        name.push_str(&argument.to_string_lossy());
    }
    name
}

fn ended(command: &Command, status: ExitStatus) -> String {
    format!("`{}` ended with {status}", named(command))
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("`{}` could not be run: {error}", named(command)),
        format!("is {} installed and on the PATH?", command.get_program().to_string_lossy()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_repeats_what_the_program_said() {
        let Err(failure) = quiet(&mut shell("echo reason >&2; exit 3"), "look at it") else {
            panic!("exit code 3 is a failure");
        };
        let said = failure.in_step("build").to_string();
        assert!(said.starts_with("Failed: build\n"), "{said}");
        assert!(said.contains("exit status: 3") && said.contains("reason") && said.ends_with("look at it"), "{said}");
    }

    #[test]
    fn a_program_past_its_limit_is_ended() {
        let ended = within(&mut shell("exec sleep 60"), Duration::from_millis(100));
        assert!(matches!(ended, Ok(None)));
    }

    #[test]
    fn a_program_within_its_limit_is_heard() {
        let Ok(Some(said)) = within(&mut shell("echo out; echo err >&2"), Duration::from_secs(30)) else {
            panic!("echo ends at once");
        };
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("out\n", "err\n"));
    }

    #[test]
    fn a_program_is_found_in_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"serde\"},\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"demo\"},\"executable\":\"/t/demo\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable(messages, "demo"), Some(PathBuf::from("/t/demo")));
        assert_eq!(executable(messages, "serde"), None);
    }

    #[test]
    fn a_missing_program_is_named() {
        let Err(failure) = captured(&mut Command::new("chartseal-no-such-program")) else {
            panic!("there is no such program");
        };
        assert!(failure.advice.contains("chartseal-no-such-program"));
    }

    #[test]
    fn only_the_end_of_a_long_output_is_shown() {
        let long: Vec<String> = (0..100).map(|line| line.to_string()).collect();
        let shown = last_lines(&long.join("\n"));
        assert!(shown.starts_with("70\n") && shown.ends_with("99"), "{shown}");
    }
}
