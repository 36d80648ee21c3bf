//! Everything that can be seen of the server from the other end of a socket.
//!
//! `app.rs` is the server under test, `client.rs` a client that trusts nothing, `answer.rs` a byte-by-byte check of
//! responses that shares no code with the server. `wire.rs` runs the cases of `../wire/*.wire`; the other files hold what
//! is about time, load, resets, signals, and more than one connection.

mod answer;
mod app;
mod case;
mod client;
mod close;
mod deadline;
mod drain;
mod expect;
mod fairness;
mod independent;
mod lent;
mod option_unsafe;
mod pressure;
mod process;
mod streaming;
mod tuning;
mod upgrade;
mod waiting;
mod wire;
mod workers;
