//! The lab's arithmetic: pure functions from numbers to numbers.
//!
//! `bootstrap.rs` holds the intervals of medians; `trend.rs` those of slopes; `histogram.rs` the latency histograms.

mod bootstrap;
pub mod histogram;
mod trend;

pub use bootstrap::{Estimate, RESAMPLES, median, median_interval};
pub use trend::{Trend, trend, trend_of};
