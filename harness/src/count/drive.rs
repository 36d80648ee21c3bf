//! A client that sends an exact number of requests and waits for each answer: counts are taken between two such numbers.
//!
//! It reads status and length only; bodies were verified before (`rounds.rs`). Times are the load generator's business.

use std::{
    io::{Error, ErrorKind, Read, Result, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::trial::Scenario;

/// Patience for one answer; a server under a tool is slow, one that hangs must be noticed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a scenario's requests, on one connection at a time.
pub(super) struct Drive {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    status: u16,
    next: usize,
    pipeline: u64,
    reconnect_every: Option<u64>,
    link: Option<Link>,
}

impl Drive {
    /// A client of the server at `address`; it connects when it first sends.
    pub(super) fn new(address: SocketAddr, scenario: &Scenario) -> Self {
        Self {
            address,
            requests: scenario.requests.iter().map(|request| bytes(request, address)).collect(),
            status: scenario.requests.first().map_or(200, |request| request.expect.status),
            next: 0,
            pipeline: u64::from(scenario.pipeline),
            reconnect_every: scenario.reconnect_every.map(u64::from),
            link: None,
        }
    }

    /// Sends `count` requests, in batches as the scenario has them, and returns when all are answered.
    pub(super) fn send(&mut self, count: u64) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let batch = left.min(self.pipeline);
            self.exchange(batch)?;
            left -= batch;
        }
        Ok(())
    }

    /// Opens a connection, has one request answered on it, and leaves it open; the caller holds it.
    pub(super) fn open(&mut self) -> Result<Link> {
        self.link = None;
        self.exchange(1)?;
        self.link.take().ok_or_else(|| Error::other("the connection did not stay open"))
    }

    fn exchange(&mut self, batch: u64) -> Result<()> {
        let mut link = match self.link.take() {
            Some(link) => link,
            None => Link::connect(self.address)?,
        };
        let mut output = Vec::new();
        for _ in 0..batch {
            output.extend_from_slice(&self.requests[self.next]);
            self.next = (self.next + 1) % self.requests.len();
        }
        link.stream.write_all(&output)?;
        for _ in 0..batch {
            link.answer(self.status)?;
        }
        link.answers += batch;
        if self.reconnect_every.is_none_or(|every| link.answers < every) {
            self.link = Some(link);
        }
        Ok(())
    }
}

/// One connection and what has arrived on it.
pub(super) struct Link {
    stream: TcpStream,
    input: Vec<u8>,
    answers: u64,
}

impl Link {
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, input: Vec::new(), answers: 0 })
    }

    /// Reads one answer to its end.
    fn answer(&mut self, status: u16) -> Result<()> {
        let (found, bytes) = loop {
            match head(&self.input)? {
                Some(head) => break head,
                None => self.receive()?,
            }
        };
        if found != status {
            return Err(Error::other(format!("an answer had status {found} instead of {status}")));
        }
        while self.input.len() < bytes {
            self.receive()?;
        }
        self.input.drain(..bytes);
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer)? {
            0 => Err(Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")),
            count => {
                self.input.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    }
}

/// Status and length, head included, of the answer that `input` begins with; `None` while its head is not whole.
fn head(input: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = String::from_utf8_lossy(&input[..end]);
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some((status, end + 4 + length))),
        _ => Err(Error::other("an answer has no status or no Content-Length; such answers cannot be counted")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        for (input, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP", Some((200, 40))),
            ("HTTP/1.1 404 Not Found\r\nserver: x\r\ncontent-length:0\r\n\r\n", Some((404, 55))),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r", None),
            ("", None),
        ] {
            assert_eq!(head(input.as_bytes()).unwrap(), expected, "{input:?}");
        }
        for input in ["HTTP/1.1 200 OK\r\n\r\n", "nonsense\r\ncontent-length: 2\r\n\r\n"] {
            assert!(head(input.as_bytes()).is_err(), "{input:?}");
        }
    }
}
