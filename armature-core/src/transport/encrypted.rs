//! A TLS connection as the connection loop sees it: a [`Stream`] whose bytes are encrypted on the way.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::{
    buffer::Output,
    io::{Stream, Tcp},
    upgrade::Duplex,
};

/// A TLS connection.
#[derive(Debug)]
pub(super) struct Encrypted {
    stream: TlsStream<Tcp>,
    /// Bytes at the start of the output that are encrypted and not all in the socket: not written yet, as far as the
    /// connection loop is concerned, so that it waits for them.
    accepted: usize,
}

impl Encrypted {
    pub(super) fn new(stream: TlsStream<Tcp>) -> Self {
        Self { stream, accepted: 0 }
    }
}

impl Stream for Encrypted {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (tcp, session) = self.stream.get_mut();
        // A session that holds decrypted bytes wants no more.
        if session.wants_read() { tcp.poll_readable(cx) } else { Poll::Ready(Ok(())) }
    }

    fn poll_read(&mut self, buffer: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = pin!(self.stream.read_buf(buffer)).poll(cx);
        read.map(|read| match read {
            // The peer closed without saying so in TLS; to HTTP it is the end all the same (RFC 9112 §9.8).
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            read => read,
        })
    }

    fn has_arrived(&self) -> bool {
        let (tcp, session) = self.stream.get_ref();
        !session.wants_read() || tcp.has_arrived()
    }

    fn poll_write(&mut self, output: &mut Output, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.accepted == 0 {
            let (encoded, tail) = output.parts();
            let next = if encoded.is_empty() { tail } else { encoded };
            self.accepted = ready!(Pin::new(&mut self.stream).poll_write(cx, next))?;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        let written = std::mem::take(&mut self.accepted);
        output.advance(written);
        Poll::Ready(Ok(written))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn into_duplex(self) -> Box<dyn Duplex> {
        self.stream.get_ref().0.leave_task();
        Box::new(self)
    }
}

impl Duplex for Encrypted {
    fn poll_read(&mut self, room: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room))?;
        Poll::Ready(Ok(room.filled().len()))
    }

    fn poll_write(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        // What is left of it goes with the next write or the end; a socket holds nothing back, and so should this.
        let _ = Pin::new(&mut self.stream).poll_flush(cx)?;
        Poll::Ready(Ok(written))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
