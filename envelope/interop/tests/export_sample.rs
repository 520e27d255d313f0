//! The sample of docs/ENVELOPE.md, as it is printed there, opens what `chartseal record export` writes.

use std::fs;
use std::process::Command;

use chartseal_envelope::{Context, DataKey, FrameBytes, RawAesKey, Sealing, seal_message};
use chartseal_interop::python_with_sdk;
use chartseal_local::Workspace;

#[test]
fn the_printed_sample_opens_an_export() {
    let workspace = Workspace::find().unwrap();
    let python = python_with_sdk(&workspace).unwrap();
    let text = fs::read_to_string(workspace.root().join("docs/ENVELOPE.md")).unwrap();
    let sample = text.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a sample");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);

    // As the command line names and writes keys.
    let mine = RawAesKey::new("chartseal", "export", [0xa7; 32]).unwrap();
    fs::write(path("key"), format!("{}\n", "a7".repeat(32))).unwrap();
    let (key, context) = (DataKey::generate().unwrap(), Context::new("vault.example", "01JDB3YQ7X", 3).unwrap());
    let wrapped_key = mine.wrap(&key, &context).unwrap();
    let sealing = Sealing { key: &key, context: &context, wrapped_key: &wrapped_key, frame_bytes: FrameBytes::DEFAULT };
    let record: Vec<u8> = (0..600_000_u32).map(|i| (i % 251) as u8).collect();
    seal_message(&sealing, &record[..], fs::File::create(path("export")).unwrap()).unwrap();

    fs::write(path("open_export.py"), sample).unwrap();
    let names = ["open_export.py", "export", "key", "out"];
    let ran = Command::new(python).args(names).current_dir(folder.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "01JDB3YQ7X 3\n");
    assert!(fs::read(path("out")).unwrap() == record);
}
