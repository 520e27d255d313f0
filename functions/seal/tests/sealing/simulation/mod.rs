//! The simulation: sealers race, crash and are slow in thousands of worlds, each of which follows from a seed.
//!
//! `CHARTSEAL_SEED=<number>` lives one world again, exactly.

mod controls;
mod desk;
mod dice;
mod gate;
mod history;
mod model;
mod world;

use std::time::Instant;

use chartseal_http::testing::ORIGIN;
use desk::Planted;
use dice::fresh_seed;
use world::{Tally, World};

use crate::replayed::replay;

/// Names a world of an earlier run.
const SEED: &str = "CHARTSEAL_SEED";
/// Worlds in a run without it.
const WORLDS: usize = 150;

#[test]
fn racing_and_crashing_sealers_make_one_log() {
    let started = Instant::now();
    let seeds: Vec<u64> = match std::env::var(SEED) {
        Ok(seed) => vec![seed.parse().unwrap_or_else(|_| panic!("{SEED} is not a number: {seed}"))],
        Err(_) => (0..WORLDS).map(|_| fresh_seed()).collect(),
    };
    let mut sum = Tally::default();
    for seed in &seeds {
        let mut world = World::new(*seed, Planted::Nothing);
        if let Err(broken) = world.live() {
            panic!("{SEED}={seed} lives it again: after {} steps, {broken}", world.tally.steps);
        }
        // An outsider comes to the same. Not in every world: it verifies every signature again.
        if *seed % 10 == 0 || seeds.len() == 1 {
            let report = replay(ORIGIN, world.vault());
            assert!(report.sound, "{SEED}={seed} lives it again: {:?}", report.findings);
        }
        let tally = world.tally;
        if seeds.len() == 1 {
            println!("{SEED}={seed}: {tally:?}");
        }
        sum.add(tally);
    }
    println!("{} worlds in {:.1} s: {sum:?}", seeds.len(), started.elapsed().as_secs_f64());
    let least = if seeds.len() == 1 { 0 } else { 1_000 };
    assert!(sum.crashes >= least, "only {} crashes", sum.crashes);
}
