//! Three real witnesses (`chartseal-node`) of a log on the deployed stack: each judges every event as an auditor, two are enough, and one that was killed comes back
//! and goes on where it was.

use std::process::Child;
use std::time::{Duration, Instant};

use chartseal_cli::{Passphrase, Wallet, WalletFile};
use chartseal_ledger::note::VerifierKey;
use chartseal_ledger::policy::Policy;
use chartseal_local::{Witness, WitnessMaking, witness_parameters, witness_program};
use chartseal_tests::{Stack, log, witness};

/// How long cosigning may take at most, on a busy machine, with its sweep every minute.
const PATIENCE: Duration = Duration::from_mins(2);
const PASSPHRASE: &str = "a witness starts without anybody there";

/// Nodes that end with the story, however it ends.
struct Nodes(Vec<(Witness, Child)>);

impl Drop for Nodes {
    fn drop(&mut self) {
        for (_, child) in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How long it takes from a command's answer until so many witnesses have cosigned a head that has its event, and whose names they are.
fn cosigned(stack: &Stack, policy: &Policy) -> (Duration, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, receipts) = log::kept(&stack.operator(), &folder.path().join("receipts"), |operator| {
        operator.invite(None, 1).expect("invited")
    });
    let begun = Instant::now();
    let (_, proven) = stack.vault().wait_proof(policy, &receipts[0], PATIENCE).expect("sealed and cosigned");
    (begun.elapsed(), proven.proven.accepted.witnesses)
}

#[test]
fn three_nodes_judge_a_log_and_two_are_enough() {
    if witness::out_of_reach() {
        return;
    }
    let stack = Stack::alone("judged");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("passphrase"), format!("{PASSPHRASE}\n")).expect("written");
    let mut auditor = Wallet::generate_operator().expect("a wallet");
    auditor.vault = Some(stack.vault().pin().clone());
    stack.operator().add_auditor(auditor.sign_key()).expect("added");
    WalletFile::create(&path("auditor.wallet"), &auditor, &Passphrase::new(PASSPHRASE)).expect("kept");
    let program = witness_program(&stack.workspace).expect("it builds");
    let start = |number: u32| {
        let (folder, name) = (path(&format!("witness-{number}")), format!("witness-{number}.example"));
        let (wallet, passphrase_file) = (path("auditor.wallet"), path("passphrase"));
        let making = WitnessMaking { folder: &folder, name: &name, wallet: &wallet, passphrase_file: &passphrase_file };
        Witness::start(&program, &making).expect("it starts")
    };
    let mut nodes = Nodes((1..=3).map(start).collect());
    let witnesses: Vec<Witness> = nodes.0.iter().map(|(witness, _)| witness.clone()).collect();
    let stack = stack.with_parameters("judged", witness_parameters(&witnesses, 2));

    let keys: Vec<VerifierKey> = witnesses.iter().map(|witness| witness.key.parse().expect("a vkey")).collect();
    let log = stack.vault().log_key().expect("a key");
    let policy = |quorum| Policy::new(log.clone(), None, keys.clone(), quorum).expect("a policy");
    let mut took: Vec<Duration> = (0..5).map(|_| cosigned(&stack, &policy(2)).0).collect();
    took.sort_unstable();
    eprintln!(
        "nodes: from answer to a proof that two have judged and cosigned: p50 {:?}, at most {:?}",
        took[2], took[4]
    );

    nodes.0[0].1.kill().expect("killed");
    nodes.0[0].1.wait().expect("gone");
    let (_, names) = cosigned(&stack, &policy(2));
    assert!(!names.iter().any(|name| name == keys[0].name()), "{names:?}");
    assert_eq!(names.len(), 2);
}
