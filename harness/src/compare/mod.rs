//! The two sides of a comparison: what was named, how its binaries came about, and who stands where in the plan.
//!
//! `source.rs` says what a word on the command line means, `checkout.rs` builds a commit without touching the user's tree,
//! `side.rs` makes targets of it, `document.rs` is what is kept. What follows from the figures is `judge`'s.

mod checkout;
mod document;
mod side;
mod source;

pub use document::{AGAIN, Comparison, FILE, SCHEMA, SideFacts};
pub use side::{Built, Side, Version, Wanted, control, identical};
pub use source::Source;
