//! The node against a vault that lies, crashes and races: what it cosigns, what it refuses, what it shows.

mod begun;
mod double;
mod first;
mod follows;
mod full;
mod interop;
mod killed;
mod measured;
mod process;
mod protocol;
mod vectors;
