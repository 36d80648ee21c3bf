//! Times the destructors of values that are made one after the other.
//!
//! A value is made outside the time that is taken and goes through `black_box`, so that the compiler neither knows it nor
//! drops it elsewhere. Small values are dropped several at a time, so that the clock is no large part of what is seen; what
//! the clock itself shows is measured, too, and not subtracted.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use crate::{seen::Seen, tally::Tally};

/// For how long something is done.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Before anything is timed.
    pub warmup: Duration,
    /// While it is.
    pub timed: Duration,
}

/// Pairs of clock readings with nothing between them.
const CLOCK_READINGS: usize = 1_000;

/// What the drops between two clock readings take at least, ns, as far as [`BATCH_MAX`] allows: the clocks of virtual
/// machines go in steps of 10 ns and take some 30 to read.
const BATCH_NS: u64 = 2_000;

/// The most values that are dropped between two clock readings; few enough to stay in the CPU's caches.
const BATCH_MAX: u64 = 64;

/// Single drops from which the size of batches is told; more where the warm-up has time for them.
const SINGLE_DROPS: u64 = 8;

/// Times the drops of the values that `make` makes; it gets their number, from 0.
///
/// # Errors
/// When the histogram cannot be written.
pub fn drops<T>(window: Window, tally: &'static Tally, mut make: impl FnMut(usize) -> T) -> Result<Seen, String> {
    let begun = Instant::now();
    let (mut single, mut times) = (histogram(), histogram());
    let (mut values, mut number) = (Vec::new(), 0);
    let mut once = |batch: u64, into: &mut Histogram<u64>| {
        for _ in 0..batch {
            values.push(make(number));
            number += 1;
        }
        black_box(&mut values);
        let begun = Instant::now();
        values.clear();
        into.saturating_record(elapsed_ns(begun) * 1_000 / batch);
    };
    while single.len() < SINGLE_DROPS || begun.elapsed() < window.warmup {
        once(1, &mut single);
    }
    let batch = (BATCH_NS * 1_000 / single.value_at_quantile(0.5).max(1)).clamp(1, BATCH_MAX);
    let end = Instant::now() + window.timed;
    loop {
        once(batch, &mut times);
        if Instant::now() >= end {
            break;
        }
    }
    let mut clock = histogram();
    for _ in 0..CLOCK_READINGS {
        clock.saturating_record(elapsed_ns(black_box(Instant::now())));
    }
    // It may hold values.
    drop(make);
    Seen::of(tally)
        .with("drop_ns_p50", times.value_at_quantile(0.5) as f64 / 1_000.0)
        .with("drop_ns_p99", times.value_at_quantile(0.99) as f64 / 1_000.0)
        .with("values_per_reading", batch as f64)
        .with("clock_ns_p50", clock.value_at_quantile(0.5) as f64)
        .with_histogram("drop_ps", &times)
}

/// One of three digits, up to a minute in ps.
///
/// # Panics
/// Never: these bounds are allowed.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000_000, 3).expect("these bounds are allowed")
}

fn elapsed_ns(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::mem;

    use super::*;
    use crate::structure;

    const SHORT: Window = Window { warmup: Duration::from_millis(1), timed: Duration::from_millis(5) };

    #[test]
    fn a_value_that_is_leaked_is_a_finding() {
        let tally = Tally::leak();
        let seen = drops(SHORT, tally, |number| {
            let value = tally.counted();
            if number == 3 {
                mem::forget(value.clone());
            }
            value
        });
        let finding = seen.unwrap().finding().unwrap();
        assert!(finding.starts_with("1 of ") && finding.ends_with(" values were never dropped"), "{finding}");
    }

    #[test]
    fn a_window_in_which_nothing_is_made_is_a_finding() {
        let seen = drops(SHORT, Tally::leak(), |number| number).unwrap();
        assert!(seen.finding().unwrap().contains("no value was made"));
    }

    #[test]
    fn each_timed_drop_is_that_of_a_whole_structure() {
        for work in crate::work::all() {
            let crate::work::Work::Std(structure) = work else { continue };
            let tally = Tally::leak();
            let mut made = 0;
            let seen = drops(SHORT, tally, |number| {
                made += 1;
                structure::make(structure, tally, number)
            })
            .unwrap();
            assert_eq!(seen.finding(), None, "{}", work.id());
            assert_eq!(seen.dropped, made * structure::elements(structure) as u64, "{}", work.id());
            assert!(seen.histograms.contains_key("drop_ps") && seen.metrics["drop_ns_p50"] > 0.0, "{seen:?}");
        }
    }

    #[test]
    fn a_drop_that_takes_long_is_seen_as_long() {
        struct Slow(#[expect(dead_code, reason = "it is counted when it is dropped")] crate::tally::Counted);
        impl Drop for Slow {
            fn drop(&mut self) {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_micros(50) {}
            }
        }
        let tally = Tally::leak();
        let seen = drops(SHORT, tally, |_| Slow(tally.counted())).unwrap();
        assert!(seen.metrics["drop_ns_p50"] >= 50_000.0, "{seen:?}");
        assert_eq!(seen.metrics["values_per_reading"], 1.0);
    }
}
