//! Buffers, and the one pool per thread that they come from and go back to.
//!
//! An idle connection holds no buffer: it takes one when it has something to read or write and gives it back when that
//! is done. Leaves filling and emptying to `conn` and `io`. Read next: `sizing.rs`, `output.rs`.

use std::cell::RefCell;

use bytes::BytesMut;

mod output;
mod sizing;

pub(crate) use output::Output;
use sizing::{READ_BYTES_MIN, ReadSizes};

/// Buffers of each kind that a thread's pool keeps. Connections that are active at the same time hold theirs; the pool
/// needs only as many as one turn of the event loop leaves idle. At 64 KiB each, 64 of both kinds are 8 MiB at most.
const KEPT_MAX: usize = 64;

/// A buffer that has grown over this is not kept, so that one large message does not stay in memory.
const KEPT_BYTES_MAX: usize = 65_536;

/// Below this a buffer is not worth keeping.
const KEPT_BYTES_MIN: usize = 64;

/// What recycled memory is overwritten with where debug assertions are on, so that a reader of stale bytes shows.
const POISON: u8 = 0xa5;

struct Pool {
    read: Vec<BytesMut>,
    write: Vec<Vec<u8>>,
    sizes: ReadSizes,
}

thread_local! {
    static POOL: RefCell<Pool> =
        const { RefCell::new(Pool { read: Vec::new(), write: Vec::new(), sizes: ReadSizes::new() }) };
}

/// An empty read buffer with room for what reads have needed lately.
pub(crate) fn take_read() -> BytesMut {
    POOL.with_borrow_mut(|pool| {
        let bytes = pool.sizes.bytes();
        match pool.read.pop() {
            Some(buffer) if buffer.capacity() >= bytes => buffer,
            _ => BytesMut::with_capacity(bytes),
        }
    })
}

/// Makes room behind what a buffer holds, for a head or body that goes on.
pub(crate) fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() - buffer.len() < READ_BYTES_MIN / 2 {
        buffer.reserve(POOL.with_borrow(|pool| pool.sizes.bytes()));
    }
}

/// Notes how much a read brought, and for how much there was room.
#[inline]
pub(crate) fn note_read(read: usize, room: usize) {
    POOL.with_borrow_mut(|pool| pool.sizes.note(read, room));
}

/// Gives a read buffer back; what it holds is forgotten.
pub(crate) fn give_read(mut buffer: BytesMut) {
    if cfg!(debug_assertions) {
        buffer.fill(POISON);
    }
    buffer.clear();
    POOL.with_borrow_mut(|pool| {
        // Part of the memory may have been handed on as a body; and what is now too large or too small is let go.
        let bytes = pool.sizes.bytes();
        let fits = buffer.capacity() >= bytes || buffer.try_reclaim(bytes);
        if fits && buffer.capacity() <= KEPT_BYTES_MAX.min(bytes * 4) && pool.read.len() < KEPT_MAX {
            pool.read.push(buffer);
        }
    });
}

/// An empty write buffer.
pub(crate) fn take() -> Vec<u8> {
    POOL.with_borrow_mut(|pool| pool.write.pop()).unwrap_or_default()
}

/// Gives a write buffer back; what it holds is forgotten.
pub(crate) fn give(mut buffer: Vec<u8>) {
    if (KEPT_BYTES_MIN..=KEPT_BYTES_MAX).contains(&buffer.capacity()) {
        if cfg!(debug_assertions) {
            buffer.fill(POISON);
        }
        buffer.clear();
        POOL.with_borrow_mut(|pool| {
            if pool.write.len() < KEPT_MAX {
                pool.write.push(buffer);
            }
        });
    }
}
