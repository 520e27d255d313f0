//! See `ledger/tests/log/fuzzed.rs`, which the ordinary tests replay the kept corpus through.
#![no_main]

#[path = "../../tests/log/fuzzed.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::block(data));
