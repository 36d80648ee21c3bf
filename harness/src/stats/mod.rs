//! The lab's arithmetic: pure functions from numbers to numbers.
//!
//! `bootstrap.rs` holds the intervals; `histogram.rs` the latency histograms.

mod bootstrap;
pub mod histogram;

pub use bootstrap::{Estimate, RESAMPLES, median, median_interval};
