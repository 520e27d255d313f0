//! Sealers and stores with one defect each. The simulation must notice, and say which invariant is broken.

use chartseal_seal::defect::Defect;

use super::desk::Planted;
use super::world::World;
use crate::check::Invariant;

/// In how many worlds a defect may stay unnoticed.
const WORLDS: u64 = 30;

fn caught(planted: Planted, by: &[Invariant]) {
    for seed in 0..WORLDS {
        if let Err(broken) = World::new(seed, planted).live() {
            assert!(by.contains(&broken.invariant), "{planted:?} in world {seed}: {broken}");
            println!("{planted:?}: caught in world {seed}: {broken}");
            return;
        }
    }
    panic!("{planted:?}: not noticed in {WORLDS} worlds");
}

#[test]
fn without_a_defect_these_worlds_are_well() {
    for seed in 0..WORLDS {
        World::new(seed, Planted::Nothing).live().unwrap_or_else(|broken| panic!("world {seed}: {broken}"));
    }
}

#[test]
fn a_head_that_is_signed_before_its_block_stands() {
    caught(Planted::SignsFirst, &[Invariant::Signed]);
}

#[test]
fn a_checkpoint_that_is_published_before_its_tiles() {
    caught(Planted::TilesLast, &[Invariant::Complete]);
}

#[test]
fn a_checkpoint_that_replaces_whatever_is_there() {
    caught(Planted::PublishesBlindly, &[Invariant::Checkpoints]);
}

#[test]
fn a_late_page_that_takes_the_place_of_a_newer_one() {
    caught(Planted::PagesGoBack, &[Invariant::Derived, Invariant::Complete, Invariant::Calm]);
}

#[test]
fn streams_that_are_read_as_they_were() {
    caught(Planted::ReadsStale, &[Invariant::Calm, Invariant::Watermark]);
}

#[test]
fn a_sealer_that_does_not_heal() {
    caught(Planted::Code(Defect::NoHealing), &[Invariant::Complete, Invariant::Calm]);
}

#[test]
fn a_sealer_that_looks_away_from_what_was_seen() {
    caught(Planted::Code(Defect::IgnoresSeen), &[Invariant::Seen]);
}

#[test]
fn a_sealer_that_seals_past_a_broken_link() {
    caught(Planted::Code(Defect::IgnoresLinks), &[Invariant::Once]);
}

#[test]
fn a_sweep_that_forgets_what_it_could_not_seal() {
    caught(Planted::Code(Defect::Forgets), &[Invariant::Watermark]);
}
