//! A Lambda runtime API for one function: hands out invocations, takes answers, and looks at the process from outside.
//!
//! In scope: `/runtime/invocation/next`, `/response`, `/error` and `/runtime/init/error` of the runtime API 2018-06-01, on
//! loopback, for functions we built. CPU and memory come from /proc, so this part runs on Linux alone.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::interrupt::ChildGuard;
use crate::process::Failure;

/// A function that does not poll or answer within this time is broken.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How long an invocation may take, as the function is told.
const DEADLINE_MS: u128 = 15_000;

/// Configuration for every function: well-formed, and of nothing that exists.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "bench"),
    ("AWS_SECRET_ACCESS_KEY", "bench"),
    ("AWS_SESSION_TOKEN", "bench"),
    // Nobody listens on the discard port: a call to AWS fails at once and is noticed.
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ("ORIGIN", "chartseal.local"),
    ("EVENTS_TABLE", "events"),
    ("PRIVATE_TABLE", "private"),
    ("KEYS_TABLE", "keys"),
    ("SEARCH_KEYS_TABLE", "search-keys"),
    ("INDEX_TABLE", "index"),
    ("WORK_TABLE", "work"),
    ("BLOCKS_TABLE", "blocks"),
    ("SEALED_TABLE", "sealed"),
    ("BLOB_BUCKET", "blobs"),
    ("LEDGER_BUCKET", "ledger"),
    ("RECORD_KEY", "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000001"),
    ("SEARCH_KEY", "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000002"),
    ("LOG_KEY", "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000003"),
    ("CLOCK_KEY", "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000004"),
    ("APPROVAL_WORKFLOW", "arn:aws:states:us-east-1:000000000000:stateMachine:approval"),
    // RFC 8032 section 7.1, test 1.
    ("OPERATOR_KEYS", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
    ("UPLOAD_EXPIRY_SECONDS", "3600"),
    ("DECISION_SECONDS", "259200"),
    ("TOKENS_PER_MINUTE", "600"),
    ("RUST_LOG", "error"),
];

/// What a function told its runtime API.
enum Said {
    Polled(Instant),
    Answered(String),
    Failed(String),
}

/// A running function and its runtime API.
pub struct Function {
    name: String,
    child: Child,
    _guard: ChildGuard,
    said: Receiver<Said>,
    invocations: Sender<String>,
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    start: Duration,
}

impl Function {
    /// Starts a function and waits until it polls for its first invocation.
    pub fn start(binary: &Path) -> Result<Self, Failure> {
        let name = binary.file_name().unwrap_or(binary.as_os_str()).to_string_lossy().into_owned();
        let failed = |error: std::io::Error| {
            Failure::new(format!("{} could not be started: {error}", binary.display()), "does the build make it?")
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (say, said) = channel();
        let (invocations, waiting) = channel();
        let stopped = Arc::new(AtomicBool::new(false));
        serve(listener, say, waiting, Arc::clone(&stopped));
        let mut command = Command::new(binary);
        command.env_clear().envs(ENVIRONMENT.iter().copied()).env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        let child = command.spawn().map_err(failed)?;
        let guard = ChildGuard::new(child.id());
        let mut function =
            Self { name, child, _guard: guard, said, invocations, address, stopped, start: Duration::ZERO };
        function.start = function.until_polled()?.saturating_duration_since(started);
        Ok(function)
    }

    /// Time from its start to its first poll.
    pub fn start_ms(&self) -> f64 {
        self.start.as_secs_f64() * 1e3
    }

    /// Sends an invocation, waits for the answer and for the next poll.
    pub fn invoke(&mut self, event: &str) -> Result<String, Failure> {
        if self.invocations.send(event.to_owned()).is_err() {
            return Err(self.broken("closed its connection"));
        }
        let answer = match self.said.recv_timeout(ANSWER_LIMIT) {
            Ok(Said::Answered(answer)) => answer,
            Ok(Said::Failed(why)) => return Err(self.broken(&format!("failed: {why}"))),
            Ok(Said::Polled(_)) => return Err(self.broken("polled again without an answer")),
            Err(_) => return Err(self.broken("did not answer")),
        };
        self.until_polled()?;
        Ok(answer)
    }

    fn until_polled(&self) -> Result<Instant, Failure> {
        match self.said.recv_timeout(ANSWER_LIMIT) {
            Ok(Said::Polled(at)) => Ok(at),
            Ok(Said::Failed(why)) => Err(self.broken(&format!("failed to start: {why}"))),
            Ok(Said::Answered(_)) => Err(self.broken("answered twice")),
            Err(_) => Err(self.broken("did not poll for an invocation")),
        }
    }

    fn broken(&self, what: &str) -> Failure {
        let advice = "run the function by hand with the environment in xtask/src/bench/runtime_api.rs";
        Failure::new(format!("function {} {what} (limit {} s)", self.name, ANSWER_LIMIT.as_secs()), advice)
    }

    /// Memory that is resident now.
    pub fn resident_mb(&self) -> Result<f64, Failure> {
        let status = self.proc("status")?;
        resident_kib(&status).map(|kib| kib * 1.024 / 1e3).ok_or_else(|| self.broken("has no VmRSS in /proc"))
    }

    /// CPU time of all its threads so far.
    pub fn cpu_ms(&self) -> Result<f64, Failure> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let tasks = tasks.map_err(|error| self.broken(&format!("cannot be seen in /proc: {error}")))?;
        let mut total = 0.0;
        for task in tasks.flatten() {
            // A thread may end while the list is read.
            if let Ok(schedule) = fs::read_to_string(task.path().join("schedstat")) {
                total += on_cpu_ms(&schedule).ok_or_else(|| self.broken("has no times in /proc"))?;
            }
        }
        Ok(total)
    }

