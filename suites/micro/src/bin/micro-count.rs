//! Counts the instructions of one operation on one target, with gungraun.
//!
//! What is counted stands in environment variables (`../suite/count.rs`), because gungraun starts this program anew under
//! valgrind; its own arguments are gungraun's. There is one benchmark, whatever the operation. The outer process hands
//! over to gungraun's runner, the inner one runs under callgrind.
#![allow(missing_docs, reason = "gungraun's macros make public items, and no documentation of them")]

use std::env;

use gungraun::{LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use probe::leash;
use suite_micro::{
    operation::Operation,
    suite::count::{SCALE, TARGET, WORK, repetitions},
    target,
    work::Work,
};

/// Makes the operation and does it once for each input, so that nothing is done for the first time when it is counted.
fn prepare() -> (Box<dyn Operation>, u64) {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let (target, id) = (variable(TARGET), variable(WORK));
    let scale = variable(SCALE).parse().expect("the scale is a number");
    let work = Work::named(&id).unwrap_or_else(|| panic!("there is no {id}"));
    let mut operation =
        target::operation(&target, work, scale).unwrap_or_else(|| panic!("{target} takes no part in {id}"));
    operation.check().unwrap_or_else(|problem| panic!("{target}, {id}: {problem}"));
    (operation, repetitions(scale))
}

#[library_benchmark(setup = prepare)]
#[bench::one()]
fn operations((mut operation, repetitions): (Box<dyn Operation>, u64)) {
    operation.repeat(repetitions);
    // Taking down a table of routes is no part of looking one up.
    std::mem::forget(operation);
}

/// What gungraun is told. Only the outer process asks, so it is the one that the leash is on.
fn configuration() -> LibraryBenchmarkConfig {
    leash::hold();
    let mut configuration = LibraryBenchmarkConfig::default();
    configuration.pass_through_envs([TARGET, WORK, SCALE, "GLIBC_TUNABLES"]);
    configuration
}

library_benchmark_group!(name = counted, benchmarks = operations);

main!(config = configuration(), library_benchmark_groups = counted);
