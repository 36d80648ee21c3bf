//! A client that sends an exact number of requests and waits for each answer: counts are taken between two such numbers.
//!
//! It reads status and length only; bodies were verified before (`rounds.rs`). Times are the load generator's business.

use std::{
    io::{Error, Result},
    net::SocketAddr,
};

use crate::{link::Link, trial::Scenario};

/// Sends a scenario's requests, on one connection at a time.
pub(crate) struct Drive {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    status: u16,
    next: usize,
    pipeline: u64,
    reconnect_every: Option<u64>,
    link: Option<Link>,
    /// Answers that came on it.
    answers: u64,
}

impl Drive {
    /// A client of the server at `address`; it connects when it first sends.
    pub(crate) fn new(address: SocketAddr, scenario: &Scenario) -> Self {
        Self {
            address,
            requests: scenario.requests.iter().map(|request| bytes(request, address)).collect(),
            status: scenario.requests.first().map_or(200, |request| request.expect.status),
            next: 0,
            pipeline: u64::from(scenario.pipeline),
            reconnect_every: scenario.reconnect_every.map(u64::from),
            link: None,
            answers: 0,
        }
    }

    /// Sends `count` requests, in batches as the scenario has them, and returns when all are answered.
    pub(crate) fn send(&mut self, count: u64) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let batch = left.min(self.pipeline);
            self.exchange(batch)?;
            left -= batch;
        }
        Ok(())
    }

    /// Opens a connection, has one request answered on it, and leaves it open; the caller holds it.
    pub(crate) fn open(&mut self) -> Result<Link> {
        self.link = None;
        self.exchange(1)?;
        self.link.take().ok_or_else(|| Error::other("the connection did not stay open"))
    }

    fn exchange(&mut self, batch: u64) -> Result<()> {
        let mut link = match self.link.take() {
            Some(link) => link,
            None => {
                self.answers = 0;
                Link::connect(self.address)?
            }
        };
        let mut output = Vec::new();
        for _ in 0..batch {
            output.extend_from_slice(&self.requests[self.next]);
            self.next = (self.next + 1) % self.requests.len();
        }
        link.send(&output)?;
        for _ in 0..batch {
            let status = link.answer()?;
            if status != self.status {
                return Err(Error::other(format!("an answer had status {status} instead of {}", self.status)));
            }
        }
        self.answers += batch;
        if self.reconnect_every.is_none_or(|every| self.answers < every) {
            self.link = Some(link);
        }
        Ok(())
    }
}

/// A request on the wire.
fn bytes(request: &probe::load::Request, address: SocketAddr) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\nHost: {address}\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = request.body.as_deref().unwrap_or_default();
    if request.body.is_some() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    format!("{head}\r\n{body}").into_bytes()
}
