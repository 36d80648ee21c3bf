//! One origin of time for all threads of the generator. Everything else counts nanoseconds from it as a `u64`.

use std::time::{Duration, Instant};

/// Nanoseconds in a second.
pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// Counts nanoseconds since it was made; copies share the origin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that stands at 0 now.
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Nanoseconds since the origin.
    pub(crate) fn now_ns(self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Seconds as nanoseconds; the plan's check has refused negative and endless times.
pub(crate) fn seconds_ns(seconds: f64) -> u64 {
    u64::try_from(Duration::from_secs_f64(seconds).as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds as whole microseconds, to the nearest.
pub(crate) fn micros(ns: u64) -> u64 {
    ns.saturating_add(500) / 1000
}
