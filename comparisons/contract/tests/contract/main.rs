//! Holds every server under test to the contract of `comparisons/README.md` and to equal terms, over sockets and pipes
//! and against the real binaries, each built alone.
//!
//! A new target joins by one line in `target.rs`. Read next: `target.rs` (who is tested), `server.rs` (a running one),
//! `client.rs` (one HTTP connection); the other files are the tests, by subject.

mod client;
mod command_line;
mod control;
mod database;
mod equal_terms;
mod routes;
mod server;
mod target;
