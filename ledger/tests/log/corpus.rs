//! The fuzzer's kept corpus, replayed: what once led somewhere new, or failed, is tried at every run of the tests.

use crate::{fuzzed, vectors};

type Target = fn(&[u8]);

#[test]
fn the_kept_corpus_holds() {
    let targets: [(&str, Target); 9] = [
        ("note", fuzzed::note),
        ("checkpoint", fuzzed::checkpoint),
        ("block", fuzzed::block),
        ("event", fuzzed::event),
        ("seal", fuzzed::seal),
        ("proofs", fuzzed::proofs),
        ("tiles", fuzzed::tiles),
        ("map_proof", fuzzed::map_proof),
        ("proof_file", fuzzed::proof_file),
    ];
    for (target, function) in targets {
        let folder = vectors::path("../fuzz/corpus").join(target);
        let files: Vec<_> = std::fs::read_dir(folder).expect("a kept corpus").collect();
        assert!(files.len() > 10, "{target}: only {} kept inputs", files.len());
        for file in files {
            function(&std::fs::read(file.expect("an entry").path()).expect("readable"));
        }
    }
}
