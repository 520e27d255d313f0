//! The frozen vectors: what they say happens, and they stay what they are.
//!
//! `CHARTSEAL_WRITE_VECTORS=1 cargo test -p chartseal-ledger --test log` writes the files anew, when a vector is added. An old vector never changes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chartseal_events::Hash;
use chartseal_ledger::chain::Chain;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::event_proof::EventProof;
use chartseal_ledger::note::VerifierKey;
use chartseal_ledger::policy::{Freshness, Policy};
use chartseal_ledger::seal::Seal;
use chartseal_ledger::tile::{Edge, TileAddress, VerifiedTiles};
use chartseal_ledger::tlog_proof::TlogProof;
use chartseal_ledger::tree::{Proof, consistency, inclusion, range};
use serde_json::Value;

use crate::{golden_cases, hostile_blocks, hostile_cases, hostile_heads};

/// The file in the checkout that cargo tests: one target folder can serve two.
pub fn path(file: &str) -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(package).join("vectors").join(file)
}

pub fn read(file: &str) -> Value {
    let text = std::fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// The file's content, which must be exactly what is made here.
fn frozen(file: &str, made: &Value) -> Value {
    if std::env::var_os("CHARTSEAL_WRITE_VECTORS").is_some() {
        std::fs::write(path(file), serde_json::to_string_pretty(made).unwrap() + "\n").unwrap();
    }
    let frozen = read(file);
    assert!(frozen == *made, "{file} is not what is made now");
    frozen
}

pub fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

pub fn hash(value: &Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

pub fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(hash).collect()
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn proof(value: &Value) -> Result<Proof, String> {
    hashes(value).try_into().map_err(|error: chartseal_ledger::tree::ProofFormError| error.code().to_owned())
}

fn code<T, E>(outcome: Result<T, E>, code: impl Fn(&E) -> &str) -> Result<(), String> {
    outcome.map(|_| ()).map_err(|error| code(&error).to_owned())
}

/// Does what a vector's `check` names with its `input`; the failure's code where it is refused.
pub fn outcome(check: &str, input: &Value) -> Result<(), String> {
    match check {
        "inclusion" | "consistency" | "range" | "proof" => proof_outcome(check, input),
        "tile-path" => code(text(&input["path"]).parse::<TileAddress>(), |_| "path"),
        "tiles" => code(tiles(input), |error| error.code()),
        "edge" => code(Edge::from_bytes(&bytes(&input["edge"])), |error| error.code()),
        "seal" => code(Seal::from_bytes(&bytes(&input["seal"])), |error| error.code()),
        "chain" => code(chain(input), |error| error.code()),
        "key" => code(text(&input["key"]).parse::<VerifierKey>(), |error| error.code()),
        "policy" => code(policy(&input["policy"]), |error| error.code()),
        "accept" => code(accept(input), |error| error.code()),
        "extends" => {
            let checkpoint = |name: &str| Checkpoint::parse(text(&input[name])).unwrap();
            let proof = proof(&input["proof"])?;
            code(checkpoint("newer").extends(&checkpoint("older"), &proof), |error| error.code())
        }
        "tlog-proof" => code(TlogProof::parse(text(&input["file"]).as_bytes()), |error| error.code()),
        "event-proof" => {
            let policy = policy(&input["policy"]).unwrap();
            let proven = EventProof::parse(text(&input["file"]).as_bytes()).and_then(|proof| proof.verify(&policy));
            code(proven, |error| error.code())
        }
        _ => panic!("no check is called {check}"),
    }
}

fn proof_outcome(check: &str, input: &Value) -> Result<(), String> {
    if check == "proof" {
        return code(Proof::from_bytes(&bytes(&input["proof"])), |error| error.code());
    }
    let proof = proof(&input["proof"])?;
    let (size, root) = (number(&input["size"]), hash(&input["root"]));
    let verified = match check {
        "inclusion" => inclusion::verify(&proof, number(&input["index"]), hash(&input["leaf"]), size, root),
        "consistency" => consistency::verify(&proof, number(&input["old_size"]), hash(&input["old_root"]), size, root),
        _ => range::verify(&proof, number(&input["first"]), &hashes(&input["leaves"]), size, root),
    };
    code(verified, |error| error.code())
}

fn tiles(input: &Value) -> Result<VerifiedTiles, chartseal_ledger::tile::TileError> {
    let tiles = input["tiles"].as_array().unwrap().iter();
    let tiles = tiles.map(|tile| (text(&tile["path"]).parse().unwrap(), bytes(&tile["hashes"])));
    VerifiedTiles::new(number(&input["size"]), hash(&input["root"]), tiles)
}

/// Every block in turn, then the checkpoint if there is one.
fn chain(input: &Value) -> Result<(), chartseal_ledger::chain::ChainError> {
    let mut chain = Chain::new();
    for block in input["blocks"].as_array().unwrap() {
        chain.follow(&Seal::from_bytes(&bytes(&block["seal"])).unwrap(), &hashes(&block["events"]))?;
    }
    let checkpoint = input["checkpoint"].as_str().map(|text| Checkpoint::parse(text).unwrap());
    checkpoint.map_or(Ok(()), |checkpoint| chain.agrees(&checkpoint))
}

pub fn policy(value: &Value) -> Result<Policy, chartseal_ledger::policy::PolicyError> {
    let key = |value: &Value| text(value).parse::<VerifierKey>().unwrap();
    let clock = value.get("clock").map(key);
    let witnesses = value["witnesses"].as_array().unwrap().iter().map(key).collect();
    Policy::new(key(&value["log"]), clock, witnesses, usize::try_from(number(&value["quorum"])).unwrap())
}

fn accept(input: &Value) -> Result<(), chartseal_ledger::policy::RefusedCheckpoint> {
    let policy = policy(&input["policy"]).unwrap();
    // Notes that are not UTF-8 stand there in hex.
    let note = input["note"].as_str().map_or_else(|| bytes(&input["note_hex"]), |note| note.as_bytes().to_vec());
    match input["now_s"].as_u64() {
        Some(now_s) => policy.accept_fresh(&note, now_s, Freshness::DEFAULT).map(|_| ()),
        None => policy.accept(&note).map(|_| ()),
    }
}

#[test]
fn golden_vectors_hold() {
    let golden = frozen("golden.json", &golden_cases::golden());
    for case in golden["cases"].as_array().unwrap() {
        let name = &case["name"];
        assert_eq!(outcome(text(&case["check"]), &case["input"]), Ok(()), "{name}");
    }
    golden_cases::check(&golden);
}

#[test]
fn hostile_vectors_fail_as_they_say() {
    let made: Vec<Value> = [hostile_cases::cases(), hostile_blocks::cases(), hostile_heads::cases()].concat();
    let vectors = frozen("must-fail.json", &Value::Array(made));
    let vectors = vectors.as_array().unwrap();
    let mut failures = BTreeSet::new();
    for vector in vectors {
        let (check, failure) = (text(&vector["check"]), text(&vector["failure"]));
        assert_eq!(outcome(check, &vector["input"]), Err(failure.to_owned()), "{}", vector["name"]);
        failures.insert((check, failure));
    }
    let names: BTreeSet<_> = vectors.iter().map(|vector| text(&vector["name"])).collect();
    assert_eq!(names.len(), vectors.len(), "a name stands twice");
    for due in hostile_cases::DUE {
        assert!(failures.contains(due), "no vector fails with {due:?}");
    }
}
