//! Counts values that are made and dropped, and notes when the last one was dropped.
//!
//! Two kinds of values carry the count: [`Counted`], which costs a destructor as little as can be and is for one thread, and
//! [`Witness`], which also reads the clock and may be dropped anywhere.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::*},
    },
    thread,
    time::{Duration, Instant},
};

/// How many values were made, how many were dropped, and when the last was.
#[derive(Debug, Default)]
pub struct Tally {
    created: AtomicU64,
    dropped: AtomicU64,
    last_ns: AtomicU64,
}

impl Tally {
    /// One for the rest of the process, which measures one thing and ends.
    #[must_use]
    pub fn leak() -> &'static Self {
        Box::leak(Box::default())
    }

    /// A value that is made and dropped on one thread.
    #[must_use]
    pub fn counted(&'static self) -> Counted {
        add_one(&self.created);
        Counted(self)
    }

    /// A value that notes when it is dropped.
    #[must_use]
    pub fn witness(&'static self) -> Witness {
        self.created.fetch_add(1, Relaxed);
        Witness(self)
    }

    /// Values made so far.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.created.load(Relaxed)
    }

    /// Values dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Acquire)
    }

    /// When the last [`Witness`] so far was dropped, as [`now_ns`] counts.
    #[must_use]
    pub fn last_ns(&self) -> u64 {
        self.last_ns.load(Relaxed)
    }

    /// Waits until there is no value left, and says whether that came to be in time.
    #[must_use]
    pub fn settle(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.dropped() < self.created() {
            if Instant::now() > deadline {
                return false;
            }
            // Not asleep: what is measured here takes microseconds. The server may need this CPU, though.
            thread::yield_now();
        }
        true
    }
}

/// ns since this process first asked.
#[must_use]
pub fn now_ns() -> u64 {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGIN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Without the bus lock of `fetch_add`, which would be most of a small destructor: for one thread.
fn add_one(count: &AtomicU64) {
    count.store(count.load(Relaxed) + 1, Relaxed);
}

/// A value that is counted when it is made, copied and dropped, all on one thread.
#[derive(Debug)]
pub struct Counted(&'static Tally);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.counted()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        #[cfg(feature = "faults")]
        linger();
        add_one(&self.0.dropped);
    }
}

/// Takes 50 µs: what a destructor is made to take to see whether the gate notices.
#[cfg(feature = "faults")]
fn linger() {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(50) {
        std::hint::spin_loop();
    }
}

/// A value that is counted on any thread, and that notes when it is dropped.
#[derive(Debug)]
pub struct Witness(&'static Tally);

impl Clone for Witness {
    fn clone(&self) -> Self {
        self.0.witness()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.last_ns.fetch_max(now_ns(), Relaxed);
        // Who sees the count sees the time, too.
        self.0.dropped.fetch_add(1, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_count_and_the_last_drop_is_noted_on_any_thread() {
        let tally = Tally::leak();
        let (counted, witness) = (tally.counted(), tally.witness());
        let copies = (counted.clone(), witness.clone());
        assert_eq!((tally.created(), tally.dropped(), tally.last_ns()), (4, 0, 0));
        assert!(!tally.settle(Duration::ZERO));
        drop((counted, copies));
        let before = now_ns();
        thread::spawn(move || drop(witness)).join().unwrap();
        assert!(tally.settle(Duration::ZERO) && tally.last_ns() >= before);
        assert_eq!((tally.created(), tally.dropped()), (4, 4));
    }
}
