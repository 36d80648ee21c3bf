//! The TechEmpower tests: what is sent, and what must come back.
//!
//! `scenario.rs` says the one, `verify.rs` the other. A library, since the allocation suite counts the same requests.

pub mod scenario;
pub mod verify;
