//! The log: its signing key, its tiles, its checkpoint.

use chartseal_events::Hash;
use chartseal_infra::aws::SystemClock;
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{
    Clock as _, ClockKey, LogFiles, LogKey as _, LogSigner as _, Published, Race, StoreError, Timed,
};
use chartseal_ledger::block::FullTile;
use ed25519_dalek::{Signature, VerifyingKey};
use futures_util::future::join_all;

use crate::blocks::full_tile;
use crate::emulated::Emulated;
use crate::subject::Subject;

pub async fn the_log_key_is_an_ed25519_key(subject: &impl Subject) {
    let key = subject.log().public_key().await.expect("a key");
    assert!(chartseal_events::jws::is_public_key(&key));
    assert_eq!(subject.log().public_key().await.expect("a key"), key);
}

pub async fn the_log_signs_with_its_key(subject: &impl Subject) {
    let key = VerifyingKey::from_bytes(&subject.log().public_key().await.expect("a key").0).expect("a point");
    for message in [&b"vault.example\n2\nroot\n"[..], b"x", &[7; 4_096]] {
        let signature = subject.signer().sign(message).await.expect("signs");
        let (first, signature) = (signature, Signature::from_bytes(&signature.0));
        key.verify_strict(message, &signature).expect("verifies");
        key.verify_strict(b"another", &signature).expect_err("only what was signed");
        assert_eq!(subject.signer().sign(message).await.expect("signs"), first, "one message has one signature");
    }
}

/// What the clock's key signs, and the time that comes with it, whatever the key is called.
async fn cosigns(key: &impl ClockKey, now_ms: impl Fn() -> u64) {
    let public = VerifyingKey::from_bytes(&key.clock_key().await.expect("a key").0).expect("a point");
    let message = b"cosignature/v1\ntime 1795392000\nvault.example\n2\nroot\n";
    let asked_ms = now_ms();
    let Timed { signature, service_ms } = key.cosign(message).await.expect("signs");
    public.verify_strict(message, &Signature::from_bytes(&signature.0)).expect("verifies");
    chartseal_infra::clocks::agree(asked_ms, now_ms(), service_ms).expect("the time that it was signed");
    assert_eq!(service_ms % 1_000, 0, "to the second");
}

#[tokio::test]
async fn the_clock_cosigns_and_says_when() {
    let memory = MemoryVault::new();
    cosigns(&memory, || memory.now_ms()).await;
    assert_ne!(memory.clock_key().await.expect("a key"), memory.public_key().await.expect("a key"));
    cosigns(&Emulated::new().await.clock(), || SystemClock.now_ms()).await;
}

pub async fn a_full_tile_never_changes(subject: &impl Subject) {
    let files = subject.files();
    let tile = full_tile();
    assert_eq!(files.tile(&tile.address).await.expect("reads"), None);
    for _ in 0..2 {
        files.put_tile(&tile).await.expect("twice is once");
    }
    let mut other = tile.clone();
    other.hashes[7] = Hash::ZERO;
    let refused = files.put_tile(&other).await;
    assert!(matches!(&refused, Err(StoreError::Damaged { what }) if what.contains("tile/0/000")), "{refused:?}");
    assert_eq!(files.tile(&tile.address).await.expect("reads"), Some(tile.hashes));
}

pub async fn a_race_for_a_tile_has_one_outcome(subject: &impl Subject) {
    let files = subject.files();
    let tile = full_tile();
    // All of them write the same, as sealers do.
    for written in join_all((0..16).map(|_| files.put_tile(&tile))).await {
        written.expect("it is there");
    }
    assert_eq!(files.tile(&tile.address).await.expect("reads").as_ref(), Some(&tile.hashes));
    // And where they do not, one has it.
    let rival = |n: u8| FullTile {
        address: chartseal_ledger::tile::TileAddress::new(1, 1_234_067, 256).expect("a tile"),
        hashes: vec![Hash([n; 32]); 256],
    };
    let rivals: Vec<FullTile> = (0..16).map(rival).collect();
    let written = join_all(rivals.iter().map(|tile| files.put_tile(tile))).await;
    let won: Vec<usize> = (0..16).filter(|n| written[*n].is_ok()).collect();
    assert_eq!(won.len(), 1, "{written:?}");
    assert!(written.iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Damaged { .. }))), "{written:?}");
    assert_eq!(files.tile(&rivals[0].address).await.expect("reads").as_ref(), Some(&rivals[won[0]].hashes));
}

