//! [`ReadState`]: a value behind a lock for many readers.

use crossbeam_utils::CachePadded;
use parking_lot::{RwLock, RwLockUpgradableReadGuard};

use super::{
    statistics::{Counters, Operation, Statistics},
    version::{Version, Versioned},
};

/// A value that is changed in place, behind a lock that many readers share (`parking_lot::RwLock`).
///
/// Use this when changes are small and the value need not be cloned for them: a registry, a table of sessions. Readers
/// wait while a writer is at work; where they must not, use [`ArcSwapState`](super::ArcSwapState). A read writes to the
/// lock, which therefore shares its cache line with no neighbour.
///
/// The closures must not touch the same state again: the lock is held, and the thread would wait for itself.
///
/// ```
/// use std::{collections::HashMap, sync::Arc};
/// use armature_core::{Path, Router, SmallString, State, get, state::ReadState};
///
/// type Visits = Arc<ReadState<HashMap<SmallString, u64>>>;
///
/// async fn visit(State(visits): State<Visits>, Path(page): Path<SmallString>) -> String {
///     visits.write(|visits| {
///         let count = visits.entry(page).or_default();
///         *count += 1;
///         count.to_string()
///     })
/// }
///
/// let visits = Visits::new(ReadState::new(HashMap::new()));
/// // For each worker a router, and for each router a clone of the same `Arc`.
/// let router = move || Router::new().route("/visit/{page}", get(visit)).with_state(visits.clone());
/// # let _: Router = router();
/// ```
#[derive(Debug)]
pub struct ReadState<T> {
    value: CachePadded<RwLock<Versioned<T>>>,
    counters: Counters,
}

impl<T> ReadState<T> {
    /// A state with this value.
    ///
    /// ```
    /// use armature_core::state::ReadState;
    ///
    /// assert_eq!(ReadState::new(7).read(|value| **value), 7);
    /// ```
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { value: CachePadded::new(RwLock::new(Versioned::first(value))), counters: Counters::default() }
    }

    /// The same state, which counts what is done with it from now on.
    ///
    /// ```
    /// use armature_core::state::ReadState;
    ///
    /// let visits = ReadState::new(0).with_statistics();
    /// visits.write(|visits| *visits += 1);
    /// assert_eq!(visits.statistics().unwrap().writes, 1);
    /// ```
    #[must_use]
    pub fn with_statistics(mut self) -> Self {
        self.counters = Counters::on();
        self
    }

    /// Reads the value, together with others who read it. Waits for a writer.
    ///
    /// ```
    /// use armature_core::state::ReadState;
    ///
    /// let names = ReadState::new(vec!["ada", "grace"]);
    /// assert!(names.read(|names| names.contains(&"grace")));
    /// ```
    pub fn read<R>(&self, look: impl FnOnce(&Versioned<T>) -> R) -> R {
        self.counters.count(Operation::Read);
        look(&self.value.read())
    }

    /// Changes the value, alone with it. Waits for readers and writers.
    ///
    /// ```
    /// use armature_core::state::ReadState;
    ///
    /// let visits = ReadState::new(0);
    /// let visit = || visits.write(|visits| {
    ///     *visits += 1;
    ///     *visits
    /// });
    /// assert_eq!((visit(), visit()), (1, 2));
    /// ```
    pub fn write<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        self.counters.count(Operation::Write);
        change(self.value.write().change())
    }

    /// Reads the value, and changes it only if `look` finds nothing; nobody else changes it in between.
    ///
    /// Others may read while `look` does, but only one thread at a time can be here: plain reads are for
    /// [`read`](Self::read).
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use armature_core::state::ReadState;
    ///
    /// let ids = ReadState::new(HashMap::from([("ada", 1)]));
    /// let id = |name| ids.read_or_write(
    ///     |ids| ids.get(name).copied(),
    ///     |ids| {
    ///         let id = ids.len() + 1;
    ///         ids.insert(name, id);
    ///         id
    ///     },
    /// );
    /// assert_eq!((id("ada"), id("grace"), id("grace")), (1, 2, 2));
    /// ```
    pub fn read_or_write<R>(
        &self,
        look: impl FnOnce(&Versioned<T>) -> Option<R>,
        change: impl FnOnce(&mut T) -> R,
    ) -> R {
        self.counters.count(Operation::Read);
        let value = self.value.upgradable_read();
        if let Some(found) = look(&value) {
            return found;
        }
        self.counters.count(Operation::Write);
        change(RwLockUpgradableReadGuard::upgrade(value).change())
    }

    /// The present version. Waits for a writer.
    ///
    /// ```
    /// use armature_core::state::ReadState;
    ///
    /// let visits = ReadState::new(0);
    /// let seen = visits.version();
    /// visits.write(|visits| *visits += 1);
    /// assert_ne!(visits.version(), seen);
    /// ```
    #[must_use]
    pub fn version(&self) -> Version {
        self.value.read().version()
    }

    /// What was done so far; `None` if it is not counted.
    ///
    /// ```
    /// use armature_core::state::ReadState;
    ///
    /// let visits = ReadState::new(0).with_statistics();
    /// visits.read(|_| ());
    /// assert_eq!(visits.statistics().unwrap().reads, 1);
    /// assert_eq!(ReadState::new(0).statistics(), None);
    /// ```
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        self.counters.read()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
        thread,
    };

    use super::*;

    #[test]
    fn one_of_many_threads_makes_what_none_has_found() {
        let state = ReadState::new(None).with_statistics();
        let made = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| {
                    let state = &state;
                    scope.spawn(move || state.read_or_write(|value| **value, |value| *value.insert(number)))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(made.iter().all(|number| *number == made[0]), "{made:?}");
        let counted = Statistics { reads: 8, writes: 1, ..Statistics::default() };
        assert_eq!(state.statistics(), Some(counted));
    }

    #[test]
    fn a_version_goes_with_one_value() {
        let state = ReadState::new(0_u64);
        let first = state.version();
        thread::scope(|scope| {
            scope.spawn(|| (0..1_000).for_each(|_| state.write(|value| *value += 1)));
            let mut seen = (first, 0);
            while seen.1 < 1_000 {
                let now = state.read(|value| (value.version(), **value));
                assert_eq!(seen.0 == now.0, seen.1 == now.1, "{seen:?} {now:?}");
                assert!(now >= seen, "{seen:?} {now:?}");
                seen = now;
            }
        });
    }

    #[test]
    fn a_change_that_panics_is_a_change_and_the_state_goes_on() {
        let state = ReadState::new(1);
        let before = state.version();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            state.write(|value| {
                *value = 2;
                resume_unwind(Box::new("on purpose"));
            });
        }));
        assert!(panicked.is_err());
        assert_ne!(state.version(), before);
        state.write(|value| *value += 1);
        assert_eq!(state.read(|value| **value), 3);
    }
}
