//! When a value is dropped that has a part in answering a request: relative to the last byte of the answer, as the client
//! sees it come.
//!
//! Over loopback the kernel hands bytes to the client while the server is still in its write, so the client's instant is
//! the server's but for a microsecond or two. Requests come one after the other: the next when the value is gone.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::{
    application::{Application, join},
    client::Client,
    seen::Seen,
    tally::Tally,
    target,
    timing::{Window, histogram},
    work::Place,
};

/// How long a value may outlive the answer before it counts as never dropped.
const PATIENCE: Duration = Duration::from_secs(1);

/// Has requests answered by the target's server, on these CPUs.
///
/// # Errors
/// When the server does not start or answers wrong.
pub fn measure(name: &str, place: Place, window: Window, server: &[usize]) -> Result<Seen, String> {
    let tally = Tally::leak();
    let server = target::serve(name, Application::new(tally, place), server)?;
    let mut client = None;
    let mut once = || {
        // A connection of its own for what belongs to it.
        let is_last = place == Place::Connection;
        let mut open = client.take().map_or_else(|| Client::connect(server.address), Ok)?;
        let last_byte_ns = open.ask(is_last)?;
        client = (!is_last).then_some(open);
        Ok(tally.settle(PATIENCE).then(|| (last_byte_ns, tally.last_ns())))
    };
    let mut times = Times::default();
    let measured = repeat(window, &mut times, &mut once);
    drop(client);
    join(server.stop())?;
    measured?;
    let seen = Seen::of(tally);
    let Some([p50, p99]) = times.quantile_ns(0.5).zip(times.quantile_ns(0.99)).map(<[f64; 2]>::from) else {
        return Ok(seen);
    };
    seen.with("drop_after_last_byte_us_p50", p50 / 1_000.0)
        .with("drop_after_last_byte_us_p99", p99 / 1_000.0)
        .with("dropped_before_last_byte_share", times.before.len() as f64 / times.count() as f64)
        .with_histogram("drop_before_last_byte_ns", &times.before)?
        .with_histogram("drop_after_last_byte_ns", &times.after)
}

/// Asks until the window is over, or until a value is not dropped: what has been lost is not found again.
fn repeat(
    window: Window,
    times: &mut Times,
    once: &mut impl FnMut() -> Result<Option<(u64, u64)>, String>,
) -> Result<(), String> {
    let begun = Instant::now();
    while begun.elapsed() < window.warmup && once()?.is_some() {}
    let end = Instant::now() + window.timed;
    while let Some((last_byte_ns, dropped_ns)) = once()? {
        times.record(last_byte_ns, dropped_ns);
        if Instant::now() >= end {
            break;
        }
    }
    Ok(())
}

/// How long before or after the last byte values were dropped, ns. A histogram has no negative figures, so there are two.
struct Times {
    before: Histogram<u64>,
    after: Histogram<u64>,
}

impl Default for Times {
    fn default() -> Self {
        Self { before: histogram(), after: histogram() }
    }
}

impl Times {
    fn record(&mut self, last_byte_ns: u64, dropped_ns: u64) {
        match dropped_ns.checked_sub(last_byte_ns) {
            Some(after) => self.after.saturating_record(after),
            None => self.before.saturating_record(last_byte_ns - dropped_ns),
        }
    }

    fn count(&self) -> u64 {
        self.before.len() + self.after.len()
    }

    /// The time below which this share of the times lies; one before the last byte is negative. None if there is none.
    fn quantile_ns(&self, share: f64) -> Option<f64> {
        let count = self.count();
        let rank = ((share * count as f64).ceil() as u64).max(1);
        match rank.checked_sub(self.before.len()) {
            _ if count == 0 => None,
            // The last of those before the last byte is the one that is nearest to it.
            None | Some(0) => {
                let nearer = (self.before.len() - rank + 1) as f64 / self.before.len() as f64;
                Some(-(self.before.value_at_quantile(nearer) as f64))
            }
            Some(rank) => Some(self.after.value_at_quantile(rank as f64 / self.after.len() as f64) as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_go_from_before_to_after() {
        let mut times = Times::default();
        assert_eq!(times.quantile_ns(0.5), None);
        for dropped_us in [1_400, 1_600, 1_700, 2_000, 2_100, 2_200, 2_300, 2_400, 2_500, 2_600] {
            times.record(2_000_000, dropped_us * 1_000);
        }
        for (share, us) in [(0.1, -600.0), (0.2, -400.0), (0.3, -300.0), (0.4, 0.0), (0.5, 100.0), (1.0, 600.0)] {
            let found = times.quantile_ns(share).unwrap() / 1_000.0;
            // Of three digits.
            assert!((found - us).abs() <= 0.6, "{share}: {found} instead of {us}");
        }
    }
}
