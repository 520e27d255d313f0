//! Mischief behind the vault's back: somebody with the cloud account changes what is stored.

use chartseal_cli::{DownloadOf, Exit};
use chartseal_tests::{Hands, Hospital, Stack, sample};

struct Scene {
    stack: &'static Stack,
    anna: Hospital,
    record: chartseal_events::Id,
}

fn scene() -> Scene {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let record = anna.keep(sample(100_000).path(), &[]).record;
    Scene { stack, anna, record }
}

impl Scene {
    fn download(&self) -> Result<(), chartseal_cli::Error> {
        self.anna.fetch(DownloadOf::Record(self.record, Some(1))).0.map(|_| ())
    }
}

#[test]
fn an_event_changed_in_the_table_stops_the_vault_and_is_said_in_its_log() {
    let scene = scene();
    let stream = format!("record/{}", scene.record);
    Hands(scene.stack).forge_event(&stream, 0, r#""version":1"#, r#""version":2"#);
    let error = scene.download().expect_err("the stream does not add up");
    assert_eq!(error.code(), "internal");
    let logs = Hands(scene.stack).logs();
    assert!(logs.lines().any(|line| line.contains(&stream) && line.contains("damaged")), "the log names the stream");
}

#[test]
fn a_byte_flipped_in_a_stored_header_is_noticed() {
    for index in [10, 60, 200] {
        let scene = scene();
        Hands(scene.stack).flip_key_item(&format!("{}/1/", scene.record), "header", index);
        let error = scene.download().expect_err("another header");
        assert_eq!(error.exit(), Exit::Tampering, "byte {index}: {error}");
    }
}

/// The emulator's KMS would open most of these, to noise. The log has the wrapped key's hash, and nothing is opened that is not the same.
#[test]
fn a_bit_flipped_in_a_wrapped_key_is_noticed_by_the_vault() {
    let scene = scene();
    let wrapped = format!("{}/1", scene.record);
    // In its KMS key's id, its context, its nonce, and the key itself: the emulator's layout.
    for byte in [0, 35, 40, 70, 84, 115] {
        Hands(scene.stack).flip_key_item(&wrapped, "wrapped", byte);
        let error = scene.download().expect_err("another wrapped key");
        assert_eq!(error.code(), "internal", "byte {byte}");
        Hands(scene.stack).flip_key_item(&wrapped, "wrapped", byte);
    }
    let logs = Hands(scene.stack).logs();
    assert!(logs.lines().any(|line| line.contains(&wrapped) && line.contains("damaged")), "the log names the key");
    scene.download().expect("as it was");
}

#[test]
fn an_object_that_is_overwritten_is_still_the_pinned_version() {
    let scene = scene();
    Hands(scene.stack).overwrite(&format!("records/{}/", scene.record));
    scene.download().expect("the version that was committed");
}

#[test]
fn an_object_that_is_deleted_is_gone_and_said_so() {
    let scene = scene();
    let prefix = format!("records/{}/", scene.record);
    Hands(scene.stack).delete_object(&prefix);
    assert!(Hands(scene.stack).objects(&prefix).is_empty());
    let error = scene.download().expect_err("gone");
    assert_eq!(error.code(), "storage-refused", "{error}");
}
