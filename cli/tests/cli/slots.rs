//! What an unfinished upload leaves on this machine: it tells nothing, nothing of it is believed, and only it is removed.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chartseal_cli::{NewRecord, Silent, State, Unfinished};
use chartseal_events::Hash;
use serde_json::{Value, json};

use crate::fake::Fault;
use crate::resume::Story;
use crate::watch::Watch;

#[test]
fn a_spool_tells_nothing_of_the_record() {
    let story = Story::new();
    story.broken_off("PUT", "/s3/", Fault::Dropped);
    let keys: Vec<[u8; 32]> = story.vault.store().keys.values().map(|(key, _)| *key).collect();
    let slot = story.slot();
    let mut all = slot.to_string_lossy().into_owned().into_bytes();
    let mut names = Vec::new();
    for entry in fs::read_dir(&slot).expect("there").flatten() {
        names.push(entry.file_name().into_string().expect("ours"));
        all.extend(fs::read(entry.path()).expect("read"));
    }
    names.sort();
    assert_eq!(names, ["body", "journal.json", "lock"]);
    let text = String::from_utf8_lossy(&all).to_lowercase();
    let known = Hash::of(&[b"as it was first"]);
    let known = [known.to_string(), chartseal_events::Bytes(known.0).to_string().to_lowercase()];
    assert!(!known.iter().any(|hash| text.contains(hash)), "whoever knows the file would find it here");
    // Long enough that no random digits spell them.
    for secret in ["jane-doe", "of the head", "q-4471", "patient:", "as it was"] {
        assert!(!text.contains(secret), "{secret}");
    }
    for key in keys {
        let forms = [chartseal_events::Bytes(key).to_string(), Hash(key).to_string()];
        assert!(
            !all.windows(32).any(|window| window == key)
                && forms.iter().all(|form| !text.contains(&form.to_lowercase()))
        );
    }
}

#[test]
fn a_spool_that_is_damaged_is_made_again() {
    let damages: [fn(&Path); 3] = [
        |slot| {
            let mut body = fs::read(slot.join("body")).expect("there");
            body[20] ^= 1;
            fs::write(slot.join("body"), body).expect("written");
        },
        |slot| fs::write(slot.join("body"), b"short").expect("written"),
        |slot| fs::remove_file(slot.join("body")).expect("removed"),
    ];
    for damage in damages {
        let story = Story::new();
        story.broken_off("PUT", "/s3/", Fault::Dropped);
        damage(&story.slot());
        story.assert_goes_on(true);
        assert_eq!(story.events("record.announced.v1"), 2, "another run of the same version");
    }
}

#[test]
fn a_journal_that_was_changed_is_refused_and_the_upload_begun_anew() {
    let changes: [fn(&mut Value); 9] = [
        |journal| journal["v"] = json!(3),
        |journal| journal["begun_at_ms"] = json!(1),
        |journal| journal["record"] = json!("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        |journal| journal["wrapped_key"] = json!("AAAA"),
        |journal| drop(journal.as_object_mut().expect("an object").remove("mac")),
        // What would be signed without another look at it.
        |journal| journal["run"]["header"] = json!("AAAA"),
        |journal| journal["run"]["announcement"]["frames_root"] = json!(Hash([1; 32])),
        |journal| journal["run"]["announcement"]["commitment"] = json!(chartseal_events::Bytes([1; 32])),
        |journal| journal["run"]["announcement"]["media_type"] = json!("text/html"),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let story = Story::new();
        // It was not announced yet: nothing else shows what it should be.
        story.broken_off("POST", "/upload", Fault::Dropped);
        story.change_journal(change);
        let watch = Watch::default();
        let done = story.upload(&watch).expect("uploaded");
        assert!(!done.resumed && watch.has_noted("begun anew"), "{index}");
        assert!(story.slots().is_empty(), "{index}");
        story.assert_holds(done.record);
    }
}

#[test]
fn a_journal_of_another_slot_is_refused() {
    let story = Story::new();
    story.broken_off("POST", "/upload", Fault::Dropped);
    let first = story.slot();
    let new = NewRecord { path: &story.path, media_type: "text/plain", label: Some("another"), terms: &[] };
    story.vault.fail_at("POST", "/upload", &[Fault::Dropped]);
    story.ann.upload(&new, &Silent).expect_err("broken off");
    let second = story.slots().into_iter().find(|slot| *slot != first).expect("another");
    for name in ["journal.json", "body"] {
        fs::copy(first.join(name), second.join(name)).expect("copied");
    }
    assert!(!story.ann.upload(&new, &Silent).expect("uploaded").resumed, "it would be another's record");
}

#[test]
fn what_nobody_went_on_with_is_swept_by_the_next_upload() {
    let story = Story::new();
    story.broken_off("PUT", "/s3/", Fault::Dropped);
    for (days, left) in [(6, 1), (8, 0)] {
        let then = SystemTime::now() - Duration::from_hours(days * 24);
        let journal = fs::File::options().append(true).open(story.slot().join("journal.json"));
        journal.and_then(|journal| journal.set_modified(then)).expect("set");
        story.assert_uploads_another();
        assert_eq!(story.slots().len(), left, "{days} days after its journal was written");
    }
}

#[test]
fn what_is_not_ours_is_neither_discarded_nor_swept() {
    let story = Story::new();
    story.broken_off("PUT", "/s3/", Fault::Dropped);
    let photographs = story.vault.state.path().join("chartseal-uploads/photographs");
    fs::create_dir(&photographs).expect("made");
    fs::write(photographs.join("body"), b"a portrait").expect("written");
    story.assert_uploads_another();
    let state = State::Kept(story.vault.state.path().to_owned());
    assert_eq!(Unfinished::discard(&state, None).expect("discarded").len(), 1);
    assert_eq!(story.slots(), std::slice::from_ref(&photographs));
    assert_eq!(fs::read(photographs.join("body")).expect("there"), b"a portrait");
}

#[test]
fn a_place_that_cannot_be_written_is_said_before_anything_is_created() {
    let mut story = Story::new();
    let file = story.folder.path().join("a-file");
    fs::write(&file, b"").expect("written");
    story.ann.transfers.state = State::Kept(file);
    let error = story.upload(&Watch::default()).expect_err("in the way");
    assert!(error.code() == "spool" && error.advice().contains("CHARTSEAL_STATE"), "{error}");
    assert_eq!(story.events("record.created.v1"), 0);
}
