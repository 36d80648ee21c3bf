//! What is fuzzed: one module a target, each a function of bytes that panics when the framework does something wrong.
//!
//! Wrong means a panic, or another result than an oracle has: another crate, the plain reading of the rules in
//! `reference.rs`, or the same input cut elsewhere. libFuzzer runs the targets through the programs in `../targets/`, and
//! `../tests/replay.rs` runs the corpus through the same functions without it. Read next: `request_head.rs`.

pub mod chunked;
pub mod connection;
mod cut;
pub mod headers;
pub mod json;
mod loopback;
pub mod path_parameters;
pub mod protocol;
pub mod query;
mod reference;
pub mod request_head;
pub mod response_head;
pub mod route;
pub mod target;

/// The name of a target, which its program, its module and its folder in the corpus share, and the target.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("request_head", request_head::run),
    ("target", target::run),
    ("headers", headers::run),
    ("chunked", chunked::run),
    ("protocol", protocol::run),
    ("connection", connection::run),
    ("response_head", response_head::run),
    ("route", route::run),
    ("query", query::run),
    ("path_parameters", path_parameters::run),
    ("json", json::run),
];
