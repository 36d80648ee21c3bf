//! The line between the connection loop and a back end of sockets.
//!
//! Buffers are owned on one side of the line at a time. A readiness back end uses them during the call; a completion
//! back end may take them, leaving empty ones, and put them back when it is done. The loop is written once for both: it
//! relies on nothing in a buffer while an operation on it is pending. Read next: `tcp.rs`.

use std::{
    io,
    task::{Context, Poll},
};

use bytes::BytesMut;

use crate::{body::FilePart, buffer::Output, upgrade::Duplex};

mod instance_unsafe;
mod reactor;
mod receive_unsafe;
mod send_file;
mod syn_data_unsafe;
mod tcp;
mod upgraded;

pub(crate) use reactor::{Alarm, Event, Reactor, TaskKey};
pub(crate) use tcp::{Listener, Tcp, accept_now, listen, tune};

/// One connected socket.
pub(crate) trait Stream {
    /// Waits until a read may bring something. A back end may be wrong in saying so.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Appends what has arrived to `buffer` and says how many bytes that were; 0 is the end. There must be room.
    fn poll_read(&mut self, buffer: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;

    /// Whether bytes are there to be read, also such as the back end has not heard of yet. Asks the kernel.
    fn has_arrived(&self) -> bool;

    /// Writes some of what waits in `output`, and takes it off.
    fn poll_write(&mut self, output: &mut Output, cx: &mut Context<'_>) -> Poll<io::Result<usize>>;

    /// As [`poll_write`](Self::poll_write), with more to come at once, which a segment that is not full may wait for.
    fn poll_write_ahead(&mut self, output: &mut Output, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_write(output, cx)
    }

    /// Sends some of a file without reading it, and says how many bytes that were; 0 is the end of the file. A back end that
    /// has to see the bytes, to encrypt them say, cannot.
    fn poll_send_file(&mut self, _: &FilePart, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    /// Shuts the write side, so that the peer sees the end.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The socket by itself, for a connection that leaves HTTP.
    fn into_duplex(self) -> Box<dyn Duplex>;
}
