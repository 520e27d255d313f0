//! Somebody else's client of witnesses, and somebody else's reader of tiles, against the node: `node/interop/outsider.py` says whose.

use std::process::Command;

use chartseal_events::Hash;

use crate::double::{Log, Vault, base64};
use crate::process::{Running, make, serve};

#[test]
#[ignore = "needs a Python 3.12 with node/interop/requirements.txt in CHARTSEAL_INTEROP_PYTHON"]
fn somebody_elses_client_and_reader() {
    let python = std::env::var("CHARTSEAL_INTEROP_PYTHON").expect("CHARTSEAL_INTEROP_PYTHON names no Python");
    let mut log = Log::new();
    (0..80).for_each(|height| log.grow(1 + height * 7 % 19, "event"));
    let folder = tempfile::tempdir().expect("a folder");
    let key = make(folder.path(), "witness.example/one", &log, serve(Vault::of(log.clone())));
    let node = Running::start(folder.path(), &[]);
    node.wait("all", |status| status["size"] == log.size(80));
    let leaves: Vec<String> = log.leaves.iter().map(|leaf| base64(*leaf)).collect();
    let checkpoints: Vec<_> =
        [3, 4, 40, 80].iter().map(|&blocks| serde_json::json!([log.size(blocks), log.checkpoint(blocks)])).collect();
    let task = serde_json::json!({
        "url": format!("http://{}", node.address),
        "witness": key.to_string(),
        "log": log.key().to_string(),
        "leaves": leaves,
        "checkpoints": checkpoints,
        "forged": log.sign(log.size(80), Hash([3; 32])),
    });
    let path = folder.path().join("task.json");
    std::fs::write(&path, task.to_string()).expect("written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/outsider.py");
    let ended = Command::new(python).arg(script).arg(path).status().expect("a Python");
    assert!(ended.success());
}
