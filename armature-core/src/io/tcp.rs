//! The readiness back end: TCP sockets on tokio.
//!
//! tokio clears a socket's readiness when a read or write was short, so that waiting for the next request costs no call
//! that returns EAGAIN (epoll(7), "edge-triggered").

use std::{
    future::Future,
    io::{self, IoSlice},
    net::{SocketAddr, TcpListener},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    net::TcpStream,
};

use super::Stream;
use crate::buffer::Output;

/// A TCP socket.
#[derive(Debug)]
pub(crate) struct Tcp(TcpStream);

impl Tcp {
    /// Takes an accepted socket over, with Nagle's algorithm off: answers are written whole, so holding back a last
    /// segment (RFC 1122 §4.2.3.4) only delays it.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }
}

impl Stream for Tcp {
    #[inline]
    fn poll_read(&mut self, buffer: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // The future borrows both and holds no state of its own, so polling a fresh one each time loses nothing.
        pin!(self.0.read_buf(buffer)).poll(cx)
    }

    #[inline]
    fn poll_write(&mut self, output: &mut Output, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.0);
        let written = match output.parts() {
            (encoded, []) => ready!(stream.poll_write(cx, encoded)),
            ([], tail) => ready!(stream.poll_write(cx, tail)),
            (encoded, tail) => {
                ready!(stream.poll_write_vectored(cx, &[IoSlice::new(encoded), IoSlice::new(tail)]))
            }
        }?;
        output.advance(written);
        Poll::Ready(Ok(written))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Opens a listener of which there may be several on one address, one per worker (SO_REUSEPORT, socket(7)).
pub(crate) fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(queue_length(backlog))?;
    Ok(socket.into())
}

/// Sets the backlog of a listener anew: listening again does (listen(2)).
pub(crate) fn listen_again(listener: &TcpListener, backlog: u32) -> io::Result<()> {
    SockRef::from(listener).listen(queue_length(backlog))
}

fn queue_length(backlog: u32) -> i32 {
    i32::try_from(backlog).unwrap_or(i32::MAX)
}
