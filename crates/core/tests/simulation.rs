//! A meeting under random inputs, on a seed: peers come, break off, return, wait, are removed; the server dies.
//! After each step the session is compared with `simulation/ledger.rs`, which knows the rules but shares no code.
//! `SALON_TEST_SIM_SEED=7 cargo test -p salon-core --test simulation` replays one seed; `SALON_TEST_SIM_ROUNDS=1000` runs more.
//! Next: `simulation/world.rs`, the inputs and what must hold after each.

#[path = "simulation/dice.rs"]
mod dice;
#[path = "simulation/doors.rs"]
mod doors;
#[path = "simulation/ledger.rs"]
mod ledger;
#[path = "simulation/screens.rs"]
mod screens;
#[path = "simulation/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use world::{Deaths, World};

/// Seeds per test. More finds rarer orders of events; with these all tests together take a few seconds unoptimised.
const ROUNDS: u64 = 120;

/// Inputs per seed.
const STEPS: usize = 400;

#[test]
fn counts_minutes_and_sessions_agree_with_the_ledger() {
    run(|seed| World::new(seed, Deaths::BetweenInputs).run(STEPS));
}

#[test]
fn a_record_torn_in_the_middle_of_an_input_is_gone_on_with() {
    run(|seed| World::new(seed, Deaths::AmongEvents).run(STEPS));
}

/// The same inputs give the same outputs, to the last byte.
#[test]
fn a_seed_replays() {
    let outputs = |seed| {
        let mut world = World::new(seed, Deaths::BetweenInputs);
        world.run(STEPS);
        world.journal
    };
    assert_eq!(outputs(1), outputs(1));
    assert_ne!(outputs(1), outputs(2));
}

fn run(simulate: impl Fn(u64)) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("SALON_TEST_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SALON_TEST_SIM_ROUNDS").unwrap_or(ROUNDS),
    };
    for seed in seeds {
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| simulate(seed))) {
            eprintln!("failed with SALON_TEST_SIM_SEED={seed}");
            resume_unwind(failure);
        }
    }
}
