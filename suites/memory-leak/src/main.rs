//! Leaks as a suite: identical cycles of traffic, and whether a server's live memory returns to the same figure after each
//! (see `probe::suite`).
//!
//! `kind.rs` says what cases there are and `traffic.rs` what a cycle sends, `trial.rs` how the memory is read and judged,
//! `shutdown.rs` what is left when a server ends and `soak.rs` what comes of hours, `run.rs` who is measured when. It
//! links no framework: servers are processes behind sockets. `bin/keeper.rs` is a server that keeps memory in known ways.

use std::process::ExitCode;

use probe::program;

mod kind;
mod run;
mod shutdown;
mod soak;
mod traffic;
mod trial;

fn main() -> ExitCode {
    program::main("memory-leak", &kind::cases(), run::run)
}
