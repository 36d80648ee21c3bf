//! Bytes between the socket and the buffers: reading once, writing what waits, holding no buffer while idle, and
//! how much of it happens before other connections get their turn.

use std::{
    io,
    task::{Context, Poll},
};

use bytes::Buf;

use super::{Conn, deadline::Wait};
use crate::{buffer, io::Stream, service::Service};

impl<IO: Stream, S: Service> Conn<IO, S> {
    /// Takes one step's turn; pending, and woken again behind the others, when this poll has had all of its turns.
    ///
    /// A request is a step, and so is a piece or a read of a body, or a write of one: each moves what one buffer holds
    /// at most, and takes some µs as a small request does, so that the same number of them bounds a poll.
    pub(super) fn take_turn(&mut self, cx: &Context<'_>) -> Poll<()> {
        match self.turns.checked_sub(1) {
            Some(left) => {
                self.turns = left;
                Poll::Ready(())
            }
            None => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// Reads once. A connection that waits with nothing read holds no buffer.
    pub(super) fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.forget_answered();
        if self.is_drained {
            match Self::socket(&mut self.stream)?.poll_readable(cx) {
                Poll::Ready(Ok(())) => self.is_drained = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.release_input();
                    return Poll::Pending;
                }
            }
        }
        if self.input.capacity() == 0 {
            self.input = buffer::take_read();
        }
        buffer::make_room(&mut self.input);
        let room = self.input.capacity() - self.input.len();
        let polled = Self::socket(&mut self.stream)?.poll_read(&mut self.input, cx);
        match polled {
            Poll::Ready(Ok(read)) => {
                self.is_drained = read < room;
                // A sample is enough to know the traffic by, and costs an eighth.
                if self.reads.is_multiple_of(8) && self.worker.tuning.adapts_read_size {
                    buffer::note_read(read, room);
                }
                self.reads = self.reads.wrapping_add(1);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.release_input(),
        }
        polled
    }

    /// Takes what is answered off the input. Until somebody needs the input for more than heads, it is only counted.
    #[inline]
    pub(super) fn forget_answered(&mut self) {
        let answered = std::mem::take(&mut self.answered_bytes);
        if answered == self.input.len() {
            self.input.clear();
        } else {
            self.input.advance(answered);
        }
    }

    fn release_input(&mut self) {
        if self.input.is_empty() && self.input.capacity() > 0 && !self.worker.tuning.keeps_idle_buffers {
            buffer::give_read(std::mem::take(&mut self.input));
        }
    }

    /// Writes everything that waits.
    #[inline]
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.output.is_empty() { Poll::Ready(Ok(())) } else { self.write_out(false, cx) }
    }

    /// As [`flush`](Self::flush), where a file follows at once.
    pub(super) fn flush_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write_out(self.worker.tuning.joins_file_heads, cx)
    }

    /// Writes until nothing waits, ahead of more to come or for good.
    fn write_out(&mut self, is_ahead: bool, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let stream = Self::socket(&mut self.stream)?;
            let output = &mut self.output;
            let written = if is_ahead { stream.poll_write_ahead(output, cx) } else { stream.poll_write(output, cx) };
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(_)) => self.wait_not(Wait::Write),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.wait_for(Wait::Write, self.worker.patience.write);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The socket; after an upgrade nothing here has business with it.
    pub(super) fn socket(stream: &mut Option<IO>) -> io::Result<&mut IO> {
        stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}
