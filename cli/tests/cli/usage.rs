//! The binary: what it prints, what it writes, how it exits.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::fake::FakeVault;

const PASSPHRASE: &str = "correct horse battery";

pub struct Desk {
    pub folder: tempfile::TempDir,
}

pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("JSON, not {}{}", self.stdout, self.stderr))
    }

    pub fn text(&self, name: &str) -> String {
        let document = self.json();
        document[name].as_str().unwrap_or_else(|| panic!("{name} in {document}")).to_owned()
    }
}

impl Desk {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("passphrase"), format!("{PASSPHRASE}\n")).expect("written");
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, as it is started here.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chartseal"));
        for name in ["WALLET", "PASSPHRASE", "PASSPHRASE_FILE", "API", "RECEIPTS", "LOG_KEY"] {
            command.env_remove(format!("CHARTSEAL_{name}"));
        }
        command.env("CHARTSEAL_STATE", self.path("state"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub fn bare(&self, arguments: &[&str]) -> Ended {
        let Output { status, stdout, stderr } = self.program(arguments).output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ended { code: status.code().expect("no signal"), stdout: text(stdout), stderr: text(stderr) }
    }

    /// With a wallet, as a script would.
    pub fn run(&self, wallet: &str, arguments: &[&str]) -> Ended {
        let before = ["--wallet", wallet, "--passphrase-file", "passphrase", "--json"];
        self.bare(&[&before[..], arguments].concat())
    }

    pub fn done(&self, wallet: &str, arguments: &[&str]) -> Ended {
        let ended = self.run(wallet, arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.stdout, ended.stderr);
        ended
    }

    /// An operator of this vault, with a wallet file.
    pub fn operator(&self, vault: &FakeVault) {
        let key = self.done("operator", &["operator", "init", "--out", "operator"]).text("operator_key");
        vault.operator.add_operator(key.parse().expect("a key")).expect("added");
        self.done("operator", &["operator", "connect", "--api", &vault.api]);
    }

    /// A person of a verified provider, with a wallet file.
    pub fn hospital(&self, name: &str) -> String {
        self.done(name, &["wallet", "create", "--out", name]);
        let invitation =
            self.done("operator", &["provider", "invite", "--note", name, "--days", "1"]).text("invitation");
        let who = ["--organisation", name, "--name", "Ann", "--phone", "1"];
        let register = [&["provider", "register", "--invitation", &invitation][..], &who].concat();
        let provider = self.done(name, &register).text("provider");
        assert_eq!(self.done("operator", &["provider", "verify", &provider]).text("status"), "verified");
        provider
    }
}

#[test]
fn the_day_on_the_command_line() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    let anna = desk.hospital("anna");
    desk.hospital("river");
    assert_eq!(desk.done("anna", &["provider", "show"]).text("provider"), anna);
    std::fs::write(desk.path("bundle.json"), r#"{"resourceType":"Bundle"}"#).expect("written");
    let upload = ["record", "upload", "bundle.json", "bundle.json", "--type", "bundle", "--term", "patient:Q 1"];
    let uploaded = desk.done("anna", &upload).json();
    assert_eq!(uploaded["records"].as_array().map(Vec::len), Some(2));
    let first = &uploaded["records"][0];
    assert_eq!(first["event"]["leaf"].as_str().map(str::len), Some(64));
    let record = first["record"].as_str().expect("an id");
    assert_eq!(desk.done("anna", &["record", "list"]).json()["records"].as_array().map(Vec::len), Some(2));
    let found = desk.done("river", &["search", r#"patient:"q  1" AND type:bundle"#]).json();
    assert_eq!(found["hits"].as_array().map(Vec::len), Some(2));
    assert_eq!(found["hits"][0]["media_type"], "application/fhir+json");
    let create = ["request", "create", record, "--purpose", "TREAT", "--justification", "a fall", "--wait-verified"];
    let created = desk.done("river", &create);
    assert_eq!(created.text("state"), "verified");
    let request = created.text("request");
    assert_eq!(desk.done("operator", &["request", "approve", &request, "--wait"]).text("state"), "approved");
    let status = desk.done("river", &["request", "status", &request, "--wait", "approved", "--timeout", "5"]);
    assert_eq!(status.text("state"), "approved");
    let download = desk.done("river", &["record", "download", "--request", &request, "--out", "out.json"]);
    assert_eq!(download.text("sha256"), first["sha256"].as_str().expect("a hash"));
    assert_eq!(download.json()["checks"].as_array().map(Vec::len), Some(11));
    let same =
        std::fs::read(desk.path("out.json")).expect("there") == std::fs::read(desk.path("bundle.json")).expect("there");
    assert!(same);
    desk.done("anna", &["record", "version", record, "bundle.json", "--media-type", "text/plain"]);
    desk.done("anna", &["record", "download", record, "--version", "2", "--out", "own.json"]);
    let shown = desk.done("anna", &["record", "show", record]).json();
    assert_eq!((&shown["versions"][1]["media_type"], shown.get("evidence")), (&Value::from("text/plain"), None));
}

#[test]
fn wallet_files_are_private_kept_and_never_replaced() {
    let desk = Desk::new();
    let made = desk.done("x", &["wallet", "create", "--out", "ann"]).json();
    let permissions = std::fs::metadata(desk.path("ann")).expect("there").permissions();
    assert_eq!(permissions.mode() & 0o777, 0o600);
    let before = std::fs::read(desk.path("ann")).expect("there");
    let again = desk.run("x", &["wallet", "create", "--out", "ann"]);
    assert_eq!((again.code, again.json()["error"]["code"].as_str()), (1, Some("file-exists")));
    assert_eq!(std::fs::read(desk.path("ann")).expect("there"), before);
    // Status needs no passphrase.
    let status = desk.bare(&["--json", "--wallet", "ann", "wallet", "status"]);
    assert_eq!((status.code, status.json()["sign_key"].clone()), (0, made["sign_key"].clone()));
    let text = desk.bare(&["--wallet", "ann", "wallet", "status"]).stdout;
    assert!(text.contains("has not registered"), "{text}");
}

#[test]
fn exit_codes_are_kept() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    desk.hospital("anna");
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let code = |ended: &Ended| (ended.code, ended.json()["error"]["code"].as_str().unwrap_or_default().to_owned());
    // 1: refused, and failures here
    assert_eq!(code(&desk.run("anna", &["provider", "suspend", id, "--reason", "x"])), (1, "not-operator".into()));
    assert_eq!(code(&desk.run("anna", &["record", "upload", "no-such-file"])), (1, "file".into()));
    std::fs::write(desk.path("other"), "another passphrase").expect("written");
    let wrong = desk.bare(&["--json", "--wallet", "anna", "--passphrase-file", "other", "record", "list"]);
    assert_eq!(code(&wrong), (1, "wrong-passphrase".into()));
    // 2: the command line
    assert_eq!(desk.bare(&["record", "list"]).code, 2, "no wallet");
    assert_eq!(desk.bare(&["--wallet", "anna", "record", "list"]).code, 2, "no passphrase and no terminal");
    assert_eq!(desk.run("anna", &["record", "upload", "passphrase", "--term", "organ:brain"]).code, 2);
    assert_eq!(desk.run("anna", &["request", "create", id, "--purpose", "FUN", "--justification", "x"]).code, 2);
    assert_eq!(desk.run("anna", &["search", "modality:mri AND"]).code, 2);
    assert_eq!(desk.bare(&["no-such-command"]).code, 2);
    // 3: tampering
    vault.twist(|path, answer| {
        if path == "/search" {
            answer["event"]["leaf"] = Value::from("00".repeat(32));
        }
    });
    let tampered = desk.run("anna", &["search", "modality:mri"]);
    assert_eq!(code(&tampered), (3, "receipt-hash".into()));
    assert_eq!(tampered.stderr.trim().lines().count(), 2, "one line what, one line what to do: {}", tampered.stderr);
    let text = std::fs::read_to_string(desk.path("anna")).expect("there");
    std::fs::write(desk.path("moved"), text.replace("127.0.0.1", "127.0.0.2")).expect("written");
    assert_eq!(code(&desk.run("moved", &["record", "list"])), (3, "wallet-tampered".into()));
    // 4: nobody there
    let there = ["--wallet", "anna", "--passphrase-file", "passphrase", "--json"];
    let elsewhere = |api| desk.bare(&[&there[..], &["--api", api, "record", "list"]].concat());
    assert_eq!(code(&elsewhere("http://127.0.0.1:1")), (4, "unreachable".into()));
    assert_eq!(code(&elsewhere("http://vault.example")), (2, "bad-address".into()), "private values need TLS");
}

#[test]
fn a_wrong_command_line_is_said_in_json_too() {
    let desk = Desk::new();
    let id = "01arz3ndektsv4rrffq69g5fav";
    let wrong: [(&[&str], &str); 6] = [
        (&["--json", "no-such-command"], "no-such-command"),
        (&["record", "list", "--limit", "0", "--json"], "--limit"),
        (&["request", "list", "--json", "--limit", "0"], "--limit"),
        (&["record", "--json", "show", id], "26 upper-case characters"),
        (&["--json", "record"], "not complete"),
        (&["--json", "record", "download", "--force"], "--out <FILE>"),
    ];
    for (arguments, what) in wrong {
        let ended = desk.bare(arguments);
        let error = ended.json()["error"].clone();
        assert_eq!((ended.code, &error["code"], &error["exit"]), (2, &Value::from("usage"), &Value::from(2)));
        assert!(error["what"].as_str().is_some_and(|text| text.contains(what)), "{arguments:?}: {error}");
        assert!(error["advice"].as_str().is_some_and(|text| !text.is_empty()));
    }
    let text = desk.bare(&["record", "show", id]);
    assert_eq!((text.code, text.stdout.as_str()), (2, ""), "as ever without --json");
    for shown in [&["--json", "help"][..], &["--json", "--version"], &["record", "--json", "--help"]] {
        let ended = desk.bare(shown);
        assert!(ended.code == 0 && !ended.stdout.starts_with('{'), "{shown:?}: {}", ended.stdout);
    }
}

#[test]
fn an_upload_that_would_be_refused_leaves_no_open_record() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    desk.hospital("anna");
    std::fs::write(desk.path("scan"), "x").expect("written");
    let long = "x".repeat(201);
    let wrong: [(&[&str], &str); 4] = [
        (&["scan", "--media-type", "Text/Plain"], "bad-media-type"),
        (&["scan", "--label", &long], "bad-label"),
        (&["scan", "."], "not-a-file"),
        (&["scan", "/dev/null"], "not-a-file"),
    ];
    for (arguments, code) in wrong {
        let ended = desk.run("anna", &[&["record", "upload"], arguments].concat());
        assert_eq!((ended.code, ended.json()["error"]["code"].as_str()), (2, Some(code)), "{}", ended.stderr);
    }
    let created = vault.store().calls.iter().filter(|(_, target)| target == "/records").count();
    assert_eq!(created, 0);
}

#[test]
fn what_is_said_helps() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    let search = desk.run("operator", &["search", "modality:mri"]);
    assert_eq!((search.code, search.json()["error"]["code"].as_str()), (1, Some("wrong-wallet")), "{}", search.stderr);
    assert!(search.stderr.contains("hospital"), "{}", search.stderr);
    std::fs::write(desk.path("empty"), "\n").expect("written");
    let empty = desk.bare(&["--wallet", "operator", "--passphrase-file", "empty", "record", "list"]);
    assert!(empty.code == 2 && empty.stderr.contains("is empty"), "{}", empty.stderr);
    let create = desk.run("x", &["operator", "init", "--out", "operator"]);
    assert!(create.code == 1 && !create.stderr.contains("--force"), "{}", create.stderr);
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let folder = desk.run("operator", &["record", "download", id, "--out", "."]);
    assert!(folder.code == 2 && folder.stderr.contains("is a folder"), "{}", folder.stderr);
    let there = desk.run("operator", &["record", "download", id, "--out", "empty"]);
    assert!(there.code == 1 && there.stderr.contains("--force"), "{}", there.stderr);
}

