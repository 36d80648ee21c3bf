//! The tiny library inside every measured process, and the words that the lab's processes exchange.
//!
//! A server under test links it for [`Options`] (the command line every target shares) and [`Control`] (the channel
//! on which the lab asks for counters and for an end). A suite links it for [`suite`] and [`program`], and for [`launch`] where
//! its targets are programs of benchmarks, which link it for [`leash`]; the load generator for [`load`]. All messages are JSON, one object a line, so that a program in any language can take part.
//!
//! Read next: `message.rs` (what is said), `control.rs` (how a target says it), `load.rs`, `suite.rs`.

#[cfg(any(test, feature = "count-allocations"))]
pub mod allocator;
pub mod control;
pub mod descriptors;
pub mod folding;
pub mod launch;
pub mod leash;
pub mod load;
pub mod message;
pub mod options;
pub mod program;
mod sampler_unsafe;
#[cfg(any(test, feature = "count-allocations"))]
mod site;
pub mod stability;
pub mod statements;
pub mod suite;
pub mod usage;
pub mod versions;

pub use control::Control;
pub use message::{Allocations, Command, Counters, Ready, Reply};
pub use options::Options;
