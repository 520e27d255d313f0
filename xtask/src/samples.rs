//! `cargo xtask samples`: every payload of `events/samples` through `cargo lambda invoke`, on a stack of its own.
//!
//! `cargo lambda watch` plays Lambda. It is told to start nothing: it would build each function anew, for minutes, with the features
//! of that selection of packages. The released functions that the stack runs are started here instead, on the stack's tables.
//! What each payload is answered is written in the samples' README, for readers and for this command.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use chartseal_local::{Workspace, cargo, function_of};
use serde_json::Value;

use crate::check::tools;
use crate::interrupt::ChildGuard;
use crate::process::{Captured, Failure, POLL, last_lines, root, within};
use crate::stack;

/// Where the payloads lie.
const FOLDER: &str = "events/samples";

/// The table of what they are answered.
const TABLE: &str = "events/samples/README.md";

/// The first operator's public key (RFC 8032, test 1). Nobody signs here.
const OPERATOR_KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// How long `cargo lambda watch` may take to listen.
const START_LIMIT: Duration = Duration::from_mins(1);

/// How long an invocation may take. `cargo lambda invoke` itself waits for ever.
const INVOKE_LIMIT: Duration = Duration::from_secs(30);

/// Invokes all samples, or only those named.
pub fn run(only: &[String]) -> Result<(), Failure> {
    let expected = chosen(table(&read(&root().join(TABLE))?), only)?;
    let tool = tools::cargo_lambda()?;
    let (workspace, binaries) = stack::prepare()?;
    let running = stack::start(&workspace, &binaries, OPERATOR_KEY)?;
    let started = Instant::now();
    let functions: BTreeSet<&str> = expected.keys().filter_map(|sample| function_of(sample)).collect();
    let lambda = Lambda::start(tool, &workspace, &binaries, &functions, &running.function_environment()?)?;
    let mut wrong = Vec::new();
    for (sample, answer) in &expected {
        match lambda.invoke(sample)? {
            found if found == *answer => println!("ok      {sample}: {found}"),
            found => {
                println!("WRONG   {sample}: {found} (expected: {answer})");
                wrong.push(sample.as_str());
            }
        }
    }
    println!("{} samples took {:.1} s", expected.len(), started.elapsed().as_secs_f64());
    if wrong.is_empty() {
        return Ok(());
    }
    let advice = format!("mend the sample or {TABLE}; what the functions logged is in {}", lambda.log.display());
    Err(Failure::new(format!("other answers than expected: {}", wrong.join(", ")), advice))
}

/// What each sample is answered, from the table's rows: the name is in the first cell, the answer in the last.
fn table(text: &str) -> BTreeMap<String, String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let plain = |cell: &str| cell.replace('`', "").trim().to_owned();
    rows.filter_map(|row| Some((plain(row.split('|').next()?), plain(row.rsplit('|').next()?)))).collect()
}

/// All of them, or only those named.
fn chosen(mut expected: BTreeMap<String, String>, only: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    if let Some(unknown) = only.iter().find(|name| !expected.contains_key(*name)) {
        return Err(Failure::new(format!("{TABLE} has no sample {unknown}"), "name a sample without its `.json`"));
    }
    expected.retain(|name, _| only.is_empty() || only.contains(name));
    Ok(expected)
}

fn read(path: &Path) -> Result<String, Failure> {
    let advice = "is the checkout complete?";
    fs::read_to_string(path).map_err(|error| Failure::new(format!("{}: {error}", path.display()), advice))
}

/// A process that ends with this value.
struct Process {
    child: Child,
    _guard: ChildGuard,
}

impl Process {
    /// Starts it with its output in the log.
    fn start(command: &mut Command, log: &File) -> std::io::Result<Self> {
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
        let child = command.spawn()?;
        Ok(Self { _guard: ChildGuard::new(child.id()), child })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lambda, as cargo-lambda plays it, with the functions that wait for invocations.
struct Lambda {
    tool: PathBuf,
    port: u16,
    log: PathBuf,
    _functions: Vec<Process>,
    _watch: Process,
}

impl Lambda {
    fn start(
        tool: PathBuf,
        workspace: &Workspace,
        binaries: &Path,
        functions: &BTreeSet<&str>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("cargo lambda watch: {error}"), "run it again");
        let path = workspace.run_dir().join("samples.log");
        let log = File::create(&path).map_err(failed)?;
        let port = free_port().map_err(failed)?;
        let watch = watch(&tool, port, &log, &path)?;
        let start = |function: &&str| {
            let mut command = Command::new(binaries.join(function));
            command.env_clear().envs(environment).envs(of_lambda(function, port));
            Process::start(&mut command, &log)
        };
        let functions = functions.iter().map(start).collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self { tool, port, log: path, _functions: functions, _watch: watch })
    }

