//! Database access as a suite: queries, updates, fortunes, many requests at once, and pools of any size (see `probe::suite`).
//!
//! `scenario.rs` says what is sent and how many statements each request is to cost, `verify.rs` what must come back and what
//! the database must have seen before anything is timed; measuring round by round, and counting the statements of every
//! window, is the harness's. It links no framework and no database: servers are processes behind sockets.

use std::process::ExitCode;

use harness::rounds;
use probe::program;

mod scenario;
mod verify;

fn main() -> ExitCode {
    let scenarios = scenario::all();
    let cases: Vec<_> = scenarios.iter().map(|scenario| scenario.case.clone()).collect();
    program::main("database", &cases, |plan| rounds::run(plan, &scenarios, verify::verify))
}
