//! What waits to be written on one connection.

use super::{Buffer, take};
use crate::body::Body;

/// What waits to be written on one connection: encoded bytes, then at most one body that is too large to copy.
#[derive(Debug, Default)]
pub(crate) struct Output {
    buffer: Buffer,
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
                self.buffer = Buffer::new();
                self.sent = 0;
            }
            return;
        }
        self.tail_sent += written - of_buffer;
        if self.sent == self.buffer.len() && self.tail_sent == self.tail.as_slice().len() {
            self.clear();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
