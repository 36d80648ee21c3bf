//! The micro suite: what is done on each framework in process, and how that is measured.
//!
//! `work.rs` lists what there is, `route.rs`, `document.rs` and `exchange.rs` make the inputs, `target/` does it with each
//! framework, and `operation.rs` is the one shape that all of it has. Two programs drive operations: `bin/micro-time.rs`
//! under criterion, `bin/micro-count.rs` under gungraun. `suite/` starts those and reads what they leave. Read next:
//! `work.rs`, then `suite/mod.rs`.

pub mod document;
pub mod exchange;
pub mod operation;
pub mod route;
pub mod suite;
pub mod target;
pub mod work;

/// The allocator of the servers under test.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
