//! Notes against `signed_note`: what one writes, the other reads and verifies.

use chartseal_ledger::note::{
    KeyError, MAX_SIGNATURES, Note, NoteError, SignatureError, SignatureLine, SignatureType, VerifierKey,
};
use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;

use crate::sample::{self, Log, Party};

const KEY_NAME: &str = "[^\\s+\\p{C}]{1,40}";

fn key(seed: [u8; 32], name: &str) -> Party {
    let signing = SigningKey::from_bytes(&seed);
    let key = VerifierKey::new(name, SignatureType::Ed25519, &signing.verifying_key().to_bytes()).unwrap();
    Party { signing, key }
}

fn verified_by_them(note: &str, key: &VerifierKey) -> bool {
    let Ok(note) = signed_note::Note::from_bytes(note.as_bytes()) else { return false };
    let verifier = signed_note::StandardVerifier::new(&key.to_string()).unwrap();
    note.verify(&signed_note::VerifierList::new(vec![Box::new(verifier)])).is_ok()
}

#[test]
fn signatures_are_counted_and_put_in_their_place() {
    let log = Log::golden();
    let mut note = log.note(&[(&sample::clock(), 100), (&sample::witness(0), 101)]);
    let names = |note: &Note| note.signatures().iter().map(|line| line.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&note), ["vault.example", "vault.example/clock", "witness.example/w0"]);
    // A later cosignature takes the older one's place.
    sample::clock().sign(&mut note, 160);
    assert_eq!(names(&note), ["vault.example", "witness.example/w0", "vault.example/clock"]);
    assert_eq!(note.signed_by(&sample::clock().key).unwrap().unwrap().timestamp_s, Some(160));
    assert_eq!(note.signed_by(&sample::log().key).unwrap().unwrap().timestamp_s, None);
    assert_eq!(note.signed_by(&sample::witness(1).key), Ok(None));

    // A witness's answer is a line, and is taken only if it is that witness's over this text.
    let line = log.note(&[(&sample::witness(2), 170)]).signatures()[1].to_string();
    let line = SignatureLine::parse(&line).unwrap();
    assert_eq!(note.put(&sample::witness(1).key, line.clone()), Err(SignatureError::Invalid));
    note.put(&sample::witness(2).key, line.clone()).unwrap();
    assert_eq!(note.signed_by(&sample::witness(2).key).unwrap().unwrap().timestamp_s, Some(170));
    let mut other = log.checkpoint(4).to_note();
    assert_eq!(other.put(&sample::witness(2).key, line), Err(SignatureError::Invalid));
    assert!(other.signatures().is_empty());
}

#[test]
fn a_signature_is_for_its_text_time_key_and_type() {
    let mut note = Log::golden().note(&[]);
    let witness = sample::witness(0);
    let signature = witness.signing.sign(note.cosignature_message(100).as_bytes()).to_bytes();
    assert_eq!(note.cosign(&witness.key, 101, &signature), Err(SignatureError::Invalid));
    assert_eq!(note.cosign(&sample::witness(1).key, 100, &signature), Err(SignatureError::Invalid));
    assert_eq!(note.sign(&witness.key, &signature), Err(SignatureError::Invalid));
    assert_eq!(note.cosign(&witness.key, 100, &signature), Ok(()));
    // The same key pair for plain notes has another id, and its signature there says nothing here.
    let plain = VerifierKey::new(witness.key.name(), SignatureType::Ed25519, witness.key.public_key()).unwrap();
    assert_ne!(plain.id(), witness.key.id());
    assert_eq!(note.signed_by(&plain), Ok(None));
    assert_eq!(note.sign(&plain, &signature), Err(SignatureError::Invalid));
    // C2SP: a timestamp has 63 bits.
    let late = witness.signing.sign(note.cosignature_message(1 << 63).as_bytes()).to_bytes();
    assert_eq!(note.cosign(&witness.key, 1 << 63, &late), Err(SignatureError::Invalid));
    let last = witness.signing.sign(note.cosignature_message((1 << 63) - 1).as_bytes()).to_bytes();
    assert_eq!(note.cosign(&witness.key, (1 << 63) - 1, &last), Ok(()));
}

