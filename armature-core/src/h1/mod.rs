//! The HTTP/1.1 engine: bytes in, decisions out. No socket, task, clock or global inside.
//!
//! It can be fuzzed, replayed and counted as a plain value. In the order of a request: [`connection`] looks for a head,
//! [`scan`] waits for its end, [`mod@line`] and [`head`] parse it, [`target`] and [`framing`] judge it, [`chunked`] reads the body,
//! [`encode`] writes the answer; [`refusal`] is the table of everything that is turned away.

pub(crate) mod ascii;
pub mod chunked;
pub mod connection;
pub mod encode;
pub mod framing;
pub mod head;
pub mod line;
pub mod refusal;
pub mod scan;
pub mod target;

pub use connection::Connection;
pub use refusal::Refusal;
