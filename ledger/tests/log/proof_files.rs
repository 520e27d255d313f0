//! Proof files: what they prove, and that no part of one can be altered.

use chartseal_ledger::event_proof::{EXTRA_HEADER, EventProof, EventProofError};
use chartseal_ledger::tlog_proof::{HEADER, TlogProof, TlogProofError};
use chartseal_ledger::tree::{Proof, inclusion};
use proptest::prelude::*;

use crate::sample::{Log, policy, witness};

fn file() -> (Log, EventProof) {
    let log = Log::golden();
    let note = log.note(&[(&witness(0), 1_764_028_900), (&witness(2), 1_764_028_901)]);
    let proof = log.event_proof(2, 100, &note);
    (log, proof)
}

#[test]
fn a_file_proves_its_event_with_keys_alone() {
    let (log, proof) = file();
    let text = proof.to_file().to_string();
    let read = EventProof::parse(text.as_bytes()).unwrap();
    assert_eq!(read, proof);
    let proven = read.verify(&policy(2)).unwrap();
    assert_eq!(proven.leaf, log.leaves[106]);
    assert_eq!((proven.index, proven.seal), (106, log.blocks[2].seal));
    assert_eq!(proven.accepted.witnesses, ["witness.example/w0", "witness.example/w2"]);
    assert_eq!(read.verify(&policy(3)).unwrap_err().code(), "quorum");

    // Anybody's tool for C2SP's format can check the inclusion with the leaf's hash.
    let plain = TlogProof::parse(text.as_bytes()).unwrap();
    let checkpoint = proven.accepted.checkpoint;
    let verified = inclusion::verify(&plain.inclusion, plain.index, proven.leaf, checkpoint.size(), checkpoint.root());
    assert_eq!(verified, Ok(()));
}

#[test]
fn every_step_has_its_own_failure() {
    let (log, good) = file();
    let failure = |alter: &dyn Fn(&mut EventProof)| {
        let mut proof = good.clone();
        alter(&mut proof);
        let code = proof.verify(&policy(1)).unwrap_err().code().to_owned();
        // Writing and reading it again changes nothing.
        let read = EventProof::parse(proof.to_file().to_string().as_bytes()).unwrap();
        assert_eq!(read.verify(&policy(1)).unwrap_err().code(), code);
        code
    };
    assert_eq!(failure(&|proof| proof.body[30] ^= 1), "event-inclusion");
    assert_eq!(failure(&|proof| proof.body.push(b' ')), "event-inclusion");
    assert_eq!(failure(&|proof| proof.index += 1), "event-inclusion");
    assert_eq!(failure(&|proof| proof.inclusion = Proof::default()), "event-inclusion");
    assert_eq!(failure(&|proof| proof.index = 5), "other-block");
    assert_eq!(failure(&|proof| proof.index = 296), "other-block");
    assert_eq!(failure(&|proof| proof.seal = log.blocks[1].seal), "other-block");
    assert_eq!(failure(&|proof| proof.seal_inclusion = proof.inclusion.clone()), "seal-inclusion");
    assert_eq!(failure(&|proof| proof.checkpoint = proof.checkpoint.replace("297", "296")), "signature-invalid");
    let unsigned = log.checkpoint(297).to_note().to_string();
    assert_eq!(failure(&|proof| proof.checkpoint = unsigned.clone()), "note-unsigned");
    // A seal of the same place that says another time.
    let later = Log::of(&[(crate::sample::BEGIN_MS, 3), (0, 1), (crate::sample::BEGIN_MS + 60_001, 290)]);
    assert_eq!(failure(&|proof| proof.seal = later.blocks[2].seal), "seal-inclusion");
}

#[test]
fn extra_data_that_are_not_ours_are_refused() {
    let (_, good) = file();
    let failure = |extra: Option<Vec<u8>>| {
        let file = TlogProof { extra, ..good.to_file() };
        EventProof::parse(file.to_string().as_bytes()).unwrap_err()
    };
    let extra = good.to_file().extra.unwrap();
    assert_eq!(failure(None), EventProofError::Extra);
    assert_eq!(failure(Some(extra[1..].to_vec())), EventProofError::Extra);
    let next_version = [b"chartseal/proof/v2\n", &extra[EXTRA_HEADER.len()..]].concat();
    assert_eq!(failure(Some(next_version)), EventProofError::Extra);
    for cut in [10, 19, 20, 148, 149, 150, 181] {
        assert_eq!(failure(Some(extra[..cut].to_vec())), EventProofError::Extra, "{cut}");
    }
    let path = usize::from(extra[149]);
    assert_eq!(failure(Some(extra[..150 + path * 32].to_vec())), EventProofError::Body);
    let mut longest = extra.clone();
    longest.resize(150 + path * 32 + 32 * 1024 + 1, b' ');
    assert_eq!(failure(Some(longest)), EventProofError::Body);
    let mut long_path = extra.clone();
    long_path[149] = 64;
    assert_eq!(failure(Some(long_path)), EventProofError::Extra);
    let mut no_seal = extra;
    no_seal[19] = 1;
    assert_eq!(failure(Some(no_seal)).code(), "seal");
}

#[test]
fn a_tlog_proof_without_extra_data_is_read_and_written() {
    let text = format!("{HEADER}\nindex 0\n\nexample.com/log\n1\nAAAA\n\n— example.com/log AAAAAQI=\n");
    let read = TlogProof::parse(text.as_bytes()).unwrap();
    assert_eq!((read.extra.as_deref(), read.index, read.inclusion.hashes().len()), (None, 0, 0));
    assert_eq!(read.to_string(), text);
    assert_eq!(TlogProof::parse(text.replace("index 0", "index 00").as_bytes()), Err(TlogProofError::Index));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn one_bit_off_proves_nothing_else(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let log = Log::of(&[(5, 3), (6, 9)]);
        let good = log.event_proof(1, 4, &log.note(&[(&witness(0), 100)]));
        let mut bytes = good.to_file().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let outcome = EventProof::parse(&bytes).and_then(|proof| proof.verify(&policy(1)));
        prop_assert!(outcome.is_err(), "bit {} of byte {}", bit, at);
    }
}
