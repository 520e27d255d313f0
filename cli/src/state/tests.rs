//! The state folder: what is a slot, who has it, what is removed, and what never is.

use std::fs::TryLockError;

use super::folder::is_still;
use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const OLD: Duration = Duration::from_hours(25);

/// As if it had been written that long ago.
fn aged(path: &Path, age: Duration) {
    let then = SystemTime::now().checked_sub(age).expect("after 1970");
    File::options().append(true).open(path).and_then(|file| file.set_modified(then)).expect("set");
}

fn slots(folder: &Path) -> Slots {
    State::Kept(folder.join("state")).slots("uploads").expect("made")
}

#[test]
fn a_slot_is_one_process_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let slots = slots(folder.path());
    let slot = slots.claim(A).expect("claimed").expect("free");
    assert!(slots.claim(A).expect("looked at").is_none(), "locks are of the open file, so this is as another process");
    assert!(slots.claim(B).expect("claimed").is_some());
    drop(slot);
    let again = slots.claim(A).expect("claimed").expect("free again");
    again.remove();
    assert_eq!(slots.names().expect("read"), [B]);
    assert!(slots.claim(A).expect("claimed").is_some(), "a removed slot can be had anew");
}

#[test]
fn a_lock_that_was_removed_guards_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let slots = slots(folder.path());
    let first = slots.claim(A).expect("claimed").expect("free");
    let stale = File::open(first.file(LOCK)).expect("there");
    first.remove();
    slots.claim(A).expect("claimed").expect("free");
    assert!(!is_still(&stale, &slots.path().join(A).join(LOCK)));
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata().expect("there").permissions().mode() & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

