//! [`CopyOnWriteState`]: a value that is copied when it changes while somebody holds it.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use parking_lot::RwLock;

use super::{
    statistics::{Counters, Operation, Statistics},
    version::{Snapshot, Version, Versioned},
};

/// A value that readers take along and writers change: in place if nobody has it, else in a copy.
///
/// Use this when readers keep the value for longer than a moment, over an `.await` say, and changes are small. A change
/// costs a clone of the value for every snapshot that is still out at its time at most; with a persistent collection
/// inside, that is little. Where the value is replaced as a whole, use [`ArcSwapState`](super::ArcSwapState).
///
/// ```
/// use armature_core::state::CopyOnWriteState;
///
/// let hosts = CopyOnWriteState::new(vec!["a.example"]);
/// let before = hosts.snapshot();
/// hosts.write(|hosts| hosts.push("b.example"));
/// assert_eq!((before.len(), hosts.snapshot().len()), (1, 2));
/// assert_ne!(before.version(), hosts.version());
/// ```
#[derive(Debug)]
pub struct CopyOnWriteState<T> {
    value: CachePadded<RwLock<Arc<Versioned<T>>>>,
    counters: Counters,
}

impl<T> CopyOnWriteState<T> {
    /// A state with this value.
    ///
    /// ```
    /// use armature_core::state::CopyOnWriteState;
    ///
    /// assert_eq!(**CopyOnWriteState::new(7).snapshot(), 7);
    /// ```
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { value: CachePadded::new(RwLock::new(Arc::new(Versioned::first(value)))), counters: Counters::default() }
    }

    /// The same state, which counts what is done with it from now on.
    ///
    /// ```
    /// use armature_core::state::CopyOnWriteState;
    ///
    /// let hosts = CopyOnWriteState::new(vec!["a.example"]).with_statistics();
    /// hosts.write(Vec::clear);
    /// assert_eq!(hosts.statistics().unwrap().writes, 1);
    /// ```
    #[must_use]
    pub fn with_statistics(mut self) -> Self {
        self.counters = Counters::on();
        self
    }

    /// The present value. Waits for a writer.
    ///
    /// ```
    /// use armature_core::state::CopyOnWriteState;
    ///
    /// let hosts = CopyOnWriteState::new(vec!["a.example"]);
    /// let before = hosts.snapshot();
    /// hosts.write(Vec::clear);
    /// assert_eq!((before.len(), hosts.snapshot().len()), (1, 0));
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<T> {
        self.counters.count(Operation::Read);
        Snapshot(Arc::clone(&self.value.read()))
    }

    /// Changes the value; snapshots that are out keep what they have. The closure must not touch the same state again.
    ///
    /// ```
    /// use armature_core::state::CopyOnWriteState;
    ///
    /// let hosts = CopyOnWriteState::new(vec!["a.example"]);
    /// assert_eq!(hosts.write(|hosts| hosts.pop()), Some("a.example"));
    /// assert!(hosts.snapshot().is_empty());
    /// ```
    pub fn write<R>(&self, change: impl FnOnce(&mut T) -> R) -> R
    where
        T: Clone,
    {
        self.counters.count(Operation::Write);
        change(Arc::make_mut(&mut self.value.write()).change())
    }

    /// The present version. Waits for a writer.
    ///
    /// ```
    /// use armature_core::state::CopyOnWriteState;
    ///
    /// let hosts = CopyOnWriteState::new(vec!["a.example"]);
    /// assert_eq!(hosts.snapshot().version(), hosts.version());
    /// ```
    #[must_use]
    pub fn version(&self) -> Version {
        self.value.read().version()
    }

    /// What was done so far; `None` if it is not counted.
    ///
    /// ```
    /// use armature_core::state::CopyOnWriteState;
    ///
    /// let hosts = CopyOnWriteState::new(vec!["a.example"]).with_statistics();
    /// hosts.snapshot();
    /// assert_eq!(hosts.statistics().unwrap().reads, 1);
    /// ```
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        self.counters.read()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static COPIES: AtomicUsize = AtomicUsize::new(0);

    #[derive(Debug)]
    struct Copied(u32);

    impl Clone for Copied {
        fn clone(&self) -> Self {
            COPIES.fetch_add(1, Ordering::SeqCst);
            Self(self.0)
        }
    }

    #[test]
    fn a_value_is_copied_only_while_somebody_holds_it() {
        let state = CopyOnWriteState::new(Copied(0)).with_statistics();
        state.write(|value| value.0 = 1);
        assert_eq!(COPIES.load(Ordering::SeqCst), 0);
        let held = state.snapshot();
        state.write(|value| value.0 = 2);
        state.write(|value| value.0 = 3);
        assert_eq!((COPIES.load(Ordering::SeqCst), held.value.0, state.snapshot().value.0), (1, 1, 3));
        let counted = Statistics { reads: 2, writes: 3, ..Statistics::default() };
        assert_eq!(state.statistics(), Some(counted));
    }
}
