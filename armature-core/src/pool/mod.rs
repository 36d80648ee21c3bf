//! Pools of objects that are made once and used again: [`LocalPool`] for one thread, [`SharedPool`] for several, and the
//! [`Arena`] of a request, which is lent by one of the first kind. None has a lock.
//!
//! **A pool does not always pay.** Taking a small buffer from one can cost more than allocating it, and between threads more often
//! than within one: the project's ledger has the figures by size, on one thread and on two (ledger: pool-thread-local,
//! pool-queue, connection-recycling), and why none is behind a lock (ledger: pool-mutex). Pool what takes work to make, such as a
//! compressor or a parser with tables, or what keeps memory that it has grown; leave small buffers to the allocator.
//!
//! Read next: `local.rs`, `arena.rs`. The buffers of connections have a pool of their own, in `../buffer/mod.rs`, which sizes
//! them by what arrives.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

mod arena;
mod local;
mod shared;

pub use arena::Arena;
pub use local::LocalPool;
pub use shared::SharedPool;

/// What lends objects: [`LocalPool`] and [`SharedPool`].
///
/// ```
/// use armature_core::pool::{LocalPool, Pool, Pooled};
///
/// fn fill<P: Pool<Object = Vec<u8>>>(mut buffer: Pooled<'_, P>) -> usize {
///     buffer.extend_from_slice(b"text");
///     buffer.len()
/// }
///
/// let pool = LocalPool::new(4, Vec::new, |buffer| { buffer.clear(); true });
/// assert_eq!(fill(pool.take()), 4);
/// ```
pub trait Pool {
    /// What is lent.
    type Object;

    /// Takes an object back: resets it, and keeps it if it is fit and there is room.
    fn give(&self, object: Self::Object);
}

/// An object that goes back to its pool when it is dropped, also by a panic.
///
/// ```
/// use armature_core::pool::LocalPool;
///
/// let pool = LocalPool::new(4, String::new, |text| { text.clear(); true });
/// let mut text = pool.take();
/// text.push_str("ada");
/// assert_eq!((text.len(), pool.kept()), (3, 0));
/// drop(text);
/// assert_eq!((pool.kept(), pool.take().as_str()), (1, ""));
/// ```
pub struct Pooled<'a, P: Pool> {
    /// There until it is dropped.
    object: Option<P::Object>,
    pool: &'a P,
}

impl<'a, P: Pool> Pooled<'a, P> {
    fn new(object: P::Object, pool: &'a P) -> Self {
        Self { object: Some(object), pool }
    }
}

impl<P: Pool> Deref for Pooled<'_, P> {
    type Target = P::Object;

    #[inline]
    fn deref(&self) -> &P::Object {
        match &self.object {
            Some(object) => object,
            None => unreachable!("it is there until it is dropped"),
        }
    }
}

impl<P: Pool> DerefMut for Pooled<'_, P> {
    #[inline]
    fn deref_mut(&mut self) -> &mut P::Object {
        match &mut self.object {
            Some(object) => object,
            None => unreachable!("it is there until it is dropped"),
        }
    }
}

impl<P: Pool> Drop for Pooled<'_, P> {
    #[inline]
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            self.pool.give(object);
        }
    }
}

impl<P: Pool<Object: fmt::Debug>> fmt::Debug for Pooled<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.fmt(f)
    }
}
