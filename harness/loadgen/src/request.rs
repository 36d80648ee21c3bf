//! The plan's requests as the bytes that go out, and the order in which they are taken.

use std::{fmt::Write, net::SocketAddr};

use probe::load::{Pick, Request};

use crate::expect::Check;

/// One request, ready to be written, and what its answers must be.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The request on the wire.
    pub(crate) bytes: Vec<u8>,
    /// Method and path, for messages.
    pub(crate) name: String,
    /// Its answers have no body, whatever their head says (RFC 9110 §9.3.2).
    pub(crate) is_head: bool,
    /// What its answers must be.
    pub(crate) check: Check,
}

impl Prepared {
    /// Writes `request` to `address` as bytes.
    pub(crate) fn new(request: &Request, address: SocketAddr) -> Self {
        let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
        let names_host = |(name, _): &(String, String)| name.eq_ignore_ascii_case("host");
        if !request.headers.iter().any(names_host) {
            push_field(&mut text, "Host", &address.to_string());
        }
        for (name, value) in &request.headers {
            push_field(&mut text, name, value);
        }
        if let Some(body) = &request.body {
            push_field(&mut text, "Content-Length", &body.len().to_string());
        }
        text.push_str("\r\n");
        text.push_str(request.body.as_deref().unwrap_or(""));
        let is_head = request.method == "HEAD";
        Self {
            bytes: text.into_bytes(),
            name: format!("{} {}", request.method, request.path),
            is_head,
            check: Check::new(&request.expect, is_head),
        }
    }
}

fn push_field(text: &mut String, name: &str, value: &str) {
    write!(text, "{name}: {value}\r\n").expect("writing to a String does not fail");
}

/// Takes requests in the plan's order; each thread has its own.
#[derive(Debug)]
pub(crate) enum Picker {
    Cycle { next: usize, count: usize },
    Random { source: fastrand::Rng, count: usize },
}

impl Picker {
    /// The order of thread `thread` over `count` requests.
    pub(crate) fn new(pick: Pick, count: usize, thread: u32) -> Self {
        match pick {
            Pick::Cycle => Self::Cycle { next: 0, count },
            Pick::Random { seed } => {
                Self::Random { source: fastrand::Rng::with_seed(seed.wrapping_add(u64::from(thread))), count }
            }
        }
    }

    /// The place in the plan of the request to send next.
    pub(crate) fn next(&mut self) -> usize {
        match self {
            Self::Cycle { next, count } => {
                let taken = *next;
                *next = if taken + 1 == *count { 0 } else { taken + 1 };
                taken
            }
            Self::Random { source, count } => source.usize(..*count),
        }
    }
}
