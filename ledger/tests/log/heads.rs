//! Which heads of a log are believed.

use chartseal_ledger::checkpoint::ExtensionError;
use chartseal_ledger::note::{SignatureError, SignatureType, VerifierKey};
use chartseal_ledger::policy::{Freshness, MAX_WITNESSES, Policy, PolicyError, RefusedCheckpoint};
use chartseal_ledger::tree::{Leaves, Proof, consistency};
use proptest::prelude::*;

use crate::sample::{self, Log, clock, log, policy, witness};

#[test]
fn k_of_n_witnesses_are_enough_and_fewer_are_not() {
    let golden = Log::golden();
    let parties = [witness(0), witness(1), witness(2)];
    for chosen in 0..8_u8 {
        let cosigners: Vec<_> =
            (0_u8..3).filter(|bit| chosen >> bit & 1 == 1).map(|bit| (&parties[usize::from(bit)], 100)).collect();
        let note = golden.note(&cosigners).to_string();
        for quorum in 0..=3 {
            let outcome = policy(quorum).accept(note.as_bytes());
            if cosigners.len() < quorum {
                assert_eq!(outcome, Err(RefusedCheckpoint::Quorum { required: quorum, found: cosigners.len() }));
                continue;
            }
            let accepted = outcome.unwrap();
            assert_eq!(accepted.checkpoint, golden.checkpoint(297));
            let names: Vec<_> = cosigners.iter().map(|(party, _)| party.key.name()).collect();
            assert_eq!(accepted.witnesses, names);
        }
    }
    // The log's own clock is no witness.
    let note = golden.note(&[(&clock(), 100), (&parties[0], 100)]).to_string();
    assert_eq!(policy(2).accept(note.as_bytes()), Err(RefusedCheckpoint::Quorum { required: 2, found: 1 }));
}

#[test]
fn a_strangers_signature_neither_helps_nor_harms() {
    let golden = Log::golden();
    let note = golden.note(&[(&witness(0), 100)]).to_string();
    let strange = format!("{note}— witness.example/w1 AAAAAQI=\n— strange AAAAAQIDBAU=\n— strange AAAAAQIDBAU=\n");
    assert_eq!(policy(1).accept(strange.as_bytes()).unwrap(), policy(1).accept(note.as_bytes()).unwrap());
    assert!(policy(2).accept(strange.as_bytes()).is_err());
}

#[test]
fn a_known_keys_bad_or_second_line_spoils_the_note() {
    let golden = Log::golden();
    let good = golden.note(&[(&witness(0), 100)]);
    let refused = |note: &str| policy(0).accept(note.as_bytes()).unwrap_err();
    let signature = |name: &str, reason| RefusedCheckpoint::Signature { name: name.to_owned(), reason };
    let last = good.signatures()[1].to_string();
    let again = golden.note(&[(&witness(0), 101)]).signatures()[1].to_string();
    for second in [&last, &again] {
        let twice = format!("{good}{second}\n");
        assert_eq!(refused(&twice), signature("witness.example/w0", SignatureError::Twice));
    }
    // Another checkpoint's cosignature under this one's text.
    let elsewhere = Log::of(&[(5, 1)]).note(&[(&witness(0), 100)]).signatures()[1].to_string();
    let moved = good.to_string().replace(&last, &elsewhere);
    assert_eq!(refused(&moved), signature("witness.example/w0", SignatureError::Invalid));
    let forged = good.to_string().replace("\n297\n", "\n298\n");
    assert_eq!(refused(&forged), signature("vault.example", SignatureError::Invalid));
}

#[test]
fn a_fresh_head_was_cosigned_just_now() {
    let golden = Log::golden();
    let now = 1_764_030_000;
    let outcome = |cosigned: &[u64]| {
        let parties = [clock(), witness(0), witness(1)];
        let cosigners: Vec<_> = parties.iter().zip(cosigned).map(|(party, &at)| (party, at)).collect();
        let note = golden.note(&cosigners).to_string();
        policy(0).accept_fresh(note.as_bytes(), now, Freshness::DEFAULT).map(|accepted| accepted.cosigned_s)
    };
    assert_eq!(outcome(&[]), Err(RefusedCheckpoint::NoTimestamp));
    assert_eq!(outcome(&[now]), Ok(vec![now]));
    assert_eq!(outcome(&[now - 150]), Ok(vec![now - 150]));
    assert_eq!(outcome(&[now - 151]), Err(RefusedCheckpoint::Stale { age_s: 151 }));
    assert_eq!(outcome(&[now + 5]), Ok(vec![now + 5]));
    assert_eq!(outcome(&[now + 6]), Err(RefusedCheckpoint::Ahead));
    // The newest counts; one that is ahead is passed over.
    assert_eq!(outcome(&[now - 1_000, now - 3]), Ok(vec![now - 1_000, now - 3]));
    assert_eq!(outcome(&[now + 1_000, now - 3]), Ok(vec![now - 3, now + 1_000]));
    assert_eq!(outcome(&[now + 1_000, now - 200]), Err(RefusedCheckpoint::Stale { age_s: 200 }));
    assert_eq!(outcome(&[u64::MAX >> 1, now]), Ok(vec![now, u64::MAX >> 1]));
}

