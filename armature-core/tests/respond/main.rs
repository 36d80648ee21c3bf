//! Responses as a client sees them: plain ones, redirects, interim ones, trailers, and files.
//!
//! `server.rs` runs what a test wants to see; client and byte-by-byte check of answers are those of the tests in `../socket/`.

#[path = "../socket/answer.rs"]
mod answer;
#[path = "../socket/client.rs"]
mod client;
mod files;
mod interim;
mod plain;
mod sending;
mod server;
mod trailers;
