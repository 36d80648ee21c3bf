//! The HTTP engine alone: plain requests in every shape that costs a server something.
//!
//! `scenario.rs` says what is sent, `verify.rs` what must come back before anything is measured. A library, since the
//! allocation suite counts the same requests.

pub mod scenario;
pub mod verify;
