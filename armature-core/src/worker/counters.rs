//! What a worker counts. Each worker has counters of its own, so counting shares nothing; readers add them up.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number with one writer.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds. Only the worker that owns the counter may: it is a load and a store, not an atomic addition.
    #[inline]
    pub(crate) fn add(&self, number: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one worker.
#[derive(Debug, Default)]
pub(crate) struct WorkerCounters {
    pub(crate) accepted: Counter,
    pub(crate) closed: Counter,
    pub(crate) requests: Counter,
    pub(crate) refused: Counter,
    pub(crate) panics: Counter,
}

/// What a server has done since it began, over all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Connections accepted.
    pub connections_accepted: u64,
    /// Connections that have ended.
    pub connections_closed: u64,
    /// Requests whose head was parsed.
    pub requests: u64,
    /// Requests refused by the engine, before any handler saw them.
    pub requests_refused: u64,
    /// Handlers that panicked.
    pub handler_panics: u64,
}

impl Counters {
    pub(crate) fn add(&mut self, worker: &WorkerCounters) {
        self.connections_accepted += worker.accepted.get();
        self.connections_closed += worker.closed.get();
        self.requests += worker.requests.get();
        self.requests_refused += worker.refused.get();
        self.handler_panics += worker.panics.get();
    }
}