#[test]
fn keys_must_make_a_policy() {
    let refused = |log, clock, witnesses, quorum| Policy::new(log, clock, witnesses, quorum).unwrap_err();
    assert_eq!(refused(witness(0).key, None, vec![], 0), PolicyError::KeyType);
    assert_eq!(refused(log().key, Some(log().key), vec![], 0), PolicyError::KeyType);
    assert_eq!(refused(log().key, None, vec![witness(0).key], 2), PolicyError::Quorum);
    assert_eq!(refused(log().key, None, vec![witness(0).key, witness(0).key], 1), PolicyError::Twice);
    assert_eq!(refused(log().key, Some(witness(0).key), vec![witness(0).key], 1), PolicyError::Twice);
    // One key under two names would be two witnesses.
    let alias = VerifierKey::new("another.example", SignatureType::Cosignature, witness(0).key.public_key()).unwrap();
    assert_eq!(refused(log().key, None, vec![witness(0).key, alias], 2), PolicyError::Twice);
    // The log as its own witness.
    let own = VerifierKey::new("another.example", SignatureType::Cosignature, log().key.public_key()).unwrap();
    assert_eq!(refused(log().key, None, vec![own], 1), PolicyError::Twice);
    let many = (0..=u8::try_from(MAX_WITNESSES).unwrap()).map(|number| witness(number).key).collect::<Vec<_>>();
    assert_eq!(refused(log().key, None, many[1..].iter().chain(&many[..1]).cloned().collect(), 1), PolicyError::Quorum);
    assert!(Policy::new(log().key, None, many[1..].to_vec(), 1).is_ok());
}

#[test]
fn a_head_goes_on_from_the_last_one_seen() {
    let golden = Log::golden();
    let (older, newer) = (golden.checkpoint(6), golden.checkpoint(297));
    let proof = consistency::prove(6, 297, &Leaves(&golden.leaves)).unwrap();
    assert_eq!(newer.extends(&older, &proof), Ok(()));
    assert_eq!(newer.extends(&newer, &Proof::default()), Ok(()));
    let back = older.extends(&newer, &proof).unwrap_err();
    assert_eq!(back.code(), "shrunk");
    // A fork: as long, but something else in it.
    let fork = Log::of(&[(sample::BEGIN_MS, 3), (sample::BEGIN_MS, 1), (sample::BEGIN_MS, 290)]);
    assert_eq!(fork.checkpoint(297).extends(&older, &proof).unwrap_err().code(), "root-mismatch");
    let own = consistency::prove(6, 297, &Leaves(&fork.leaves)).unwrap();
    assert_eq!(fork.checkpoint(297).extends(&older, &own).unwrap_err().code(), "old-root-mismatch");
    assert_eq!(fork.checkpoint(297).extends(&newer, &Proof::default()).unwrap_err().code(), "root-mismatch");
    let elsewhere = chartseal_ledger::checkpoint::Checkpoint::new("other.example", 297, newer.root()).unwrap();
    assert_eq!(elsewhere.extends(&older, &proof), Err(ExtensionError::OtherLog));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn one_byte_off_is_never_another_head(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let note = Log::of(&[(5, 3)]).note(&[(&witness(0), 100), (&witness(1), 101)]).to_string();
        let mut bytes = note.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // A line that is no longer a known key's is a stranger's; what is believed stays the same.
        if let Ok(accepted) = policy(1).accept(&bytes) {
            prop_assert_eq!(accepted.checkpoint, policy(2).accept(note.as_bytes()).unwrap().checkpoint);
        }
        prop_assert!(policy(2).accept(&bytes).is_err());
    }
}
