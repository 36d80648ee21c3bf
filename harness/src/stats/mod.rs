//! The lab's arithmetic: pure functions from numbers to numbers.
//!
//! `bootstrap.rs` holds the intervals of medians; `trend.rs` those of slopes; `permutation.rs` says what is chance,
//! `noise.rs` what could have been seen, `change.rs` where a series changed; `histogram.rs` the latency histograms.

mod bootstrap;
mod change;
pub mod histogram;
mod noise;
mod permutation;
mod trend;

pub use bootstrap::{Estimate, RESAMPLES, median, median_interval};
pub use change::{Change, changes};
pub use noise::{DETECTABLE, FLOOR_MIN, detectable, fence, floor, pairs_needed};
pub use permutation::{benjamini_hochberg, holm, sign_flip};
pub use trend::{Trend, trend, trend_of};
