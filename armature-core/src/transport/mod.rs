//! What is below and beside HTTP/1.1: TLS, HTTP/2, and finding out which of them a client speaks.
//!
//! A plain connection of HTTP/1.1 does not come by here. Read next: `tls.rs` (certificates), `encrypted.rs` (the stream),
//! `http2.rs`.
