//! Bytes whose memory is an allocator's that is named, not the program's: `Vec` takes one on stable Rust from nobody else.

#![allow(unsafe_code, reason = "an allocator that is called by itself is called through an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, Layout, handle_alloc_error},
    ptr::NonNull,
    slice,
};

/// A growing piece of bytes, of which there is at least one.
pub(crate) struct Text<A: GlobalAlloc + 'static> {
    allocator: &'static A,
    memory: NonNull<u8>,
    length: usize,
    capacity: usize,
}

fn layout(capacity: usize) -> Layout {
    Layout::array::<u8>(capacity).unwrap_or_else(|error| panic!("{capacity} bytes: {error}"))
}

impl<A: GlobalAlloc> Text<A> {
    /// These bytes, with no room behind them.
    pub(crate) fn new(allocator: &'static A, bytes: &[u8]) -> Self {
        let capacity = bytes.len().max(1);
        let layout = layout(capacity);
        // SAFETY: the layout's size is at least 1.
        let memory = unsafe { allocator.alloc(layout) };
        let memory = NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout));
        let mut text = Self { allocator, memory, length: 0, capacity };
        text.push(bytes);
        text
    }

    /// Appends bytes; where there is no room for them it is at least doubled.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let length = self.length + bytes.len();
        if length > self.capacity {
            let capacity = length.max(self.capacity * 2);
            let larger = layout(capacity);
            // SAFETY: the memory came from this allocator with this layout, and the new size is larger than 0 and, as `larger`
            // has shown, no larger than a layout may be.
            let memory = unsafe { self.allocator.realloc(self.memory.as_ptr(), layout(self.capacity), capacity) };
            self.memory = NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(larger));
            self.capacity = capacity;
        }
        // SAFETY: there is room for `bytes` behind the first `self.length`, and nobody else has a pointer into it.
        unsafe { self.memory.add(self.length).copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        self.length = length;
    }

    /// The bytes.
    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: the first `self.length` bytes have been written, and live as long as `self` is borrowed.
        unsafe { slice::from_raw_parts(self.memory.as_ptr(), self.length) }
    }
}

impl<A: GlobalAlloc> Drop for Text<A> {
    fn drop(&mut self) {
        // SAFETY: the memory came from this allocator with this layout, and nothing uses it after this.
        unsafe { self.allocator.dealloc(self.memory.as_ptr(), layout(self.capacity)) };
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;

    use super::*;

    #[test]
    fn bytes_are_kept_while_they_grow() {
        for allocated in [0, 1, 7, 128, 5_000] {
            let bytes: Vec<u8> = (0..allocated).map(|at| at as u8).collect();
            let mut text = Text::new(&System, &bytes);
            text.push(&bytes);
            text.push(b"end");
            assert_eq!(text.as_slice(), [&bytes[..], &bytes, b"end"].concat());
        }
    }
}