#[test]
fn waiting_that_ends_is_exit_code_4() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    desk.hospital("anna");
    let owner = vault.hospital("owner");
    let record = crate::day::upload(&owner, desk.folder.path(), b"x").expect("uploaded").record.to_string();
    let create = ["request", "create", &record, "--purpose", "TREAT", "--justification", "x"];
    let request = desk.done("anna", &create).text("request");
    let waited = desk.run("anna", &["request", "status", &request, "--wait", "approved", "--timeout", "1"]);
    assert_eq!((waited.code, waited.json()["error"]["code"].as_str()), (4, Some("waited")), "{}", waited.stderr);
}

#[test]
fn nothing_secret_is_printed() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    desk.hospital("anna");
    let wrong = desk.run("anna", &["search", "patient:secret-name AND"]);
    assert!(!format!("{}{}", wrong.stdout, wrong.stderr).contains("secret-name"), "{}", wrong.stderr);
    for ended in [wrong, desk.done("anna", &["wallet", "status"]), desk.done("anna", &["provider", "show"])] {
        assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(PASSPHRASE));
    }
    let calls = vault.store().calls.clone();
    assert!(calls.iter().all(|(_, target)| !target.contains("anna")), "no URL carries what a person typed: {calls:?}");
}

#[test]
fn a_tampered_connection_is_not_pinned() {
    let (one, two, desk) = (FakeVault::start(), FakeVault::start(), Desk::new());
    desk.operator(&one);
    let before = std::fs::read(desk.path("operator")).expect("there");
    let ended = desk.run("operator", &["operator", "connect", "--api", &two.api]);
    assert_eq!((ended.code, ended.json()["error"]["code"].as_str()), (3, Some("other-vault")), "{}", ended.stderr);
    assert_eq!(std::fs::read(desk.path("operator")).expect("there"), before);
}

