//! One connection of a client that wants each answer whole, and says nothing of times: for what is counted.
//!
//! It reads status and length only; whether bodies are right is verified elsewhere. Times are the load generator's business.

use std::{
    io::{Error, ErrorKind, Read, Result, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// Patience for one answer; a server under a tool is slow, one that hangs must be noticed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection and what has arrived on it.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, input: Vec::new() })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the server has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn end_sending(&mut self) -> Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads one answer to its end, and returns its status.
    ///
    /// # Errors
    /// When it does not come whole in 30 s, or is none.
    pub fn answer(&mut self) -> Result<u16> {
        let (status, bytes) = loop {
            match head(&self.input)? {
                Some(head) => break head,
                None => self.receive()?,
            }
        };
        while self.input.len() < bytes {
            self.receive()?;
        }
        self.input.drain(..bytes);
        Ok(status)
    }

    /// Reads what there is, and waits for it if there is nothing.
    ///
    /// # Errors
    /// When nothing comes in 30 s, or the server has closed the connection.
    pub fn receive(&mut self) -> Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer)? {
            0 => Err(Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")),
            count => {
                self.input.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    }

    /// Reads until the server closes the connection, in whichever way.
    ///
    /// # Errors
    /// When it does not in 30 s.
    pub fn wait_for_end(mut self) -> Result<()> {
        loop {
            match self.receive() {
                Ok(()) => self.input.clear(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(Error::new(ErrorKind::TimedOut, "the server did not close the connection"));
                }
                Err(_) => return Ok(()),
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
