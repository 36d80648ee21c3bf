//! What a worker counts. Each worker has counters of its own, so counting shares nothing; readers add them up.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

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
    pub(crate) culled: Counter,
}

/// What a server has done since it began, over all workers.
///
/// ```
/// use armature_core::{Counters, Router, Server, StatusCode, test::TestClient};
///
/// let server = Server::bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// let mut client = TestClient::over_socket_with(server, |_| Router::new())?;
/// client.get("/a path with spaces").send()?;
/// assert_eq!(handle.counters(), Counters { connections_accepted: 1, requests_refused: 1, ..handle.counters() });
/// # Ok::<(), armature_core::Error>(())
/// ```
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
    /// Idle connections that were closed to make room, before their time.
    pub connections_culled: u64,
}

impl Counters {
    /// The counters of one worker, as they stand.
    pub(crate) fn of(worker: &WorkerCounters) -> Self {
        Self {
            connections_accepted: worker.accepted.get(),
            connections_closed: worker.closed.get(),
            requests: worker.requests.get(),
            requests_refused: worker.refused.get(),
            handler_panics: worker.panics.get(),
            connections_culled: worker.culled.get(),
        }
    }

    /// The sum with another worker's.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            connections_accepted: self.connections_accepted + other.connections_accepted,
            connections_closed: self.connections_closed + other.connections_closed,
            requests: self.requests + other.requests,
            requests_refused: self.requests_refused + other.requests_refused,
            handler_panics: self.handler_panics + other.handler_panics,
            connections_culled: self.connections_culled + other.connections_culled,
        }
    }

    /// Connections that are open.
    ///
    /// ```
    /// use armature_core::Counters;
    ///
    /// let counters = Counters { connections_accepted: 7, connections_closed: 5, ..Counters::default() };
    /// assert_eq!(counters.connections_open(), 2);
    /// ```
    #[must_use]
    pub fn connections_open(&self) -> u64 {
        // The two are read one after the other while a worker goes on counting.
        self.connections_accepted.saturating_sub(self.connections_closed)
    }
}

/// A number of [`Counters`] under the name that Prometheus knows it by.
type Metric = (&'static str, &'static str, &'static str, fn(&Counters) -> u64);

const METRICS: [Metric; 7] = [
    ("armature_connections_accepted_total", "counter", "Connections accepted.", |each| each.connections_accepted),
    ("armature_connections_closed_total", "counter", "Connections that have ended.", |each| each.connections_closed),
    ("armature_connections_open", "gauge", "Connections that are open.", Counters::connections_open),
    ("armature_connections_culled_total", "counter", "Idle connections closed to make room.", |each| {
        each.connections_culled
    }),
    ("armature_requests_total", "counter", "Requests whose head was parsed.", |each| each.requests),
    ("armature_requests_refused_total", "counter", "Requests refused by the engine.", |each| each.requests_refused),
    ("armature_handler_panics_total", "counter", "Handlers that panicked.", |each| each.handler_panics),
];

/// The counters of each worker in Prometheus's text format, version 0.0.4.
pub(crate) fn prometheus(workers: &[Counters]) -> String {
    let mut text = String::new();
    for (name, kind, help, value) in METRICS {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (worker, counters) in workers.iter().enumerate() {
            let _ = writeln!(text, "{name}{{worker=\"{worker}\"}} {}", value(counters));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_is_described_once_and_given_for_each_worker() {
        let busy = Counters { connections_accepted: 5, connections_closed: 2, requests: 9, ..Counters::default() };
        let text = prometheus(&[busy, Counters::default()]);
        let start = "# HELP armature_connections_accepted_total Connections accepted.\n\
                     # TYPE armature_connections_accepted_total counter\n\
                     armature_connections_accepted_total{worker=\"0\"} 5\n\
                     armature_connections_accepted_total{worker=\"1\"} 0\n";
        assert!(text.starts_with(start), "{text}");
        assert!(text.contains("armature_connections_open{worker=\"0\"} 3\n"), "{text}");
        assert_eq!(text.lines().count(), 7 * 4);
    }
}
