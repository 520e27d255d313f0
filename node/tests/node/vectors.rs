//! Frozen requests and answers, for whoever writes a witness or a client of one. `node/vectors/add-checkpoint.json` is made anew here, and must come out the
//! same.

use std::path::Path;

use chartseal_events::Hash;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::Note;
use chartseal_node::config::{Kind, Mode};
use chartseal_node::copy::LogCopy;
use chartseal_node::follower::Follower;
use chartseal_node::key::WitnessKey;
use chartseal_node::node::Node;
use chartseal_node::routes::{self, Asked};
use chartseal_node::witness::Witness;
use serde_json::{Value, json};

use crate::double::{Log, Vault, base64, config};

const FILE: &str = "vectors/add-checkpoint.json";
const AT_S: u64 = 1_764_000_000;

/// A cosignature of a fixed time; what the node answers has the machine's.
fn cosigned(log: &Log, folder: &Path) -> String {
    let key = WitnessKey::from_seed("witness.example/one", &[9; 32]).expect("a key");
    Witness::create(folder, key.verifier(), &log.key()).expect("written");
    let mut witness = Witness::open(folder, key, log.key()).expect("a state");
    let note = Note::parse(log.checkpoint(2).as_bytes()).expect("a note");
    let checkpoint = Checkpoint::parse(note.text()).expect("a checkpoint");
    witness.cosign(0, &note, &checkpoint, &log.proof(0, checkpoint.size()), AT_S).expect("cosigned")
}

#[test]
fn the_frozen_requests_get_the_frozen_answers() {
    let mut log = Log::new();
    (0..4).for_each(|height| log.grow(3 + height, "event"));
    let folder = tempfile::tempdir().expect("a folder");
    let line = cosigned(&log, folder.path());
    let key = WitnessKey::from_seed("witness.example/one", &[9; 32]).expect("a key");
    let vkey = key.verifier().to_string();
    let copy = LogCopy::open(&folder.path().join("copy")).expect("a copy");
    let witness = Witness::open(folder.path(), key, log.key()).expect("a state");
    let node = Node::new(
        config(Kind::Witness, Mode::HashesOnly, &log, "http://127.0.0.1:1"),
        folder.path(),
        copy,
        Some(witness),
    )
    .expect("a node");
    let vault = Vault::of(log.clone());
    vault.shown().blocks = 3;
    Follower::new(&node, vault, None).look().expect("sound");

    let two = log.size(2);
    let good = log.request(two, 3);
    let hash = good.lines().nth(1).expect("a hash").to_owned();
    let requests = [
        ("an old size of 0 where another was cosigned", log.request(0, 3)),
        ("an old size above the checkpoint's", good.replacen(&format!("old {two}"), "old 999", 1)),
        ("an old size with a leading zero", good.replacen("old ", "old 0", 1)),
        ("a line of the proof that is another hash", good.replacen(&hash, &base64(Hash([5; 32])), 1)),
        ("a line of the proof too few", good.replacen(&format!("{hash}\n"), "", 1)),
        ("64 lines of proof", good.replacen(&hash, &vec![hash.clone(); 64].join("\n"), 1)),
        ("a line of the proof that is no hash", good.replacen(&hash, "AAAA", 1)),
        ("another origin", good.replace("vault.example", "other.example")),
        ("no signature of the log's key", good.replace("— vault.example ", "— vault.example.org ")),
        ("no signature at all", good.split_once("\n—").map(|(text, _)| text.to_owned()).expect("a line")),
        (
            "a size of 0 with another root than the empty tree's",
            format!("old {two}\n\n{}", log.sign_text(&format!("vault.example\n0\n{}\n", base64(Hash([5; 32]))))),
        ),
        ("ahead of the witness' copy", log.request(two, 4)),
        ("nothing", String::new()),
    ];
    let mut answered: Vec<Value> = requests
        .iter()
        .map(|(name, body)| {
            let answer = routes::answer(&Asked::AddCheckpoint, body.as_bytes(), &node, std::time::Duration::ZERO);
            let field = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let size = (answer.status() == 409).then(|| format!("{two}\n"));
            json!({ "name": name, "request": body, "status": answer.status().as_u16(), "content_type": field("content-type"), "body": size })
        })
        .collect();
    answered.insert(
        0,
        json!({ "name": "the first one, at the time that is said", "request": log.request(0, 2), "status": 200, "content_type": "text/plain; charset=utf-8", "body": line }),
    );
    let made = json!({
        "witness": vkey, "log": log.key().to_string(), "cosigned_s": AT_S,
        "state": "the first request is answered by a witness that has cosigned nothing; all others one after the other by one that has cosigned it, and whose copy has the log's first 3 blocks",
        "cases": answered,
    });
    let text = serde_json::to_string_pretty(&made).expect("JSON") + "\n";
    // The checkout that cargo tests: one target folder can serve two.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let path = Path::new(&package).join(FILE);
    if std::env::var_os("CHARTSEAL_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, &text).expect("written");
    }
    assert_eq!(std::fs::read_to_string(&path).expect("there"), text);
}
