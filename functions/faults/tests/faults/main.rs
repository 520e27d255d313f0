//! The fault sweep: every function in this process, on a vault in memory whose every call is broken once, in every way. docs/TESTING.md has a section
//! about it.

mod broken;
mod cast;
mod chance;
mod check;
mod controls;
mod floor;
mod functions;
mod kind;
mod logs;
mod machine;
mod story;
mod sweep;
mod world;