    /// What a sample is answered, in brief.
    fn invoke(&self, sample: &str) -> Result<String, Failure> {
        let payload = Path::new(FOLDER).join(format!("{sample}.json"));
        let mut command = lambda(&self.tool, self.port, "invoke");
        command.arg(function_of(sample).unwrap_or(sample)).arg("--data-file").arg(payload);
        match within(&mut command, INVOKE_LIMIT)? {
            Some(said) => Ok(brief(&said)),
            None => Ok(format!("no answer within {} s", INVOKE_LIMIT.as_secs())),
        }
    }
}

/// `cargo lambda watch`, once it listens. A connection is all it takes to see that: any HTTP request would be an invocation.
fn watch(tool: &Path, port: u16, log: &File, path: &Path) -> Result<Process, Failure> {
    let failed =
        |cause: String| Failure::new(cause, "what it said last is above; the whole is in .local/run/samples.log");
    let mut command = lambda(tool, port, "watch");
    let mut watch =
        Process::start(command.arg("--only-lambda-apis"), log).map_err(|error| failed(error.to_string()))?;
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = watch.child.try_wait().map_err(|error| failed(error.to_string()))?.is_some();
        if ended || started.elapsed() > START_LIMIT {
            let what = if ended { "ended" } else { "does not listen" };
            return Err(failed(format!("cargo lambda watch {what}\n{}", last_lines(&read(path)?))));
        }
        thread::sleep(POLL);
    }
    Ok(watch)
}

/// A command of cargo-lambda at this port, in the environment of a shell.
fn lambda(tool: &Path, port: u16, subcommand: &str) -> Command {
    let mut command = Command::new(tool);
    for (name, _) in cargo().get_envs() {
        command.env_remove(name);
    }
    command.current_dir(root()).args(["lambda", subcommand, "--invoke-address", "127.0.0.1", "--invoke-port"]);
    command.arg(port.to_string());
    command
}

/// What Lambda tells a function.
///
/// The function's name is part of the address. Without it, as `watch --only-lambda-apis` prints the address, invocations by name wait for ever
/// for a function that waits for invocations without one.
fn of_lambda(function: &str, port: u16) -> [(&'static str, String); 4] {
    [
        ("AWS_LAMBDA_RUNTIME_API", format!("http://127.0.0.1:{port}/.rt/{function}")),
        ("AWS_LAMBDA_FUNCTION_NAME", function.to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
    ]
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// An answer as the table has it: an HTTP answer by its status and code, a custom resource's by its status, an error by its message,
/// anything else in full.
fn brief(said: &Captured) -> String {
    if !said.status.success() {
        let message = said.stderr.lines().find_map(|line| line.trim().strip_prefix("× "));
        return format!("error: {}", message.map_or_else(|| last_lines(&said.stderr), str::to_owned));
    }
    let Ok(answer) = serde_json::from_str::<Value>(&said.stdout) else { return last_lines(&said.stdout) };
    if let Some(status) = answer["statusCode"].as_u64() {
        let body = answer["body"].as_str().unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        return body["code"].as_str().map_or_else(|| status.to_string(), |code| format!("{status} {code}"));
    }
    answer["Status"].as_str().map_or_else(|| answer.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn said(code: i32, stdout: &str, stderr: &str) -> String {
        let status = ExitStatus::from_raw(code << 8);
        brief(&Captured { status, stdout: stdout.to_owned(), stderr: stderr.to_owned() })
    }

    #[test]
    fn answers_are_told_in_brief() {
        let problem = r#"{"statusCode":401,"headers":{},"body":"{\"code\":\"clock-skew\"}"}"#;
        assert_eq!(said(0, problem, ""), "401 clock-skew");
        assert_eq!(said(0, r#"{"statusCode":200,"body":"{\"status\":\"ok\"}"}"#, ""), "200");
        assert_eq!(said(0, "null\n", ""), "null");
        assert_eq!(said(0, r#"{"Status":"SUCCESS","Data":{}}"#, ""), "SUCCESS");
        assert_eq!(said(1, "", "Error: alloc::boxed::Box\n\n  × no such thing\n\n  Was this"), "error: no such thing");
    }

    #[test]
    fn a_rows_first_cell_is_the_name_and_its_last_the_answer() {
        let table = table(
            "| sample | what | answer |\n|---|---|---|\n| `a-b` | x `y` | 401 `clock-skew` |\n| `c` | z | `null` |\n",
        );
        let of = |name: &str| table.get(name).map(String::as_str);
        assert_eq!((table.len(), of("a-b"), of("c")), (2, Some("401 clock-skew"), Some("null")));
        assert!(chosen(table.clone(), &["d".to_owned()]).is_err());
        assert_eq!(chosen(table, &["c".to_owned()]).map(|chosen| chosen.len()).ok(), Some(1));
    }

    #[test]
    fn every_sample_is_in_the_table_and_the_other_way_round() {
        let listed: BTreeSet<String> = table(&read(&root().join(TABLE)).expect("the table")).into_keys().collect();
        let paths =
            fs::read_dir(root().join(FOLDER)).expect("the samples").map(|entry| entry.expect("an entry").path());
        let payloads = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let present = payloads.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
        assert_eq!(listed, present);
        assert!(listed.iter().all(|sample| function_of(sample).is_some()));
    }
}
