//! The format from outside: frozen vectors, properties against a naive reference, limits.

mod limits;
mod properties;
mod reference;
mod release_cases;
mod shape;
mod vector_cases;
mod vectors;
