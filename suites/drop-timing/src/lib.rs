//! The drop-timing suite: how long destructors take, when they run, and whether each value that was made has had its own.
//!
//! `work.rs` lists what there is. `tally.rs` counts values and notes when they are dropped. `timing.rs` times the destructors
//! of values that `structure.rs` and `target/` make; `exchange.rs` and `drain.rs` look at a server of `target/` from outside,
//! through `client.rs`. All that runs in `bin/drop-time.rs`, launched by `suite.rs`, which reads what it has seen (`seen.rs`).
//! Read next: `work.rs`, then `tally.rs`.

pub mod application;
pub mod client;
pub mod drain;
pub mod exchange;
pub mod seen;
pub mod structure;
pub mod suite;
pub mod tally;
pub mod target;
pub mod timing;
pub mod work;

/// The allocator of the servers under test.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
