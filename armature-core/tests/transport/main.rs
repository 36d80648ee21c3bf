//! TLS and HTTP/2, seen by clients of other make: rustls and hyper.
//!
//! Needs the features `tls` and `http2`.

mod certificate;
mod client;
mod example;
mod http2;
mod tls;
