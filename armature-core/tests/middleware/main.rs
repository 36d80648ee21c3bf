//! Middleware and tower, seen from the other end of a socket.
//!
//! `server.rs` starts servers and asks them; `answer.rs`, which the `socket` tests have, too, reads what they answer strictly.
//! One middleware, one file.

#[path = "../socket/answer.rs"]
mod answer;
mod server;
mod tower;
