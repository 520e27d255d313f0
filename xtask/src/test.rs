//! `cargo xtask test`: every test of the workspace, the end-to-end stories included.
//!
//! One stack is started here and shared by all test programs (`CHARTSEAL_STACK_FILE`). Without it, `cargo test -p
//! chartseal-tests` starts its own.

use std::time::Instant;

use crate::process::{Failure, cargo, root, shown};
use crate::stack;
use crate::wallets::Wallets;

/// Names the file that describes the shared stack; the harness of `chartseal-tests` reads it.
const STACK_FILE: &str = "CHARTSEAL_STACK_FILE";

/// Builds, starts, tests, stops.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let started = Instant::now();
    let (workspace, binaries) = stack::prepare()?;
    let folder = root().join(format!(".local/test-{}", std::process::id()));
    let wallets = Wallets::create(&folder, &binaries)?;
    let running = stack::start(&workspace, &binaries, &wallets.create_operator()?)?;
    wallets.connect_operator(running.api())?;
    let file = stack::write_description(wallets.folder(), &stack::describe(&running, &wallets))?;
    println!("tests share the stack at {}", running.endpoint().url);

    let tested = Instant::now();
    let mut command = cargo(&["test", "--workspace"]);
    command.args(arguments).env(STACK_FILE, &file);
    let outcome =
        shown(&mut command, "mend the test that fails above; `cargo xtask test -- --test NAME` runs one program");
    let took = tested.elapsed().as_secs_f64();

    // The stack ends before the verdict, whatever that is. Dropped, not stopped: a stack that `up` left stays on record.
    drop(running);
    // The folder holds keys of a vault that is gone.
    let _ = std::fs::remove_dir_all(&folder);
    println!("tests took {took:.1} s, {:.1} s with build and stack", started.elapsed().as_secs_f64());
    outcome
}
