//! The readiness back end: TCP sockets that a worker's reactor watches.
//!
//! A request costs one recv and one send: both are tried at once and only wait when the kernel says so, and a short read
//! counts as the sign that nothing is left to read.

use std::{
    cell::Cell,
    future::poll_fn,
    io::{self, IoSlice, Read, Write},
    mem::MaybeUninit,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{
    Stream,
    reactor::{Reactor, Registration, TaskKey},
    receive_unsafe::receive,
    send_file::send,
    syn_data_unsafe,
};
use crate::{body::FilePart, buffer::Output, tuning::Tuning, upgrade::Duplex};

/// For so many events one more connection is accepted before the others have their turn again: a turn of the worker grows
/// by an eighth at most, and one that is idle tries no accept in vain.
const EVENTS_PER_ACCEPT: usize = 8;

/// A TCP socket. It does not block.
#[derive(Debug)]
pub(crate) struct Tcp {
    // Dropped before the socket is closed, which is what ends the watch (epoll(7), question 6).
    registration: Registration,
    stream: TcpStream,
}

impl Tcp {
    /// Takes over a socket that [`accept_now`] made, for one task.
    pub(crate) fn new(stream: TcpStream, reactor: &Rc<Reactor>, task: TaskKey) -> io::Result<Self> {
        Ok(Self { registration: reactor.watch_stream(&stream, task)?, stream })
    }

    /// Parts from the task that it was made for: who waits for it from now on is woken, whatever task it is.
    pub(crate) fn leave_task(&self) {
        self.registration.leave_task();
    }

    /// Reads once that may bring something.
    #[inline]
    fn poll_receive(
        &self,
        cx: &Context<'_>,
        mut read: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.registration.poll_readable(cx));
            match read(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.registration.set_empty(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return Poll::Ready(read),
            }
        }
    }

    /// Writes once there may be room.
    #[inline]
    fn poll_send(
        &self,
        cx: &Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.registration.poll_writable(cx));
            match write(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.registration.set_full(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// Shuts the write side. A peer that has gone already needs no end (ENOTCONN, shutdown(2)).
    fn shut(&self) -> io::Result<()> {
        match self.stream.shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            _ => Ok(()),
        }
    }
}

impl Stream for Tcp {
    #[inline]
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration.poll_readable(cx).map(Ok)
    }

    #[inline]
    fn poll_read(&mut self, buffer: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let room = buffer.capacity() - buffer.len();
        let read = ready!(self.poll_receive(cx, |stream| receive(stream, buffer)))?;
        self.registration.note_read(read, room);
        Poll::Ready(Ok(read))
    }

    fn has_arrived(&self) -> bool {
        SockRef::from(&self.stream).peek(&mut [MaybeUninit::uninit()]).is_ok_and(|bytes| bytes > 0)
    }

    #[inline]
    fn poll_write(&mut self, output: &mut Output, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let written = ready!(self.poll_send(cx, |mut stream| match output.parts() {
            (encoded, []) => stream.write(encoded),
            ([], tail) => stream.write(tail),
            (encoded, tail) => stream.write_vectored(&[IoSlice::new(encoded), IoSlice::new(tail)]),
        }))?;
        output.advance(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_ahead(&mut self, output: &mut Output, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let written = ready!(self.poll_send(cx, |stream| {
            let (encoded, tail) = output.parts();
            // As the standard library writes, and with the flag of send(2).
            let flags = libc::MSG_NOSIGNAL | libc::MSG_MORE;
            SockRef::from(stream).send_vectored_with_flags(&[IoSlice::new(encoded), IoSlice::new(tail)], flags)
        }))?;
        output.advance(written);
        Poll::Ready(Ok(written))
    }

    fn poll_send_file(&mut self, part: &FilePart, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |stream| send(stream, part))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shut())
    }

    fn into_duplex(self) -> Box<dyn Duplex> {
        self.leave_task();
        Box::new(self)
    }
}

impl Duplex for Tcp {
    fn poll_read(&mut self, room: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = ready!(self.poll_receive(cx, |mut stream| stream.read(room)))?;
        self.registration.note_read(read, room.len());
        Poll::Ready(Ok(read))
    }

    fn poll_write(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |mut stream| stream.write(bytes))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shut())
    }
}

/// A worker's listener, watched by its reactor.
#[derive(Debug)]
pub(crate) struct Listener {
    registration: Registration,
    socket: TcpListener,
    /// How many connections may still be accepted before the worker waits again.
    turns: Cell<usize>,
}

impl Listener {
    pub(crate) fn new(socket: TcpListener, reactor: &Rc<Reactor>, task: TaskKey) -> io::Result<Self> {
        Ok(Self { registration: reactor.watch_listener(&socket, task)?, socket, turns: Cell::new(0) })
    }

    /// The next connection and its peer.
    ///
    /// # Errors
    /// Those of accept(2).
    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|_| {
            if self.registration.take_readable() {
                self.turns.set(1 + self.registration.arrived() / EVENTS_PER_ACCEPT);
            }
            let Some(left) = self.turns.get().checked_sub(1) else { return Poll::Pending };
            self.turns.set(left);
            match accept_now(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.turns.set(0);
                    Poll::Pending
                }
                accepted => Poll::Ready(accepted),
            }
        })
        .await
    }

    /// Turns the watch off while nobody accepts, and on again: a connection that waits would be reported all the time.
    pub(crate) fn set_watched(&self, watched: bool) -> io::Result<()> {
        self.turns.set(0);
        self.registration.set_watched(&self.socket, watched)
    }

    /// The socket by itself.
    pub(crate) fn into_std(self) -> TcpListener {
        self.socket
    }
}

/// Accepts a connection that is there, as a socket that does not block.
///
/// # Errors
/// Those of accept4(2).
pub(crate) fn accept_now(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (socket, peer) = SockRef::from(listener).accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)?;
    let peer = peer.as_socket().ok_or(io::ErrorKind::ConnectionAborted)?;
    Ok((socket.into(), peer))
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

/// Sets a listener's options, which the sockets that it accepts have from it (tcp(7)), and its backlog anew: listening again does
/// (listen(2)).
///
/// # Errors
/// A sentence of what cannot be had here, beside those of setsockopt(2).
pub(crate) fn tune(listener: &TcpListener, tuning: &Tuning, backlog: u32) -> io::Result<()> {
    let socket = SockRef::from(listener);
    socket.set_tcp_nodelay(tuning.no_delay)?;
    if !tuning.busy_poll.is_zero() {
        let busy_poll_us = u32::try_from(tuning.busy_poll.as_micros()).unwrap_or(u32::MAX);
        socket.set_busy_poll(busy_poll_us).map_err(|error| {
            let reason = format!("SO_BUSY_POLL of {busy_poll_us} µs cannot be had; see net.core.busy_read: {error}");
            io::Error::new(error.kind(), reason)
        })?;
    }
    if tuning.syn_data_connections_max > 0 {
        syn_data_unsafe::set(listener, tuning.syn_data_connections_max)?;
    }
    socket.listen(queue_length(backlog))
}

fn queue_length(backlog: u32) -> i32 {
    i32::try_from(backlog).unwrap_or(i32::MAX)
}
