//! The fuzzer's kept corpus, replayed: what once led somewhere new, or failed, is tried at every run of the tests.

use std::path::PathBuf;

use crate::fuzzed;

type Target = fn(&[u8]);

#[test]
fn the_kept_corpus_holds() {
    // The checkout that cargo runs: one target folder can serve two.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let corpus = PathBuf::from(package).join("fuzz/corpus");
    let targets: [(&str, Target); 5] = [
        ("header", fuzzed::header),
        ("frames", fuzzed::frames),
        ("announcement", fuzzed::announcement),
        ("message", fuzzed::message),
        ("range", fuzzed::range),
    ];
    for (target, function) in targets {
        let files: Vec<_> = std::fs::read_dir(corpus.join(target)).expect("a kept corpus").collect();
        assert!(files.len() > 10, "{target}: only {} kept inputs", files.len());
        for file in files {
            function(&std::fs::read(file.expect("an entry").path()).expect("readable"));
        }
    }
}
