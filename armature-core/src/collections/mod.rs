//! Small collections that live without the heap while they are small.
//!
//! Read next: `small_string.rs`.

mod small_string;

pub use small_string::SmallString;
