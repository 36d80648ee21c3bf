//! Counts the statements that a database inside this process has run, as the database itself tells them.
//!
//! A server keeps one [`Counter`] for each connection to such a database; the counters that the control channel answers with
//! hold the sum. Leaves hearing of statements to whoever opens the connections. Read next: `usage.rs`.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

static COUNTERS: Mutex<Vec<&'static Counter>> = Mutex::new(Vec::new());

/// The statements of one connection, on a cache line of its own: connections of one process run on several threads.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counter(AtomicU64);

impl Counter {
    /// A new counter. It lives as long as the process, since what a connection has run stays run when it has ended.
    #[must_use]
    pub fn register() -> &'static Self {
        let counter: &'static Self = Box::leak(Box::default());
        COUNTERS.lock().unwrap_or_else(PoisonError::into_inner).push(counter);
        counter
    }

    /// Counts a statement that begins.
    pub fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// All statements so far; `None` where nobody counts any.
#[must_use]
pub fn read() -> Option<u64> {
    let counters = COUNTERS.lock().unwrap_or_else(PoisonError::into_inner);
    (!counters.is_empty()).then(|| counters.iter().map(|counter| counter.0.load(Ordering::Relaxed)).sum())
}
