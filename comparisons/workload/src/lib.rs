//! What every server under test has in common, so that nothing but the framework differs: the allocator, the bodies
//! and media types, the rule for row counts, the listening sockets and, with the feature `database`, the database.
//!
//! Leaves routing, extraction and responses to each target; names no framework. Read next: `payload.rs`, then
//! `database.rs` and `../README.md`, the contract.

pub mod listen;
pub mod payload;

#[cfg(feature = "database")]
pub mod database;

/// The allocator of every server under test: whoever links this library has it, so no target can differ in it.
#[cfg(not(feature = "count-allocations"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The same allocator with a count of what it is asked for.
#[cfg(feature = "count-allocations")]
#[global_allocator]
static ALLOCATOR: probe::allocator::Counting<mimalloc::MiMalloc> = probe::allocator::Counting(mimalloc::MiMalloc);
