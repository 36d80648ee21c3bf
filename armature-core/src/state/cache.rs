//! [`ReadCache`]: values by key, at most so many of them.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, RandomState},
};

use quick_cache::{
    UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};

use super::statistics::{Counters, Operation, Statistics};

/// Values by key, at most so many of them; the least used make room for new ones (`quick_cache`).
///
/// Use this when values can be made anew and are asked for again and again: rows of a table, rendered pages. What must
/// not be forgotten belongs in a [`ReadState`](super::ReadState). Reading clones the value, so a large one is kept as an
/// `Arc` or as `Bytes`. Keys may come from requests: they are hashed with a secret of this process (`RandomState`), and
/// what a client can push in pushes out what is used least.
///
/// Nothing is forgotten by time. What was derived from a state gets the state's [`Version`](super::Version) into its
/// key; see there.
///
/// ```
/// use std::sync::Arc;
/// use armature_core::{Path, Router, State, get, state::ReadCache};
///
/// type Squares = Arc<ReadCache<u64, u128>>;
///
/// async fn square(State(squares): State<Squares>, Path(number): Path<u64>) -> String {
///     squares.get_or_insert_with(number, || u128::from(number).pow(2)).to_string()
/// }
///
/// let squares = Squares::new(ReadCache::new(10_000));
/// let router = move || Router::new().route("/square/{number}", get(square)).with_state(squares.clone());
/// # let _: Router = router();
/// ```
pub struct ReadCache<K, V> {
    entries: Cache<K, V, UnitWeighter, RandomState>,
    counters: Counters,
}

impl<K: Eq + Hash, V: Clone> ReadCache<K, V> {
    /// An empty cache with room for `entries_max` entries. Its shards have equal room each, so that it may hold a few
    /// more, as [`capacity`](Self::capacity) says; a shard whose share of the keys is larger forgets a little earlier.
    ///
    /// ```
    /// use armature_core::state::ReadCache;
    ///
    /// let squares = ReadCache::<u64, u64>::new(1_000);
    /// assert!(squares.is_empty() && squares.capacity() >= 1_000);
    /// ```
    #[must_use]
    pub fn new(entries_max: usize) -> Self {
        let entries =
            Cache::with(entries_max, entries_max as u64, UnitWeighter, RandomState::new(), DefaultLifecycle::default());
        Self { entries, counters: Counters::default() }
    }

    /// The same cache, which counts what is done with it from now on.
    ///
    /// ```
    /// use armature_core::state::ReadCache;
    ///
    /// let squares = ReadCache::<u64, u64>::new(1_000).with_statistics();
    /// squares.get(&7);
    /// assert_eq!(squares.statistics().unwrap().misses, 1);
    /// ```
    #[must_use]
    pub fn with_statistics(mut self) -> Self {
        self.counters = Counters::on();
        self
    }

