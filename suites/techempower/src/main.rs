//! The TechEmpower tests as a suite: a program that answers `list` and `run` (see `probe::suite`).
//!
//! `scenario.rs` says what is sent, `verify.rs` what must come back before anything is timed; measuring round by round
//! is `harness::rounds`. It links no framework: servers are processes behind sockets.

use std::process::ExitCode;

use harness::rounds;
use probe::program;
use suite_techempower::{scenario, verify};

fn main() -> ExitCode {
    let scenarios = scenario::all();
    let cases: Vec<_> = scenarios.iter().map(|scenario| scenario.case.clone()).collect();
    program::main("techempower", &cases, |plan| rounds::run(plan, &scenarios, verify::verify))
}