async fn published(files: &impl LogFiles) -> Published {
    files.published().await.expect("reads").expect("published")
}

pub async fn a_checkpoint_takes_the_place_of_the_one_that_was_seen(subject: &impl Subject) {
    let files = subject.files();
    assert_eq!(files.published().await.expect("reads"), None);
    let never = Published { note: "none".to_owned(), version: "\"d41d8cd98f00b204e9800998ecf8427e\"".to_owned() };
    assert_eq!(files.publish("a\n", Some(&never)).await.expect("answers"), Race::Lost, "there is none yet");
    assert_eq!(files.publish("a\n", None).await.expect("writes"), Race::Won);
    assert_eq!(files.publish("b\n", None).await.expect("answers"), Race::Lost);
    assert_eq!(files.publish("a\n", None).await.expect("answers"), Race::Won, "only the answer had been lost");
    let a = published(files).await;
    assert_eq!(a.note, "a\n");
    assert_eq!(files.publish("b\n", Some(&a)).await.expect("writes"), Race::Won);
    assert_eq!(files.publish("c\n", Some(&a)).await.expect("answers"), Race::Lost, "what was seen is gone");
    assert_eq!(files.publish("b\n", Some(&a)).await.expect("answers"), Race::Won, "only the answer had been lost");
    let b = published(files).await;
    assert_eq!(b.note, "b\n");
    assert_ne!(b.version, a.version);
    assert_eq!(files.publish("— é\n", Some(&b)).await.expect("writes"), Race::Won);
    assert_eq!(published(files).await.note, "— é\n");
}

pub async fn a_race_for_the_checkpoint_has_one_winner(subject: &impl Subject) {
    let files = subject.files();
    let mut seen: Option<Published> = None;
    for round in 0..4 {
        let notes: Vec<String> = (0..16).map(|n| format!("{round} {n}\n")).collect();
        let races = join_all(notes.iter().map(|note| files.publish(note, seen.as_ref()))).await;
        let races: Vec<Race> = races.into_iter().map(|race| race.expect("answers")).collect();
        let won: Vec<usize> = (0..16).filter(|n| races[*n] == Race::Won).collect();
        let [winner] = won[..] else { panic!("round {round}: {} winners", won.len()) };
        let now = published(files).await;
        assert_eq!(now.note, notes[winner]);
        seen = Some(now);
    }
}

/// What stands in the bucket is what anybody can make of it: each of these objects is named, and none is taken.
#[tokio::test]
async fn damaged_files_are_named() {
    let emulated = Emulated::new().await;
    let files = emulated.files();
    let tile = full_tile();
    let whole: Vec<u8> = tile.hashes.iter().flat_map(|hash| hash.0).collect();
    for bytes in [&b""[..], &whole[..8_160], &whole[..8_191], &[&whole[..], &[0]].concat(), &vec![0; 100_000]] {
        emulated.put_log_file("tile/0/000", bytes).await;
        let read = files.tile(&tile.address).await;
        let named = |error: &StoreError| matches!(error, StoreError::Damaged { what } if what.contains("tile/0/000"));
        assert!(read.as_ref().is_err_and(named), "{} bytes: {read:?}", bytes.len());
        let put = files.put_tile(&tile).await;
        assert!(put.as_ref().is_err_and(named), "{} bytes: {put:?}", bytes.len());
    }
    let long = vec![b'a'; 1 << 20];
    for bytes in [&[0xff, 0xfe][..], &long] {
        emulated.put_log_file("checkpoint", bytes).await;
        let read = files.published().await;
        assert!(matches!(&read, Err(StoreError::Damaged { what }) if what.contains("checkpoint")), "{read:?}");
    }
}

/// What a bucket served as it is gives to anybody with a tlog-tiles client.
#[tokio::test]
async fn files_say_what_they_are() {
    let emulated = Emulated::new().await;
    emulated.files().put_tile(&full_tile()).await.expect("writes");
    emulated.files().publish("a\n", None).await.expect("writes");
    let tile = emulated.log_file("tile/0/000").await;
    assert_eq!(tile, ("application/octet-stream".to_owned(), "public, max-age=31536000, immutable".to_owned(), 8_192));
    let checkpoint = emulated.log_file("checkpoint").await;
    assert_eq!(checkpoint, ("text/plain; charset=utf-8".to_owned(), "no-cache".to_owned(), 2));
}