#[test]
fn a_note_has_room_for_so_many_signatures() {
    let text = "text\n\n";
    let line = |number: usize| format!("— example.com/{number} AAAAAQI=\n");
    let lines = |count: usize| (0..count).map(line).collect::<String>();
    let note = Note::parse((text.to_owned() + &lines(MAX_SIGNATURES)).as_bytes()).unwrap();
    assert_eq!(note.signatures().len(), MAX_SIGNATURES);
    let beyond = Note::parse((text.to_owned() + &lines(MAX_SIGNATURES + 1)).as_bytes());
    assert_eq!(beyond, Err(NoteError::TooManySignatures));
    // C2SP: at least 16 signatures of nearly 5 kB.
    let large = "A".repeat(6_664) + "AAAA";
    let post_quantum: String =
        (0..16).fold(String::new(), |lines, number| lines + &format!("— example.com/{number} {large}\n"));
    assert_eq!(Note::parse((text.to_owned() + &post_quantum).as_bytes()).unwrap().signatures().len(), 16);
}

#[test]
fn keys_of_small_order_are_no_keys() {
    // The curve's neutral element, under which a signature of zeros verifies for anything that is not strict.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    for weak in [[0; 32], neutral] {
        assert_eq!(VerifierKey::new("a", SignatureType::Ed25519, &weak), Err(KeyError::PublicKey));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn signed_note_reads_our_keys_and_verifies_our_notes(seed: [u8; 32], other: [u8; 32], name in KEY_NAME, size in 1_u64..1 << 60, root: [u8; 32]) {
        let (party, stranger) = (key(seed, &name), key(other, &name));
        prop_assert_eq!(party.key.to_string().parse::<VerifierKey>(), Ok(party.key.clone()));
        let theirs = signed_note::key_id(&name, &[&[1][..], party.key.public_key()].concat());
        prop_assert_eq!(theirs.to_be_bytes(), party.key.id().0);

        let checkpoint = chartseal_ledger::checkpoint::Checkpoint::new(&name, size, chartseal_events::Hash(root)).unwrap();
        let mut note = checkpoint.to_note();
        party.sign(&mut note, 0);
        sample::witness(0).sign(&mut note, 7);
        let text = note.to_string();
        prop_assert!(verified_by_them(&text, &party.key));
        prop_assert!(!verified_by_them(&text, &stranger.key) || seed == other);
        prop_assert_eq!(Note::parse(text.as_bytes()), Ok(note));

        // tlog_tiles reads the text as we do.
        let read = tlog_tiles::Checkpoint::from_bytes(checkpoint.text().as_bytes()).unwrap();
        prop_assert_eq!((read.origin(), read.size(), read.hash().0, read.extension()), (&name[..], size, root, ""));
    }

    #[test]
    fn we_verify_what_signed_note_signs(seed: [u8; 32], name in KEY_NAME, lines in prop::collection::vec("\\PC{0,30}", 1..4)) {
        let party = key(seed, &name);
        let secret = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [&[1][..], &seed].concat());
        let signer = signed_note::StandardSigner::new(&format!("PRIVATE+KEY+{name}+{}+{secret}", party.key.id())).unwrap();
        let text = lines.join("\n") + "\n";
        let mut theirs = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        theirs.add_sigs(&[&signer]).unwrap();
        let note = Note::parse(&theirs.to_bytes()).unwrap();
        prop_assert_eq!(note.text(), text);
        prop_assert!(note.signed_by(&party.key).unwrap().is_some());
        prop_assert_eq!(note.to_string().into_bytes(), theirs.to_bytes());
    }

    #[test]
    fn what_one_takes_for_a_note_so_does_the_other(text in "[a-z\\n —]{0,12}", lines in prop::collection::vec("(— )?[a+ ]{0,3} ?(AAAAAQI=|AAAAAQJ=|AAAA|AAAAAQI|)\\n?", 0..3)) {
        let bytes = format!("{text}\n\n{}", lines.concat()).into_bytes();
        let (ours, theirs) = (Note::parse(&bytes), signed_note::Note::from_bytes(&bytes));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs.err());
    }
}
