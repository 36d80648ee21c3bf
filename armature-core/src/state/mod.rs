//! What several workers share: states that are read far more often than they are written.
//!
//! Each type is put in an [`Arc`](std::sync::Arc) by the program, cloned into each worker's router, and asked for by
//! [`State`](crate::extract::State). A state that one worker keeps for itself needs none of them: a `Cell` will do.
//!
//! | use this | when |
//! |---|---|
//! | [`ReadState`] | the value is changed in place and readers may wait for that: a registry, a table of sessions |
//! | [`CopyOnWriteState`] | as before, but readers keep the value for longer than a moment, over an `.await` say |
//! | [`ArcSwapState`] | the value is replaced as a whole and readers may never wait: a table that a task reloads |
//! | [`ReadConfig`] | as before, and readers want to know, or be woken, when it has changed: configuration |
//! | [`ReadCache`] | there are many values by key, made on demand, and memory for so many of them |
//!
//! Values are read in a closure where a lock or a guard is held meanwhile, so that none is ever held over an `.await`,
//! which would stop the worker. Every state has a [`Version`], and counts what is done with it if it is told to
//! ([`Statistics`]). A panic in a closure leaves the state usable, with whatever the closure had done by then.
//!
//! The locks, the swap, the cache and the list of waiting tasks are those of `parking_lot`, `arc-swap`, `quick_cache` and
//! `event-listener`. Of ours are the versions, which only change under a lock, and the counters of `statistics.rs`.

mod cache;
mod config;
mod copy_on_write;
mod read;
mod statistics;
mod swap;
mod version;

pub use cache::ReadCache;
pub use config::ReadConfig;
pub use copy_on_write::CopyOnWriteState;
pub use read::ReadState;
pub use statistics::Statistics;
pub use swap::ArcSwapState;
pub use version::{Snapshot, Version, Versioned};
