//! The ledger's experiments over a socket, as a suite (see `probe::suite`): one server twice, with a knob turned on one side.
//!
//! What is sent on either side is the same and stands in `catalogue.rs`, the two sides in `lab.toml`; answers are checked by
//! `verify.rs`, measuring round by round is `harness::rounds`'s, and what follows from the figures `harness::ledger`'s. It links no
//! framework: servers are processes behind sockets.

use std::process::ExitCode;

use harness::rounds;
use probe::program;

mod catalogue;
mod experiment;
mod verify;

fn main() -> ExitCode {
    let scenarios: Vec<_> = catalogue::ALL.iter().flat_map(experiment::Experiment::scenarios).collect();
    let cases: Vec<_> = scenarios.iter().map(|scenario| scenario.case.clone()).collect();
    program::main("knobs", &cases, |plan| rounds::run(plan, &scenarios, verify::verify))
}
