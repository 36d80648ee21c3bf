//! Small collections that live without the heap while they are small.
//!
//! Read next: `small_string.rs`, `small_pairs.rs`.

mod small_pairs;
mod small_string;

pub use small_pairs::SmallPairs;
pub use small_string::SmallString;