#[test]
fn help_and_completions_are_there() {
    let desk = Desk::new();
    let help = desk.bare(&["help"]).stdout;
    assert!(help.contains("Exit codes") && help.contains("CHARTSEAL_WALLET"), "{help}");
    for shell in ["bash", "zsh", "fish"] {
        let script = desk.bare(&["completions", shell]).stdout;
        assert!(
            ["wait-verified", "parallel", "discard", "key-file"].iter().all(|word| script.contains(word)),
            "{shell}"
        );
    }
    assert!(Path::new(env!("CARGO_BIN_EXE_chartseal")).exists());
}

/// The audit of the store is another program, which this one starts: its options, its output and its exit code go through.
#[test]
fn an_audit_of_the_store_is_another_programs_work() {
    let desk = Desk::new();
    let own = PathBuf::from(env!("CARGO_BIN_EXE_chartseal"));
    let chartseal = desk.path("chartseal");
    std::fs::copy(&own, &chartseal).expect("copied");
    let start = |arguments: &[&str]| {
        let mut command = Command::new(&chartseal);
        command.env("PATH", desk.folder.path().join("nothing")).args(arguments).output().expect("it runs")
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();

    let ended = start(&["audit", "--outputs", "stack.json"]);
    assert_eq!(ended.status.code(), Some(2), "only the store's audit has that: {}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("`--outputs` is not an option"), "{}", text(&ended.stderr));
    let ended = start(&["audit", "--store"]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(text(&ended.stderr).contains("chartseal-audit is not there"), "{}", text(&ended.stderr));

    let audit = desk.path("chartseal-audit");
    std::fs::write(&audit, "#!/bin/sh\necho \"$@\"\nexit 3\n").expect("written");
    std::fs::set_permissions(&audit, std::fs::Permissions::from_mode(0o700)).expect("executable");
    let ended = start(&["--json", "audit", "--store", "--outputs", "stack.json", "--grace-seconds", "5"]);
    assert_eq!(ended.status.code(), Some(3), "{}", text(&ended.stderr));
    assert_eq!(text(&ended.stdout), "--outputs stack.json --grace-seconds 5 --json\n");
}
