//! The format from outside: frozen vectors, properties against a naive reference, limits.

mod corpus;
mod fuzzed;
mod in_memory;
mod limits;
mod messages;
mod mixing_cases;
mod properties;
mod range_cases;
mod ranges;
mod reference;
mod release_cases;
mod shape;
mod vector_cases;
mod vectors;
