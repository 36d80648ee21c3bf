//! The drop-timing suite: a program that answers `list` and `run` (see `probe::suite`).
//!
//! What there is to measure is `work.rs`'s, how a plan is run `suite.rs`'s.

use std::process::ExitCode;

use probe::program;
use suite_drop_timing::{suite, work};

fn main() -> ExitCode {
    let cases: Vec<_> = work::all().into_iter().map(work::Work::case).collect();
    program::main("drop-timing", &cases, |plan| suite::run(plan, cases.clone()))
}
