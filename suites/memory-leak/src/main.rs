//! Leaks as a suite: identical cycles of traffic, and whether a server's live memory returns to the same figure after each
//! (see `probe::suite`).
//!
//! `traffic.rs` says what a cycle sends, `trial.rs` how the memory is read and judged, `run.rs` who is measured when. It
//! links no framework: servers are processes behind sockets. `bin/keeper.rs` is a server that keeps memory in known ways.

use std::process::ExitCode;

use probe::program;

mod run;
mod traffic;
mod trial;

fn main() -> ExitCode {
    program::main("memory-leak", &traffic::cases(), run::run)
}
