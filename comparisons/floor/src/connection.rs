//! One connection of the bare loop: what of a request has come and what of the replies has not gone. Leaves waiting to
//! `worker.rs`.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    time::Instant,
};

use memchr::memmem::Finder;

use crate::{epoll_unsafe::Interest, reply::Replies};

/// A head longer than this ends the connection, in bytes; the lab's are below 200.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// What to do with a connection after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Read,
    Write,
    Close,
}

/// What all connections of a worker share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) replies: Replies,
    input: Box<[u8]>,
    output: Vec<u8>,
    head_end: Finder<'static>,
}

impl Shared {
    pub(crate) fn new(replies: Replies) -> Self {
        Self {
            replies,
            input: vec![0; 64 * 1024].into_boxed_slice(),
            output: Vec::new(),
            head_end: Finder::new(b"\r\n\r\n"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    /// What epoll watches it for.
    pub(crate) interest: Interest,
    /// The beginning of a head whose end has not come yet.
    partial: Vec<u8>,
    /// Replies that the socket had no room for; nothing is read until they are gone.
    unsent: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, interest: Interest::Read, partial: Vec::new(), unsent: Vec::new() })
    }

    /// One turn: goes on writing what is left over, or reads once and answers every complete head in one write.
    pub(crate) fn turn(&mut self, shared: &mut Shared) -> Next {
        let done = if self.unsent.is_empty() {
            self.answer(shared)
        } else {
            let unsent = std::mem::take(&mut self.unsent);
            self.send(&unsent)
        };
        match done {
            Ok(next) => next,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Next::Read,
            Err(_) => Next::Close,
        }
    }

    fn answer(&mut self, shared: &mut Shared) -> io::Result<Next> {
        let read = self.stream.read(&mut shared.input)?;
        if read == 0 {
            return Ok(Next::Close);
        }
        let mut rest = &shared.input[..read];
        let joined;
        if !self.partial.is_empty() {
            self.partial.extend_from_slice(rest);
            joined = std::mem::take(&mut self.partial);
            rest = &joined;
        }
        shared.output.clear();
        while let Some(at) = shared.head_end.find(rest) {
            shared.output.extend_from_slice(shared.replies.to(rest));
            rest = &rest[at + 4..];
        }
        if rest.len() > HEAD_BYTES_MAX {
            return Ok(Next::Close);
        }
        self.partial.extend_from_slice(rest);
        if shared.output.is_empty() {
            return Ok(Next::Read);
        }
        self.send(&shared.output)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<Next> {
        let sent = match self.stream.write(bytes) {
            Ok(sent) => sent,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(error) => return Err(error),
        };
        if sent == bytes.len() {
            return Ok(Next::Read);
        }
        self.unsent = bytes[sent..].to_vec();
        Ok(Next::Write)
    }

    /// Sends what is left over before `deadline`, or gives it up.
    pub(crate) fn finish(&mut self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        if self.unsent.is_empty() || left.is_zero() {
            return;
        }
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.set_write_timeout(Some(left));
        let _ = self.stream.write_all(&self.unsent);
    }
}
