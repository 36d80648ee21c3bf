//! A client that sees the last byte of an answer when it comes: it does not sleep, so it needs a CPU of its own.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::{application::ANSWER_BYTES, tally::now_ns};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    /// Opens one.
    ///
    /// # Errors
    /// When the server takes none.
    pub fn connect(address: SocketAddr) -> Result<Self, String> {
        let problem = |error| format!("cannot connect to {address}: {error}");
        let stream = TcpStream::connect(address).map_err(problem)?;
        stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).map_err(problem)?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends a request and reads the answer to its end. Returns when its last byte came, as [`now_ns`] counts.
    ///
    /// # Errors
    /// When another answer comes, or none.
    pub fn ask(&mut self, is_last: bool) -> Result<u64, String> {
        let close = if is_last { "connection: close\r\n" } else { "" };
        let request = format!("GET / HTTP/1.1\r\nhost: drops.example\r\n{close}\r\n");
        self.stream.write_all(request.as_bytes()).map_err(|error| format!("a request cannot be sent: {error}"))?;
        self.received.clear();
        let deadline = Instant::now() + PATIENCE;
        let mut piece = [0; 65_536];
        let mut bytes = None;
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(format!("the answer was cut after {} bytes", self.received.len())),
                Ok(read) => {
                    let read_at = now_ns();
                    self.received.extend_from_slice(&piece[..read]);
                    bytes = bytes.map_or_else(|| answer_bytes(&self.received), |bytes| Ok(Some(bytes)))?;
                    if bytes.is_some_and(|bytes| self.received.len() >= bytes) {
                        return self.check(bytes).map(|()| read_at);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => thread::yield_now(),
                Err(error) => return Err(format!("no answer: {error}")),
            }
        }
    }

    fn check(&self, bytes: Option<usize>) -> Result<(), String> {
        let is_whole = bytes == Some(self.received.len());
        let body = &self.received[self.received.len().saturating_sub(ANSWER_BYTES)..];
        if is_whole && body.iter().all(|byte| *byte == b'x') { Ok(()) } else { Err("another body came".to_owned()) }
    }

    /// Whether the server has closed the connection.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 64]) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// How many bytes an answer has, head and all, once its head is there.
fn answer_bytes(received: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    if head.starts_with("http/1.1 200 ") && length == Some(ANSWER_BYTES) {
        Ok(Some(end + 4 + ANSWER_BYTES))
    } else {
        Err(format!("another answer came: {head}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_one_that_must_come_or_none() {
        let right = format!("HTTP/1.1 200 OK\r\nContent-Length: {ANSWER_BYTES}\r\n\r\n");
        assert_eq!(answer_bytes(right.as_bytes()), Ok(Some(right.len() + ANSWER_BYTES)));
        assert_eq!(answer_bytes(&right.as_bytes()[..right.len() - 1]), Ok(None));
        for wrong in ["HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"] {
            assert!(answer_bytes(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
