//! A node as a process, and a vault that it reaches by HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chartseal_cli::Passphrase;
use chartseal_ledger::note::VerifierKey;
use chartseal_node::config::{Kind, Mode};
use chartseal_node::key::WitnessKey;
use chartseal_node::source::SourceError;
use chartseal_node::witness::Witness;

use crate::double::{Log, Vault, config};

pub const PASSPHRASE: &str = "correct horse battery";
const LIMIT: Duration = Duration::from_secs(20);

/// Serves a vault's ledger at an address of its own, as long as the test runs.
pub fn serve(vault: Vault) -> SocketAddr {
    serve_paths(move |path| vault.answer(path))
}

/// What is answered to a path; none: 404.
type Shown = Result<Option<Vec<u8>>, SourceError>;

/// Serves whatever is answered to a path; none: 404.
pub fn serve_paths(answers: impl Fn(&str) -> Shown + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
    let address = listener.local_addr().expect("an address");
    let answers = Arc::new(answers);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = Arc::clone(&answers);
            std::thread::spawn(move || answer(stream, &*answers));
        }
    });
    address
}

fn answer(mut stream: TcpStream, answers: &dyn Fn(&str) -> Shown) {
    let mut lines = BufReader::new(stream.try_clone().expect("a clone")).lines();
    let Some(Ok(first)) = lines.next() else { return };
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match answers(path) {
        Ok(Some(body)) => ("200 OK", body),
        Ok(None) => ("404 Not Found", Vec::new()),
        Err(SourceError::Unavailable(_)) => ("503 Service Unavailable", Vec::new()),
        Err(_) => ("400 Bad Request", Vec::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
}

/// Makes a witness' folder without asking the vault for its genesis event.
pub fn make(folder: &Path, name: &str, log: &Log, vault: SocketAddr) -> VerifierKey {
    let config = config(Kind::Witness, Mode::HashesOnly, log, &format!("http://{vault}"));
    config.create(folder).expect("written");
    let key = WitnessKey::generate(name).expect("a key");
    Witness::create(folder, key.verifier(), &log.key()).expect("written");
    key.create(folder, &Passphrase::new(PASSPHRASE)).expect("written");
    key.verifier().clone()
}

/// A running node. Killed when it is dropped.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    stderr: Mutex<BufReader<ChildStderr>>,
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answered {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// The program, with nothing of the environment that matters.
pub fn program() -> Command {
    let other = std::env::var_os("CHARTSEAL_NODE_PROGRAM");
    let mut command = Command::new(other.unwrap_or_else(|| env!("CARGO_BIN_EXE_chartseal-node").into()));
    command.env("CHARTSEAL_PASSPHRASE", PASSPHRASE).stderr(Stdio::piped()).stdout(Stdio::piped());
    for name in ["CHARTSEAL_WALLET", "CHARTSEAL_API", "CHARTSEAL_PASSPHRASE_FILE", "CHARTSEAL_LOG_KEY"] {
        command.env_remove(name);
    }
    command
}

impl Running {
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_as("witness", folder, arguments)
    }

    pub fn start_as(kind: &str, folder: &Path, arguments: &[&str]) -> Self {
        let mut command = program();
        command.args([kind, "run"]).arg(folder).args(["--listen", "127.0.0.1:0"]).args(arguments);
        if !arguments.contains(&"--poll-s") {
            command.args(["--poll-s", "1"]);
        }
        let mut child = command.spawn().expect("started");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut seen = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).expect("text") > 0, "it ended: {seen}");
            let document: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if document["message"] == "listening" {
                break document["listen"].as_str().expect("text").parse().expect("an address");
            }
            seen += &line;
        };
        Self { child, address, stderr: Mutex::new(stderr) }
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as systemd does. Gives its exit code and the rest of its log.
    pub fn terminate(&mut self) -> (Option<i32>, String) {
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().expect("kill");
        assert!(sent.success());
        let mut log = String::new();
        self.stderr.lock().expect("no panic").read_to_string(&mut log).expect("text");
        (self.child.wait().expect("ended").code(), log)
    }

    pub fn post(&self, body: &str) -> Result<Answered, ureq::Error> {
        call("POST", &format!("http://{}/add-checkpoint", self.address), body.as_bytes())
    }

    pub fn get(&self, path: &str) -> Answered {
        call("GET", &format!("http://{}{path}", self.address), &[]).expect("an answer")
    }

    pub fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("/status").body).expect("JSON")
    }

    /// Waits until its status is so.
    pub fn wait(&self, what: &str, until: impl Fn(&serde_json::Value) -> bool) {
        let began = Instant::now();
        loop {
            let status = self.status();
            if until(&status) {
                return;
            }
            assert!(began.elapsed() < LIMIT, "{what}: {status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The size that it cosigned last, as C2SP has it asked for.
    pub fn cosigned_size(&self, log: &Log) -> u64 {
        let answer = self.post(&log.request(0, 1)).expect("an answer");
        match answer.status {
            409 => answer.body.trim_end().parse().expect("a size"),
            200 => log.size(1),
            // The old size was right, and the copy is not there yet.
            503 => 0,
            _ => panic!("{answer:?}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn call(method: &str, url: &str, body: &[u8]) -> Result<Answered, ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(LIMIT))
        .proxy(None)
        .build()
        .into();
    let request = ureq::http::Request::builder().method(method).uri(url);
    let mut answer = if body.is_empty() { agent.run(request.body(())?)? } else { agent.run(request.body(body)?)? };
    let headers = answer.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned())).collect();
    let status = answer.status().as_u16();
    let body = answer.body_mut().read_to_vec()?;
    Ok(Answered { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}
