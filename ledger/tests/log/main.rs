//! The log from outside: published and frozen vectors, properties against naive and other people's implementations, the fuzzer's corpus.

mod blocks;
mod corpus;
mod fuzzed;
mod golden_cases;
mod heads;
mod hostile_blocks;
mod hostile_cases;
mod hostile_heads;
mod naive;
mod notes;
mod proof_files;
mod published;
mod sample;
mod stored_blocks;
mod tiles;
mod trees;
mod vectors;
