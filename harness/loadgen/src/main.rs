//! The lab's load generator: closed and open loop over keep-alive HTTP/1.1 connections.
//!
//! It owns the connections, the schedule, the clock and the histograms of a load. What is loaded, with what, and what
//! the numbers mean is the lab's business; the words between the two are `probe::load`. `harness/README.md` tells how
//! it is driven and how it compares with another generator.
//!
//! Read next: `engine.rs` (threads in concert), `worker.rs` (one thread), `connection.rs` (one connection),
//! `answer.rs` (what the bytes mean), `schedule.rs` (when an open loop sends).

mod answer;
mod args;
mod chunked;
mod clock;
mod connection;
mod dialogue;
mod engine;
mod expect;
mod head;
mod lane;
mod load;
mod request;
mod schedule;
mod summary;
mod tally;
mod worker;

use std::process::ExitCode;

/// Exit code of a load that could not be run or had errors.
const FAILED: u8 = 1;
/// Exit code of a plan or a command line that makes no sense.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    args::run()
}
