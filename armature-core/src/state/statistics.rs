//! Counts of what is done with one state, off unless they are asked for.
//!
//! Off, they are an empty pointer. On, each thread counts on a cache line of its own, and reading adds them up, so
//! that two workers that read the same state do not write to the same line to say so.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    thread,
};

use crossbeam_utils::CachePadded;

/// What was done with a state since its statistics were switched on, in operations.
///
/// The counts are read one after another while others go on counting; each is exact once nobody does.
///
/// ```
/// use armature_core::state::{ReadCache, ReadState, Statistics};
///
/// assert_eq!(ReadState::new(1).statistics(), None);
///
/// let cache = ReadCache::new(100).with_statistics();
/// cache.insert("ada", 1815);
/// cache.get("ada");
/// cache.get("grace");
/// let counted = Statistics { reads: 2, hits: 1, misses: 1, writes: 1 };
/// assert_eq!(cache.statistics(), Some(counted));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Reads, whatever they found.
    pub reads: u64,
    /// Reads that found an entry, of a cache.
    pub hits: u64,
    /// Reads that found none, of a cache.
    pub misses: u64,
    /// Changes.
    pub writes: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    Read,
    Hit,
    Miss,
    Write,
}

/// One counter for each [`Operation`].
type Stripe = CachePadded<[AtomicU64; 4]>;

/// The counters of one state.
#[derive(Debug, Default)]
pub(super) struct Counters(Option<Box<[Stripe]>>);

impl Counters {
    /// Counters that count: as many stripes as threads can run at the same time, so that these seldom share one.
    pub(super) fn on() -> Self {
        let stripes = thread::available_parallelism().map_or(1, |threads| threads.get().next_power_of_two());
        Self(Some((0..stripes).map(|_| Stripe::default()).collect()))
    }

    #[inline]
    pub(super) fn count(&self, operation: Operation) {
        if let Some(stripes) = &self.0 {
            // Counts order nothing else.
            stripes[thread_number() % stripes.len()][operation as usize].fetch_add(1, Relaxed);
        }
    }

    pub(super) fn read(&self) -> Option<Statistics> {
        let stripes = self.0.as_ref()?;
        let sum = |operation: Operation| stripes.iter().map(|stripe| stripe[operation as usize].load(Relaxed)).sum();
        let (hits, misses): (u64, u64) = (sum(Operation::Hit), sum(Operation::Miss));
        let plain: u64 = sum(Operation::Read);
        Some(Statistics { reads: plain + hits + misses, hits, misses, writes: sum(Operation::Write) })
    }
}

/// A number for the calling thread; consecutive for threads that first count one after another.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = Cell::new(NEXT.fetch_add(1, Relaxed));
    }
    NUMBER.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_count_of_any_thread_is_lost() {
        let counters = Counters::on();
        // More threads than stripes, so that some share one.
        let threads = 3 * thread::available_parallelism().unwrap().get();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        counters.count(Operation::Read);
                        counters.count(Operation::Hit);
                        counters.count(Operation::Write);
                    }
                });
            }
        });
        let each = 1_000 * threads as u64;
        let counted = Statistics { reads: 2 * each, hits: each, misses: 0, writes: each };
        assert_eq!(counters.read(), Some(counted));
    }

    #[test]
    fn off_is_a_pointer_and_nothing_behind_it() {
        let counters = Counters::default();
        counters.count(Operation::Read);
        assert_eq!(counters.read(), None);
        assert_eq!(size_of::<Counters>(), size_of::<&[u8]>());
    }
}