    fn proc(&self, file: &str) -> Result<String, Failure> {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))
            .map_err(|error| self.broken(&format!("cannot be seen in /proc: {error}")))
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped. Its connections close with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, so that it sees the flag.
        let _ = TcpStream::connect(self.address);
    }
}

/// Accepts connections until told to stop, each in a thread of its own.
fn serve(listener: TcpListener, say: Sender<Said>, waiting: Receiver<String>, stopped: Arc<AtomicBool>) {
    let waiting = Arc::new(Mutex::new(waiting));
    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(connection) = connection else { return };
            if stopped.load(Ordering::SeqCst) {
                return;
            }
            let (say, waiting) = (say.clone(), Arc::clone(&waiting));
            // An error here is a connection that ended, which is how every one of them ends.
            thread::spawn(move || converse(connection, &say, &waiting).ok());
        }
    });
}

/// Answers requests on one connection until it closes or the measurement is over.
fn converse(connection: TcpStream, say: &Sender<Said>, waiting: &Mutex<Receiver<String>>) -> std::io::Result<()> {
    // Two small writes must not wait for each other's acknowledgement.
    connection.set_nodelay(true)?;
    let mut writer = connection.try_clone()?;
    let mut reader = BufReader::new(connection);
    while let Some(request) = Request::read(&mut reader)? {
        let said = match request.path.rsplit('/').next() {
            Some("next") => Said::Polled(Instant::now()),
            Some("response") => Said::Answered(request.body),
            _ => Said::Failed(request.body),
        };
        let polled = matches!(said, Said::Polled(_));
        if say.send(said).is_err() {
            return Ok(());
        }
        if !polled {
            writer.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        let Ok(event) = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv() else { return Ok(()) };
        writer.write_all(invocation(&event).as_bytes())?;
    }
    Ok(())
}

/// The answer that hands out an invocation.
fn invocation(event: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!(
        "HTTP/1.1 200 OK\r\n\
         Lambda-Runtime-Aws-Request-Id: 00000000-0000-4000-8000-000000000000\r\n\
         Lambda-Runtime-Deadline-Ms: {}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{event}",
        now.as_millis() + DEADLINE_MS,
        event.len()
    )
}

/// A request of the function to its runtime.
struct Request {
    path: String,
    body: String,
}

impl Request {
    /// `None`: the connection was closed between requests.
    fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Self>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut length, mut chunked) = (0, false);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
                _ => {}
            }
        }
        let body = if chunked { read_chunks(reader)? } else { read_exactly(reader, length)? };
        Ok(Some(Self { path, body: String::from_utf8_lossy(&body).into_owned() }))
    }
}

fn read_exactly(reader: &mut impl BufRead, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// RFC 9112 section 7.1.
fn read_chunks(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
        body.extend(read_exactly(reader, size)?);
        // The line end after each chunk, and after the last one, which has no bytes.
        reader.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(body);
        }
    }
}

/// `VmRSS` of /proc/PID/status.
fn resident_kib(status: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

/// The first field of schedstat: nanoseconds on a CPU.
fn on_cpu_ms(schedule: &str) -> Option<f64> {
    let nanoseconds: f64 = schedule.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e6)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn requests_are_read_one_after_the_other() {
        let mut wire: &[u8] = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n\
            POST /a/response HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}\
            POST /a/error HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let mut read = || Request::read(&mut wire).expect("well-formed").map(|request| (request.path, request.body));
        assert_eq!(read(), Some(("/2018-06-01/runtime/invocation/next".to_owned(), String::new())));
        assert_eq!(read(), Some(("/a/response".to_owned(), "{}".to_owned())));
        assert_eq!(read(), Some(("/a/error".to_owned(), "abc".to_owned())));
        assert_eq!(read(), None);
    }

    #[test]
    fn what_proc_says_is_read() {
        assert_eq!(resident_kib("Name:\tf\nVmRSS:\t    8192 kB\nThreads:\t1\n"), Some(8192.0));
        assert_eq!(resident_kib("Name:\tf\n"), None);
        assert_eq!(on_cpu_ms("2500000 17 3\n"), Some(2.5));
        assert_eq!(on_cpu_ms(""), None);
    }

    /// A function in Python: polls, then answers with what it was sent.
    const ECHO: &str = r#"
import http.client, os
c = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    c.request("GET", "/2018-06-01/runtime/invocation/next")
    r = c.getresponse()
    event, request = r.read(), r.getheader("Lambda-Runtime-Aws-Request-Id")
    c.request("POST", "/2018-06-01/runtime/invocation/" + request + "/response", body=event)
    c.getresponse().read()
"#;

    #[test]
    fn a_function_is_started_invoked_and_looked_at() {
        let path = std::env::temp_dir().join(format!("chartseal-xtask-echo-{}", std::process::id()));
        // A function has no PATH: the interpreter is named in full.
        let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output();
        let python = String::from_utf8(asked.expect("python3 is a prerequisite").stdout).expect("a path");
        fs::write(&path, format!("#!{python}{ECHO}")).expect("a writable temporary folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        let mut echo = Function::start(&path).expect("it polls");
        for event in [r#"{"a":1}"#, r#"{"b":2}"#] {
            assert_eq!(echo.invoke(event).expect("an answer"), event);
        }
        assert!(
            echo.start_ms() > 0.0 && echo.cpu_ms().expect("Linux") > 0.0 && echo.resident_mb().expect("Linux") > 1.0
        );
        drop(echo);
        fs::remove_file(path).expect("ours");
    }
}
