//! [`SharedPool`]: a queue of objects for several threads, without a lock (crossbeam's `ArrayQueue`).

use std::fmt;

use crossbeam_queue::ArrayQueue;

use super::{Pool, Pooled};

/// Objects for several threads, at most so many of them.
///
/// For what all workers are to share because there must be few of it. Where each worker can have its own, a
/// [`LocalPool`](super::LocalPool) shares nothing. When that pays, and when not, is said at the [module](super).
///
/// ```
/// use std::{sync::Arc, thread};
/// use armature_core::pool::SharedPool;
///
/// let buffers = Arc::new(SharedPool::new(8, || Vec::with_capacity(1_024), |buffer: &mut Vec<u8>| { buffer.clear(); true }));
/// let theirs = buffers.clone();
/// thread::spawn(move || theirs.take().extend_from_slice(b"text")).join().unwrap();
/// assert_eq!((buffers.kept(), buffers.take().len()), (1, 0));
/// ```
pub struct SharedPool<T> {
    kept: ArrayQueue<T>,
    make: fn() -> T,
    reset: fn(&mut T) -> bool,
}

impl<T> SharedPool<T> {
    /// An empty pool that keeps at most `kept_max` objects, at least 1. `make` makes one where none is kept; `reset` makes one
    /// that comes back as good as new, in whatever state a panic has left it, and says whether it is to be kept.
    ///
    /// ```
    /// use armature_core::pool::SharedPool;
    ///
    /// let pool = SharedPool::new(2, String::new, |text| { text.clear(); text.capacity() <= 4_096 });
    /// drop([pool.take(), pool.take(), pool.take()]);
    /// assert_eq!(pool.kept(), 2);
    /// ```
    pub fn new(kept_max: usize, make: fn() -> T, reset: fn(&mut T) -> bool) -> Self {
        Self { kept: ArrayQueue::new(kept_max.max(1)), make, reset }
    }

    /// An object, kept or new.
    ///
    /// ```
    /// use armature_core::pool::SharedPool;
    ///
    /// let pool = SharedPool::new(4, || 7, |_| true);
    /// assert_eq!(*pool.take(), 7);
    /// ```
    #[inline]
    pub fn take(&self) -> Pooled<'_, Self> {
        Pooled::new(self.kept.pop().unwrap_or_else(self.make), self)
    }

    /// How many objects wait to be taken, while nobody takes or gives.
    ///
    /// ```
    /// use armature_core::pool::SharedPool;
    ///
    /// let pool = SharedPool::new(4, String::new, |_| true);
    /// drop(pool.take());
    /// assert_eq!(pool.kept(), 1);
    /// ```
    pub fn kept(&self) -> usize {
        self.kept.len()
    }
}

impl<T> Pool for SharedPool<T> {
    type Object = T;

    #[inline]
    fn give(&self, mut object: T) {
        if (self.reset)(&mut object) {
            // What finds no room is dropped.
            let _ = self.kept.push(object);
        }
    }
}

impl<T> fmt::Debug for SharedPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedPool({} of {})", self.kept(), self.kept.capacity())
    }
}
