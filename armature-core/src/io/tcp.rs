//! The readiness back end: TCP sockets on tokio.
//!
//! A request costs one recv and one send: both are tried at once and only wait when the kernel says so, and a short read
//! counts as the sign that nothing is left to read.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use super::Stream;
use crate::{buffer::Output, upgrade::Duplex};

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
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(cx)
    }

    #[inline]
    fn poll_read(&mut self, buffer: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let room = buffer.capacity() - buffer.len();
        loop {
            match self.0.try_read_buf(buffer) {
                Ok(read) => {
                    if read > 0 && read < room {
                        self.forget_readiness();
                    }
                    return Poll::Ready(Ok(read));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_read_ready(cx))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn has_arrived(&self) -> bool {
        SockRef::from(&self.0).peek(&mut [MaybeUninit::uninit()]).is_ok_and(|bytes| bytes > 0)
    }

    #[inline]
    fn poll_write(&mut self, output: &mut Output, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            let written = match output.parts() {
                (encoded, []) => self.0.try_write(encoded),
                ([], tail) => self.0.try_write(tail),
                (encoded, tail) => self.0.try_write_vectored(&[IoSlice::new(encoded), IoSlice::new(tail)]),
            };
            match written {
                Ok(written) => {
                    output.advance(written);
                    return Poll::Ready(Ok(written));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.0.poll_write_ready(cx))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn into_duplex(self) -> Box<dyn Duplex> {
        Box::new(self)
    }
}

impl Duplex for Tcp {
    fn poll_read(&mut self, room: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut room))?;
        Poll::Ready(Ok(room.filled().len()))
    }

    fn poll_write(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Tcp {
    /// Tells tokio what a short read means on an edge-triggered socket: that it is empty (epoll(7), question 9). The
    /// next edge comes with the next bytes, so waiting for them needs no read that finds nothing.
    fn forget_readiness(&self) {
        let nothing_left: io::Result<()> = self.0.try_io(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
        debug_assert!(nothing_left.is_err());
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
