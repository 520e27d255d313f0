//! `init` and `run` of the program, from the first contact to the first cosignature, with a vault whose events are real.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};

use chartseal_cli::{Passphrase, VaultPin, Wallet, WalletFile};
use chartseal_events::encoding::base64url;
use chartseal_events::wire::{LedgerBlock, LedgerEvents};
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::tree::{consistency, leaf_hash};
use chartseal_node::key::WitnessKey;
use chartseal_replay::testing::{ORIGIN, Served, log_verifier};
use serde_json::json;

use crate::double::{Tree, base64};
use crate::process::{PASSPHRASE, Running, program, serve_paths};

/// A vault's API as far as a node meets it. What it shows can be changed.
pub fn api(served: &Arc<Mutex<Served>>) -> SocketAddr {
    let served = Arc::clone(served);
    serve_paths(move |path| {
        let served = served.lock().expect("no panic");
        let (block, bodies) = &served.blocks[0];
        if path == "/healthz" {
            let evidence = json!({ "vault": [bodies[0]] });
            let health = json!({ "status": "ok", "version": "0", "origin": ORIGIN, "genesis": block.leaves[0], "evidence": evidence });
            return Ok(Some(health.to_string().into_bytes()));
        }
        if path == "/ledger/checkpoint" {
            return Ok(served.note.clone());
        }
        let place: Option<Vec<u64>> = path
            .strip_prefix("/ledger/blocks/")
            .and_then(|rest| rest.split("/events/").map(|part| part.parse().ok()).collect());
        let block = |height: u64| served.blocks.get(usize::try_from(height).ok()?);
        Ok(match place.as_deref() {
            Some(&[height]) => block(height).map(|(block, _)| {
                let shown = LedgerBlock { height, seal: base64url(&block.seal), leaves: block.leaves.clone() };
                serde_json::to_vec(&shown).expect("JSON")
            }),
            Some(&[height, first]) => block(height).map(|(_, bodies)| {
                let first = u32::try_from(first).expect("small");
                let bodies = bodies[first as usize..].to_vec();
                serde_json::to_vec(&LedgerEvents { height, first, bodies, next: None }).expect("JSON")
            }),
            _ => None,
        })
    })
}

/// A folder with an operator's wallet for that vault.
pub fn wallet(folder: &Path, served: &Served, address: SocketAddr) -> PathBuf {
    let mut wallet = Wallet::generate_operator().expect("a wallet");
    let genesis = served.blocks[0].0.leaves[0];
    wallet.vault = Some(VaultPin { api: format!("http://{address}"), origin: ORIGIN.to_owned(), genesis });
    let path = folder.join("auditor.wallet");
    WalletFile::create(&path, &wallet, &Passphrase::new(PASSPHRASE)).expect("written");
    path
}

pub fn init(arguments: &[&str], folder: &Path) -> Output {
    program().args([arguments[0], "init"]).arg(folder).args(&arguments[1..]).output().expect("started")
}

/// A body of `add-checkpoint` from the block before this one to it.
pub fn request(served: &Served, place: usize) -> String {
    let mut leaves = Vec::new();
    for (block, _) in &served.blocks[..=place] {
        leaves.extend(block.leaves.iter().copied().chain([leaf_hash(&block.seal)]));
    }
    let size = leaves.len() as u64;
    let old = size - served.blocks[place].0.leaves.len() as u64 - 1;
    let proof = consistency::prove(old, size, &Tree(&leaves)).expect("so many leaves");
    let lines: String = proof.hashes().iter().map(|hash| base64(*hash) + "\n").collect();
    format!("old {old}\n{lines}\n{}", String::from_utf8(served.notes[place].clone()).expect("text"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_full_witness_from_its_first_contact_to_its_first_cosignature() {
    let whole = Served::of_every_type(9);
    let served = Arc::new(Mutex::new(whole.clone()));
    let address = api(&served);
    let folder = tempfile::tempdir().expect("a folder");
    let wallet = wallet(folder.path(), &whole, address);
    let home = folder.path().join("witness");
    let arguments = ["witness", "--name", "witness.example/one", "--wallet", wallet.to_str().expect("UTF-8")];
    let made = init(&arguments, &home);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let vkey = String::from_utf8(made.stdout).expect("text");
    let key: VerifierKey = vkey.trim_end().parse().expect("a vkey");
    assert_eq!((key.name(), key.signature_type()), ("witness.example/one", SignatureType::Cosignature));
    for name in ["", "node.json", "cosigned.json", "key.json"] {
        let rights = std::fs::metadata(home.join(name)).expect("there").permissions().mode();
        assert_eq!(rights & 0o077, 0, "{name} is its owner's alone");
    }
    let again = init(&arguments, &home);
    assert_eq!(again.status.code(), Some(1), "nothing is written over");

    let running = Running::start(&home, &["--wallet", wallet.to_str().expect("UTF-8")]);
    let blocks = whole.blocks.len();
    running.wait("all", |status| status["state"] == "sound" && status["blocks"] == blocks);
    assert_eq!(running.status()["mode"], "full");
    let note = String::from_utf8(whole.note.clone().expect("signed")).expect("text");
    let answer = running.post(&format!("old 0\n\n{note}")).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let policy = Policy::new(log_verifier(), None, vec![key], 1).expect("a policy");
    policy.accept(format!("{note}{}", answer.body).as_bytes()).expect("cosigned");
    // The vault's checkpoint bears the cosignature now: a second witness of that name is none.
    served.lock().expect("no panic").note = Some(format!("{note}{}", answer.body).into_bytes());
    let second = init(&arguments, &folder.path().join("second"));
    assert_eq!(second.status.code(), Some(1));
    assert!(said(&second).contains("choose another"), "{}", said(&second));
    assert!(!folder.path().join("second").exists(), "nothing is left behind");
}

#[test]
fn a_first_contact_that_is_not_what_was_expected_makes_nothing() {
    let whole = Served::of_every_type(9);
    let address = api(&Arc::new(Mutex::new(whole.clone())));
    let folder = tempfile::tempdir().expect("a folder");
    let node = folder.path().join("node");
    let url = format!("http://{address}");
    let own = log_verifier().to_string();
    let other = WitnessKey::from_seed("vault.example", &[1; 32]).expect("a key");
    let other =
        VerifierKey::new(ORIGIN, SignatureType::Ed25519, other.verifier().public_key()).expect("a key").to_string();
    let cases: [(&[&str], i32, &str); 6] = [
        (&["mirror"], 2, "--wallet FILE, or --hashes-only"),
        (&["mirror", "--hashes-only"], 2, "--api URL"),
        (&["mirror", "--api", &url], 2, "--hashes-only"),
        (&["mirror", "--api", &url, "--hashes-only", "--log", &other], 3, "not the one that was given"),
        (&["mirror", "--api", "http://127.0.0.1:1", "--hashes-only"], 4, "does not answer"),
        (&["witness", "--name", "two words", "--api", &url, "--hashes-only"], 1, "the witness' name"),
    ];
    for (arguments, code, what) in cases {
        let ended = init(arguments, &node);
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", said(&ended));
        assert!(said(&ended).contains(what), "{arguments:?}: {}", said(&ended));
        assert!(!node.exists(), "{arguments:?}");
    }
    let made = init(&["mirror", "--api", &url, "--hashes-only", "--log", &own], &node);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let running = Running::start_as("mirror", &node, &[]);
    running.wait("all", |status| status["blocks"] == whole.blocks.len());
    let wrong = program().args(["witness", "run"]).arg(&node).output().expect("started");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("another kind"), "{}", said(&wrong));
}
