//! `chartseal witness` and `chartseal mirror` are another program's work, which takes this one's place.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

#[test]
fn a_node_is_another_program_which_gets_what_was_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let chartseal = folder.path().join("chartseal");
    std::fs::copy(PathBuf::from(env!("CARGO_BIN_EXE_chartseal")), &chartseal).expect("copied");
    let start = |arguments: &[&str]| {
        let mut command = Command::new(&chartseal);
        command.env("PATH", "/bin:/usr/bin").args(arguments).output().expect("it runs")
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ended = start(&["witness", "run", "/w"]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(text(&ended.stderr).contains("chartseal-node is not there"), "{}", text(&ended.stderr));

    let node = folder.path().join("chartseal-node");
    std::fs::write(&node, "#!/bin/sh\necho \"$@ $CHARTSEAL_WALLET $CHARTSEAL_API\"\nexit 3\n").expect("written");
    std::fs::set_permissions(&node, std::fs::Permissions::from_mode(0o700)).expect("executable");
    let ended = start(&["--wallet", "w", "--api", "http://a", "witness", "run", "/w", "--listen", "[::1]:1"]);
    assert_eq!(ended.status.code(), Some(3), "its exit code is this one's: {}", text(&ended.stderr));
    assert_eq!(text(&ended.stdout), "witness run /w --listen [::1]:1 w http://a\n");
    let ended = start(&["mirror", "--help"]);
    assert_eq!(text(&ended.stdout).trim_end(), "mirror --help", "its help is its own");
}
