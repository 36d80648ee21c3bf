//! Buffers, and the one pool per thread that they come from and go back to.
//!
//! An idle connection holds no buffer: it takes one when it has something to read or write and gives it back when that
//! is done. Leaves filling and emptying to `conn` and `io`. Read next: `h1/mod.rs`.

use std::cell::RefCell;

use bytes::BytesMut;

use crate::body::Body;

/// Bytes of a fresh read buffer: some hundred small requests, or a head of usual size with a small body.
pub(crate) const READ_BYTES: usize = 8_192;

/// Buffers of each kind that a thread's pool keeps. Connections that are active at the same time hold theirs; the pool
/// needs only as many as one turn of the event loop leaves idle. At 64 KiB each, 64 of both kinds are 8 MiB at most.
const KEPT_MAX: usize = 64;

/// A write buffer that has grown over this is not kept, so that one large answer does not stay in memory.
const KEPT_BYTES_MAX: usize = 65_536;

/// Below this a buffer is not worth keeping.
const KEPT_BYTES_MIN: usize = 64;

struct Pool {
    read: Vec<BytesMut>,
    write: Vec<Vec<u8>>,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { read: Vec::new(), write: Vec::new() }) };
}

/// An empty read buffer with room for at least half of [`READ_BYTES`].
pub(crate) fn take_read() -> BytesMut {
    POOL.with_borrow_mut(|pool| pool.read.pop()).unwrap_or_else(|| BytesMut::with_capacity(READ_BYTES))
}

/// Gives a read buffer back; what it holds is forgotten.
pub(crate) fn give_read(mut buffer: BytesMut) {
    buffer.clear();
    // Part of the memory may have been handed on as a body. Without it, the rest must still be worth a read.
    if buffer.capacity() < READ_BYTES / 2 && !buffer.try_reclaim(READ_BYTES / 2) {
        return;
    }
    if buffer.capacity() > KEPT_BYTES_MAX {
        return;
    }
    POOL.with_borrow_mut(|pool| {
        if pool.read.len() < KEPT_MAX {
            pool.read.push(buffer);
        }
    });
}

/// An empty write buffer.
#[must_use]
pub fn take() -> Vec<u8> {
    POOL.with_borrow_mut(|pool| pool.write.pop()).unwrap_or_default()
}

/// Gives a write buffer back; what it holds is forgotten.
pub fn give(mut buffer: Vec<u8>) {
    if (KEPT_BYTES_MIN..=KEPT_BYTES_MAX).contains(&buffer.capacity()) {
        buffer.clear();
        POOL.with_borrow_mut(|pool| {
            if pool.write.len() < KEPT_MAX {
                pool.write.push(buffer);
            }
        });
    }
}

/// What waits to be written on one connection: encoded bytes, then at most one body that is too large to copy.
#[derive(Debug, Default)]
pub(crate) struct Output {
    buffer: Vec<u8>,
    sent: usize,
    tail: Body,
    tail_sent: usize,
}

impl Output {
    /// Where encoded bytes are appended. There must be no tail: bytes after it would overtake it.
    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        debug_assert!(matches!(self.tail, Body::Empty), "bytes would overtake a tail");
        if self.buffer.capacity() == 0 {
            self.buffer = take();
        }
        &mut self.buffer
    }

    /// Appends a body after the encoded bytes without copying it.
    pub(crate) fn set_tail(&mut self, body: Body) {
        self.tail = body;
        self.tail_sent = 0;
    }

    /// Whether a tail waits.
    #[inline]
    pub(crate) fn has_tail(&self) -> bool {
        !matches!(self.tail, Body::Empty)
    }

    /// Whether nothing waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.buffer.len() && !self.has_tail()
    }

    /// Bytes that wait.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        let encoded = self.buffer.len() - self.sent;
        if self.has_tail() { encoded + self.tail.as_slice().len() - self.tail_sent } else { encoded }
    }

    /// The encoded bytes and the tail that wait.
    #[inline]
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        let tail: &[u8] = if self.has_tail() { &self.tail.as_slice()[self.tail_sent..] } else { &[] };
        (&self.buffer[self.sent..], tail)
    }

    /// Notes that so many bytes were written; gives buffers back when all were.
    #[inline]
    pub(crate) fn advance(&mut self, written: usize) {
        let of_buffer = written.min(self.buffer.len() - self.sent);
        self.sent += of_buffer;
        if !self.has_tail() {
            if self.sent == self.buffer.len() {
                give(std::mem::take(&mut self.buffer));
                self.sent = 0;
            }
            return;
        }
        self.tail_sent += written - of_buffer;
        if self.sent == self.buffer.len() && self.tail_sent == self.tail.as_slice().len() {
            self.reset();
        }
    }

    fn reset(&mut self) {
        give(std::mem::take(&mut self.buffer));
        self.sent = 0;
        if let Body::Owned(bytes) = std::mem::take(&mut self.tail) {
            give(bytes);
        }
        self.tail_sent = 0;
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.reset();
    }
}
