//! Buffers, and the one pool per thread that they come from and go back to.
//!
//! An idle connection holds no buffer: it takes one when it has something to read or write and gives it back when that
//! is done. Leaves filling and emptying to `conn` and `io`. Read next: `sizing.rs`, `output.rs`.

use std::{
    cell::RefCell,
    fmt,
    ops::{Deref, DerefMut},
};

use bytes::BytesMut;

mod output;
mod sizing;

pub(crate) use output::Output;
use sizing::READ_BYTES_MIN;
pub use sizing::ReadSizes;

/// Buffers of each kind that a thread's pool keeps. Connections that are active at the same time hold theirs; the pool
/// needs only as many as one turn of the event loop leaves idle. At 64 KiB each, 64 of both kinds are 8 MiB at most.
const KEPT_MAX: usize = 64;

/// A buffer that has grown over this is not kept, so that one large message does not stay in memory.
const KEPT_BYTES_MAX: usize = 65_536;

/// Below this a buffer is not worth keeping.
const KEPT_BYTES_MIN: usize = 64;

/// Room in a fresh write buffer: the head of an answer and a small body.
const WRITE_BYTES_MIN: usize = 512;

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

/// An empty write buffer with some room.
pub(crate) fn take() -> Buffer {
    let pooled = POOL.with_borrow_mut(|pool| pool.write.pop());
    Buffer(pooled.unwrap_or_else(|| Vec::with_capacity(WRITE_BYTES_MIN)))
}

/// Bytes to be written, whose memory goes to the pool of the thread that drops them.
///
/// ```
/// use armature_core::Body;
///
/// let Body::Owned(bytes) = Body::from(vec![1, 2, 3]) else { panic!("a vector is owned") };
/// assert_eq!(bytes.len(), 3);
/// ```
#[derive(Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// Without memory.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The bytes, for good.
    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    #[inline]
    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Buffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl From<Vec<u8>> for Buffer {
    #[inline]
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        if self.0.capacity() > 0 {
            give(std::mem::take(&mut self.0));
        }
    }
}

/// Gives the memory of a write buffer back; what it holds is forgotten.
fn give(mut buffer: Vec<u8>) {
    if (KEPT_BYTES_MIN..=KEPT_BYTES_MAX).contains(&buffer.capacity()) {
        if cfg!(debug_assertions) {
            buffer.fill(POISON);
        }
        buffer.clear();
        // A thread that ends has no pool any more.
        let _ = POOL.try_with(|pool| {
            let pool = &mut pool.borrow_mut().write;
            if pool.len() < KEPT_MAX {
                pool.push(buffer);
            }
        });
    }
}
