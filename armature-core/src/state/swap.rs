//! [`ArcSwapState`]: a value that is replaced as a whole, under the feet of nobody.

use std::sync::Arc;

use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

use super::{
    statistics::{Counters, Operation, Statistics},
    version::{Snapshot, Version, Versioned},
};

/// A value that is replaced as a whole while others read on in the old one (`arc_swap::ArcSwap`).
///
/// Use this when readers may never wait, and whoever changes the value makes a new one: a table that a task reloads, a
/// certificate. Readers and writers share no lock; writers have one among themselves, on a cache line of its own.
///
/// ```
/// use armature_core::state::ArcSwapState;
///
/// let prices = ArcSwapState::new(vec![3, 5]);
/// assert_eq!(prices.read(|prices| prices.iter().sum::<u32>()), 8);
/// prices.store(vec![4, 6, 8]);
/// // To be kept over an `.await`:
/// let prices = prices.snapshot();
/// assert_eq!(prices.len(), 3);
/// ```
#[derive(Debug)]
pub struct ArcSwapState<T> {
    value: CachePadded<ArcSwap<Versioned<T>>>,
    counters: Counters,
    /// Held by who makes the next version.
    writer: Mutex<()>,
}

impl<T> ArcSwapState<T> {
    /// A state with this value.
    ///
    /// ```
    /// use armature_core::state::ArcSwapState;
    ///
    /// assert_eq!(ArcSwapState::new(7).read(|value| **value), 7);
    /// ```
    #[must_use]
    pub fn new(value: T) -> Self {
        Self {
            value: CachePadded::new(ArcSwap::from_pointee(Versioned::first(value))),
            counters: Counters::default(),
            writer: Mutex::new(()),
        }
    }

    /// The same state, which counts what is done with it from now on.
    ///
    /// ```
    /// use armature_core::state::ArcSwapState;
    ///
    /// let price = ArcSwapState::new(3).with_statistics();
    /// price.store(4);
    /// assert_eq!(price.statistics().unwrap().writes, 1);
    /// ```
    #[must_use]
    pub fn with_statistics(mut self) -> Self {
        self.counters = Counters::on();
        self
    }

    /// Reads the present value; never waits. A value that replaces it meanwhile is not seen by `look`.
    ///
    /// ```
    /// use armature_core::state::ArcSwapState;
    ///
    /// let prices = ArcSwapState::new(vec![3, 5]);
    /// assert_eq!(prices.read(|prices| prices.iter().sum::<u32>()), 8);
    /// ```
    pub fn read<R>(&self, look: impl FnOnce(&Versioned<T>) -> R) -> R {
        self.counters.count(Operation::Read);
        look(&self.value.load())
    }

    /// The present value, to be kept; never waits. It adds to a count that all snapshots of the value share, which
    /// [`read`](Self::read) does not.
    ///
    /// ```
    /// use armature_core::state::ArcSwapState;
    ///
    /// let price = ArcSwapState::new(3);
    /// let before = price.snapshot();
    /// price.store(4);
    /// assert_eq!(**before, 3);
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<T> {
        self.counters.count(Operation::Read);
        Snapshot(self.value.load_full())
    }

    /// Replaces the value, and gives its version. Waits for other writers.
    ///
    /// ```
    /// use armature_core::state::ArcSwapState;
    ///
    /// let price = ArcSwapState::new(3);
    /// assert_eq!(price.store(4), price.version());
    /// ```
    pub fn store(&self, value: T) -> Version {
        self.update(|_| value)
    }

    /// Replaces the value by one that is made of it; nobody else replaces it in between. Waits for other writers. The
    /// closure may read the same state but not write it.
    ///
    /// ```
    /// # use armature_core::state::ArcSwapState;
    /// let hosts = ArcSwapState::new(vec!["a.example"]);
    /// hosts.update(|hosts| [hosts.as_slice(), &["b.example"]].concat());
    /// assert_eq!(hosts.read(|hosts| hosts.len()), 2);
    /// ```
    pub fn update(&self, make: impl FnOnce(&T) -> T) -> Version {
        self.counters.count(Operation::Write);
        let _writer = self.writer.lock();
        let present = self.value.load();
        let next = Versioned { version: present.version.next(), value: make(&present.value) };
        let version = next.version;
        self.value.store(Arc::new(next));
        version
    }

    /// The present version; never waits.
    ///
    /// ```
    /// use armature_core::state::ArcSwapState;
    ///
    /// let price = ArcSwapState::new(3);
    /// let seen = price.version();
    /// price.store(4);
    /// assert_ne!(price.version(), seen);
    /// ```
    #[must_use]
    pub fn version(&self) -> Version {
        self.value.load().version()
    }

    /// What was done so far; `None` if it is not counted.
    ///
    /// ```
    /// use armature_core::state::ArcSwapState;
    ///
    /// let price = ArcSwapState::new(3).with_statistics();
    /// price.read(|_| ());
    /// assert_eq!(price.statistics().unwrap().reads, 1);
    /// ```
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        self.counters.read()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn no_update_of_any_thread_is_lost() {
        let state = ArcSwapState::new((0_u64, 0_u64)).with_statistics();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        state.update(|(a, b)| (a + 1, b + 1));
                        let (a, b) = state.read(|value| **value);
                        assert_eq!(a, b, "half of an update was seen");
                    }
                });
            }
        });
        assert_eq!(**state.snapshot(), (2_000, 2_000));
        let counted = Statistics { reads: 2_001, writes: 2_000, ..Statistics::default() };
        assert_eq!(state.statistics(), Some(counted));
    }

    #[test]
    fn a_reader_keeps_what_it_has_and_is_in_nobody_s_way() {
        let state = ArcSwapState::new(1);
        let first = state.version();
        state.read(|value| {
            let second = state.store(2);
            assert_eq!((**value, value.version()), (1, first));
            assert_eq!(state.version(), second);
        });
        assert_eq!(state.read(|value| **value), 2);
    }
}