    /// A clone of the value, if it is there.
    ///
    /// ```
    /// use armature_core::state::ReadCache;
    ///
    /// let born = ReadCache::new(1_000);
    /// born.insert("ada".to_owned(), 1815);
    /// assert_eq!((born.get("ada"), born.get("grace")), (Some(1815), None));
    /// ```
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let found = self.entries.get(key);
        self.counters.count(if found.is_some() { Operation::Hit } else { Operation::Miss });
        found
    }

    /// Puts a value in, in place of the one that was there.
    ///
    /// ```
    /// use armature_core::state::ReadCache;
    ///
    /// let born = ReadCache::new(1_000);
    /// born.insert("ada", 1814);
    /// born.insert("ada", 1815);
    /// assert_eq!((born.get("ada"), born.len()), (Some(1815), 1));
    /// ```
    pub fn insert(&self, key: K, value: V) {
        self.counters.count(Operation::Write);
        self.entries.insert(key, value);
    }

    /// The value, made by `make` if it is not there. Threads that miss at the same time all make it, and the last one's
    /// stays: none waits for another.
    ///
    /// ```
    /// use armature_core::state::ReadCache;
    ///
    /// let squares = ReadCache::new(1_000);
    /// assert_eq!(squares.get_or_insert_with(7, || 49), 49);
    /// assert_eq!(squares.get_or_insert_with(7, || unreachable!("it is there")), 49);
    /// ```
    pub fn get_or_insert_with(&self, key: K, make: impl FnOnce() -> V) -> V {
        if let Some(found) = self.get(&key) {
            return found;
        }
        let made = make();
        self.insert(key, made.clone());
        made
    }

    /// The value, made by `make` if it is not there. Tasks that miss at the same time wait for the first of them; if
    /// that one fails or is dropped, the next makes it.
    ///
    /// # Errors
    /// That of `make`; nothing is kept then.
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use armature_core::state::ReadCache;
    /// async fn page(pages: &ReadCache<u64, String>, number: u64) -> Result<String, Infallible> {
    ///     pages.get_or_try_insert(number, async { Ok(format!("page {number}")) }).await
    /// }
    /// # let _ = page;
    /// ```
    pub async fn get_or_try_insert<E>(&self, key: K, make: impl Future<Output = Result<V, E>>) -> Result<V, E>
    where
        K: Clone,
    {
        let mut operation = Operation::Hit;
        let found = self.entries.get_or_insert_async(&key, async {
            operation = Operation::Miss;
            make.await.inspect(|_| self.counters.count(Operation::Write))
        });
        let found = found.await;
        self.counters.count(operation);
        found
    }

    /// Takes a value out.
    ///
    /// ```
    /// use armature_core::state::ReadCache;
    ///
    /// let born = ReadCache::new(1_000);
    /// born.insert("ada", 1815);
    /// assert_eq!((born.remove("ada"), born.remove("ada")), (Some(1815), None));
    /// ```
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.counters.count(Operation::Write);
        self.entries.remove(key).map(|(_, value)| value)
    }

    /// Takes all values out.
    ///
    /// ```
    /// use armature_core::state::ReadCache;
    ///
    /// let born = ReadCache::new(1_000);
    /// born.insert("ada", 1815);
    /// born.clear();
    /// assert_eq!(born.get("ada"), None);
    /// ```
    pub fn clear(&self) {
        self.counters.count(Operation::Write);
        self.entries.clear();
    }

    /// Entries that are there.
    ///
    /// ```
    /// use armature_core::state::ReadCache;
    ///
    /// let born = ReadCache::new(1_000);
    /// born.insert("ada", 1815);
    /// assert_eq!(born.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no entry is there.
    ///
    /// ```
    /// use armature_core::state::ReadCache;
    ///
    /// assert!(ReadCache::<u64, u64>::new(1_000).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entries that there is room for.
    ///
    /// ```
    /// use armature_core::state::ReadCache;
    ///
    /// let squares = ReadCache::new(100);
    /// for number in 0..10_000_u64 {
    ///     squares.insert(number, number * number);
    /// }
    /// assert!(squares.len() as u64 <= squares.capacity());
    /// ```
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.entries.capacity()
    }

    /// What was done so far; `None` if it is not counted.
    ///
    /// ```
    /// use armature_core::state::ReadCache;
    ///
    /// let born = ReadCache::new(1_000).with_statistics();
    /// born.insert("ada", 1815);
    /// born.get("ada");
    /// assert_eq!(born.statistics().unwrap().hits, 1);
    /// ```
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        self.counters.read()
    }
}

impl<K, V> fmt::Debug for ReadCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn it_never_holds_more_than_it_has_room_for() {
        for entries_max in [0, 1, 10, 1_000] {
            let cache = ReadCache::new(entries_max);
            let room = usize::try_from(cache.capacity()).unwrap();
            // A power of two of shards, of 32 entries at least.
            assert!((entries_max..=entries_max + entries_max / 32 + 1).contains(&room), "{entries_max}: {room}");
            thread::scope(|scope| {
                for thread in 0..4 {
                    let cache = &cache;
                    scope.spawn(move || {
                        for key in 0..5_000 {
                            cache.insert((thread, key), key);
                            assert!(cache.len() <= room, "{} of {room}", cache.len());
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn what_is_used_outlives_a_flood_of_what_is_not() {
        let cache = ReadCache::new(100);
        cache.insert("used".to_owned(), 1);
        for stranger in 0..10_000 {
            assert_eq!(cache.get("used"), Some(1), "after {stranger} strangers");
            cache.insert(stranger.to_string(), 0);
        }
    }
}
