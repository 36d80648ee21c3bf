//! A blocking client for bytes.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::answer::{self, Answer};

/// How long anything may take that should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

/// Its socket, to be looked at.
impl AsRef<TcpStream> for Client {
    fn as_ref(&self) -> &TcpStream {
        &self.stream
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, received: Vec::new() }
    }

    /// Sends bytes; a server that has closed already is found out when its answer is read.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                panic!("cannot send: {error}")
            }
            _ => {}
        }
    }

    /// Shuts the write side.
    pub(crate) fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads to the end of the stream; a reset is an error.
    pub(crate) fn read_to_end(&mut self) -> Result<Vec<u8>, String> {
        let mut bytes = std::mem::take(&mut self.received);
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(format!("{error} after {:?}", bytes.escape_ascii().to_string())),
        }
    }

    /// Reads until `what` has come, and gives everything up to its end.
    pub(crate) fn read_until(&mut self, what: &[u8]) -> Vec<u8> {
        loop {
            if let Some(start) = self.received.windows(what.len()).position(|window| window == what) {
                let rest = self.received.split_off(start + what.len());
                return std::mem::replace(&mut self.received, rest);
            }
            self.receive().unwrap();
        }
    }

    /// Reads one response.
    pub(crate) fn read_answer(&mut self) -> Result<Answer, String> {
        loop {
            if let Some((answer, rest)) = answer::read(&self.received, false, false)? {
                self.received = rest.to_vec();
                return Ok(answer);
            }
            self.receive()?;
        }
    }

    /// Reads what is there, or waits for it.
    fn receive(&mut self) -> Result<(), String> {
        let mut piece = [0; 65_536];
        match self.stream.read(&mut piece) {
            Ok(0) => Err(format!("end after {:?}", self.received.escape_ascii().to_string())),
            Ok(read) => {
                self.received.extend_from_slice(&piece[..read]);
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Waits until `condition` holds; it is asked every few milliseconds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A GET on a connection that goes on.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").into_bytes()
}
