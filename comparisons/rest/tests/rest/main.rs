//! Holds every implementation of the REST service to the contract in `comparisons/rest/README.md`, over sockets and
//! against the real binaries, each built alone.
//!
//! A new implementation joins by one line in `implementation.rs`. Read next: `implementation.rs` (who is tested),
//! `client.rs` (what is asked, and what holds for every answer); the other files are the tests, by subject.

mod access;
mod attachment;
mod client;
mod implementation;
mod notes;
mod patience;
