//! The suite of experiments: each holds an optimisation against what a competent person writes without it.
//!
//! One program with two uses. As a suite it answers `list` and `run` (see `probe::suite`); how a plan is run is `suite.rs`'s.
//! As a program of benchmarks it does one side of one experiment: `measure.rs`. What an experiment is stands in
//! `experiment.rs`, which there are in `catalogue.rs`.

use std::{env, process::ExitCode};

use probe::program;

mod allocator;
mod allocator_unsafe;
mod catalogue;
mod connection;
mod count;
mod experiment;
mod fields;
mod handler;
mod head;
mod inline;
mod json;
mod measure;
mod memory;
mod name;
mod operation;
mod output;
mod pool;
mod respond;
mod route_cache;
mod routing;
mod state;
mod suite;
mod transfer;

/// The allocator of the servers under test.
#[cfg(not(feature = "count-allocations"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(feature = "count-allocations")]
#[global_allocator]
static ALLOCATOR: probe::allocator::Counting<mimalloc::MiMalloc> = probe::allocator::Counting(mimalloc::MiMalloc);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "measure") {
        return measure::main(&arguments[1..]);
    }
    let cases = catalogue::cases();
    program::main("experiments", &cases, |plan| suite::run(plan, cases.clone()))
}