#[cfg(unix)]
#[test]
fn nobody_else_can_look_into_what_is_made_here() {
    let folder = tempfile::tempdir().expect("a folder");
    let slot = slots(folder.path()).claim(A).expect("claimed").expect("free");
    fs::write(slot.file("body"), b"of an older program").expect("written");
    slot.create("body").expect("made");
    slot.write("journal.json", b"{}").expect("written");
    for path in ["state", "state/uploads"].map(|path| folder.path().join(path)).iter().chain([&slot.path]) {
        assert_eq!(mode(path), 0o700, "{}", path.display());
    }
    for name in [LOCK, "body", "journal.json"] {
        assert_eq!(mode(&slot.file(name)), 0o600, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_was_there_is_taken_as_it_is_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let kind = state.join("uploads");
    let slot = kind.join(A);
    fs::create_dir_all(&slot).expect("made");
    for path in [&state, &kind, &slot] {
        set_mode(path, 0o755);
    }
    drop(slots(folder.path()).claim(A).expect("claimed").expect("free"));
    for path in [&state, &kind, &slot] {
        assert_eq!(mode(path), 0o755, "{}", path.display());
    }
    for (path, open) in [(&state, 0o777), (&kind, 0o775), (&kind, 0o777)] {
        set_mode(path, open);
        let error = State::Kept(state.clone()).slots("uploads").expect_err("others can write there");
        assert_eq!((&*error.code(), mode(path)), ("spool", open), "{error}");
        set_mode(path, 0o755);
    }
    set_mode(&slot, 0o777);
    slots(folder.path()).claim(A).expect_err("others can write there");
    assert_eq!(mode(&slot), 0o777);
    set_mode(&state, 0o1777);
    slots(folder.path());
}

#[cfg(unix)]
#[test]
fn what_is_not_ours_is_neither_seen_nor_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let slots = slots(folder.path());
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    for name in [LOCK, "body", "journal.json"] {
        fs::write(elsewhere.join(name), b"another's").expect("written");
    }
    // A folder with another name, one that no lock makes a slot, a link to one, a file.
    let (capital, short, long) = (A.to_uppercase(), &A[1..], format!("{A}a"));
    let others = ["photographs", &capital, short, &long, A].map(|name| slots.path.join(name));
    for other in &others {
        fs::create_dir(other).expect("made");
        fs::write(other.join("body"), b"another's").expect("written");
        fs::write(other.join(if other.ends_with(A) { "lock.txt" } else { LOCK }), b"another's").expect("written");
        set_mode(other, 0o755);
    }
    std::os::unix::fs::symlink(&elsewhere, slots.path.join(B)).expect("linked");
    fs::write(slots.path.join("c".repeat(64)), b"another's").expect("written");
    assert!(slots.names().expect("read").is_empty());
    slots.sweep(JOURNAL, Duration::ZERO);
    slots.claim(B).expect_err("a link is no slot");
    for other in others.iter().chain([&elsewhere]) {
        assert_eq!(fs::read(other.join("body")).expect("there"), b"another's");
        assert!(other == &elsewhere || mode(other) == 0o755);
    }
    assert!(slots.path.join("c".repeat(64)).exists());
}

#[cfg(unix)]
#[test]
fn a_slot_goes_without_what_is_not_ours() {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = folder.path().join("outside");
    fs::write(&outside, b"another's").expect("written");
    let slots = slots(folder.path());
    let slot = slots.claim(A).expect("claimed").expect("free");
    std::os::unix::fs::symlink(&outside, slot.file(BODY)).expect("linked");
    assert!(slot.open(BODY).expect("looked").is_none(), "it would be emptied");
    for name in [JOURNAL, "new-Ab3dE9", "new-years-eve.jpg", "notes.txt"] {
        fs::write(slot.file(name), b"x").expect("written");
    }
    slot.remove();
    let left = fs::read_dir(slots.path.join(A)).expect("there").map(|entry| entry.expect("read").file_name());
    let mut left: Vec<_> = left.collect();
    left.sort();
    assert_eq!(left, ["new-years-eve.jpg", "notes.txt"]);
    assert_eq!(fs::read(outside).expect("there"), b"another's");
}

#[test]
fn what_was_not_written_to_for_long_is_swept() {
    let folder = tempfile::tempdir().expect("a folder");
    let slots = slots(folder.path());
    let slot = slots.claim(A).expect("claimed").expect("free");
    slot.write(JOURNAL, b"{}").expect("written");
    aged(&slot.file(JOURNAL), OLD);
    slots.sweep(JOURNAL, Duration::from_hours(24));
    assert_eq!(slots.names().expect("read"), [A], "it is being written");
    drop(slot);
    slots.sweep(JOURNAL, Duration::from_hours(26));
    assert_eq!(slots.names().expect("read"), [A], "it is not that old");
    drop(slots.claim(B).expect("claimed").expect("free"));
    slots.sweep(JOURNAL, Duration::from_hours(24));
    assert!(slots.names().expect("read").is_empty(), "the other one has no journal at all");
}

#[test]
fn where_nothing_can_be_locked_only_old_slots_are_put_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let unsupported = |_: &File| Err(TryLockError::Error(io::ErrorKind::Unsupported.into()));
    let slots = Slots { try_lock: unsupported, ..slots(folder.path()) };
    let slot = slots.claim(A).expect("claimed").expect("nobody can say");
    slot.write(JOURNAL, b"{}").expect("written");
    slot.create(BODY).expect("made");
    for name in [LOCK, JOURNAL, BODY] {
        assert!(slots.claim_idle(A).expect("looked").is_none(), "{name} is young");
        slots.sweep(JOURNAL, Duration::ZERO);
        aged(&slot.file(name), OLD);
    }
    slots.sweep(JOURNAL, Duration::from_hours(26));
    assert!(slots.claim_idle(A).expect("looked").is_some());
    slots.sweep(JOURNAL, Duration::from_hours(24));
    assert!(slots.names().expect("read").is_empty());
}

#[test]
fn small_files_are_whole_and_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let slot = slots(folder.path()).claim(A).expect("claimed").expect("free");
    assert_eq!(slot.read("journal.json", 9).expect("looked for"), None);
    slot.write("journal.json", b"one").expect("written");
    slot.write("journal.json", b"two").expect("written");
    assert_eq!(slot.read("journal.json", 3).expect("read").as_deref(), Some(&b"two"[..]));
    assert_eq!(slot.read("journal.json", 2).expect("read"), None, "too large");
    slot.clear().expect("cleared");
    assert!(!slot.file("journal.json").exists() && slot.file(LOCK).exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_said_so() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("state"), b"a file").expect("written");
    let error = State::Kept(folder.path().join("state")).slots("uploads").expect_err("in the way");
    assert_eq!(error.code(), "spool");
    assert!(error.advice().contains(STATE_VARIABLE), "{}", error.advice());
}

#[test]
fn what_is_temporary_is_gone() {
    let slots = State::Temporary.slots("uploads").expect("made");
    let path = slots.path().to_owned();
    slots.claim(A).expect("claimed").expect("free").write("journal.json", b"{}").expect("written");
    drop(slots);
    assert!(!path.exists());
}
