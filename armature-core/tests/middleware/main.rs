//! Middleware and tower, seen from the other end of a socket.
//!
//! `server.rs` starts servers and asks them; `answer.rs`, which the `socket` tests have, too, reads what they answer strictly.
//! `log.rs` collects what is told to `tracing`.

#[path = "../socket/answer.rs"]
mod answer;
mod bounds;
mod compression;
mod cors;
mod fields;
mod log;
mod server;
mod tower;
