//! Counts what a process allocates, around the allocator that it would have used anyway. Only in builds that are counted
//! and never timed: the feature `count-allocations`.
//!
//! Leaves reporting to `usage.rs`, and where blocks come from to `site.rs`. Threads of the lab's own can be exempt, so that
//! asking changes nothing.
#![allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait: the only door to what a program allocates")]

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use crate::{
    message::{Allocations, Site, Stack},
    site,
};

static CALLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
/// Signed, since what one thread allocated may be freed by another that is exempt.
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);
/// The most that [`LIVE_BYTES`] was since [`begin_peak`].
static PEAK_BYTES: AtomicI64 = AtomicI64::new(0);
/// Signed for the same reason.
static LIVE_BLOCKS: AtomicI64 = AtomicI64::new(0);

thread_local! {
    // Without a destructor and with a constant beginning, so that asking for it never allocates.
    static EXEMPT: Cell<bool> = const { Cell::new(false) };
    // Whether the thread is inside `unseen`, where the table of blocks is locked.
    static OCCUPIED: Cell<bool> = const { Cell::new(false) };
}

/// An allocator that counts and hands on to `A`.
#[derive(Debug)]
pub struct Counting<A>(pub A);

// SAFETY: every method hands its arguments on unchanged to `A`, which keeps the promises of GlobalAlloc, and returns what
// `A` returned; counting touches atomics and a constant thread-local, and neither allocates nor unwinds. While blocks are watched,
// `site` allocates too: with the thread exempt, so that it is not called again, and outside of every block of the caller's.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps GlobalAlloc's conditions, which are the same for `A`.
        let block = unsafe { self.0.alloc(layout) };
        count(block, layout.size());
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        count(block, layout.size());
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Forgotten before it is given back: from then on another thread may get the same address.
        uncount(block, layout.size());
        // SAFETY: as in `alloc`; `block` came from `A`, as every block of this allocator does.
        let grown = unsafe { self.0.realloc(block, layout, size) };
        count(grown, size);
        grown
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        uncount(block, layout.size());
        // SAFETY: as in `realloc`.
        unsafe { self.0.dealloc(block, layout) }
    }
}

/// Counts one block of `size` bytes.
fn count(block: *mut u8, size: usize) {
    if !EXEMPT.get() {
        CALLS.fetch_add(1, Relaxed);
        BYTES.fetch_add(size as u64, Relaxed);
        let live = LIVE_BYTES.fetch_add(signed(size), Relaxed) + signed(size);
        PEAK_BYTES.fetch_max(live, Relaxed);
        LIVE_BLOCKS.fetch_add(1, Relaxed);
        if site::is_watching() {
            unseen(|| site::remember(block.addr(), size));
        }
    }
}

/// Counts one block of `size` bytes as given back.
fn uncount(block: *mut u8, size: usize) {
    if !EXEMPT.get() {
        LIVE_BYTES.fetch_sub(signed(size), Relaxed);
        LIVE_BLOCKS.fetch_sub(1, Relaxed);
    }
    // Of an exempt thread too: the address may be another block's next.
    if site::is_watching() && !OCCUPIED.get() {
        unseen(|| site::forget(block.addr()));
    }
}

/// Does the lab's own work in the middle of an allocation: what it allocates itself is neither counted nor watched.
fn unseen(work: impl FnOnce()) {
    let before = (EXEMPT.replace(true), OCCUPIED.replace(true));
    work();
    EXEMPT.set(before.0);
    OCCUPIED.set(before.1);
}

/// A size as a signed number; a layout is never larger than `isize::MAX`.
fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Leaves out what the calling thread allocates and frees from now on.
pub(crate) fn exempt_this_thread() {
    EXEMPT.set(true);
}

/// Remembers from now on where blocks come from; `false` in a program that does not allocate through [`Counting`].
pub(crate) fn watch() -> bool {
    let counts = read().is_some();
    if counts {
        unseen(site::watch);
    }
    counts
}

/// The blocks that were allocated since [`watch`] and are still there, by call site; the largest first.
pub(crate) fn sites() -> Vec<Site> {
    let mut sites = Vec::new();
    unseen(|| sites = site::live());
    sites
}

/// All that was allocated since [`watch`], by stack.
pub(crate) fn stacks() -> Vec<Stack> {
    let mut stacks = Vec::new();
    unseen(|| stacks = site::allocated());
    stacks
}

/// Looks from now on for the most live bytes, for [`peak_bytes`].
pub fn begin_peak() {
    PEAK_BYTES.store(LIVE_BYTES.load(Relaxed), Relaxed);
}

/// The most live bytes since [`begin_peak`], or since the start; exempt threads left out.
#[must_use]
pub fn peak_bytes() -> u64 {
    u64::try_from(PEAK_BYTES.load(Relaxed)).unwrap_or(0)
}

/// What was counted so far; `None` in a program that does not allocate through [`Counting`].
pub(crate) fn read() -> Option<Allocations> {
    let calls = CALLS.load(Relaxed);
    // A program that counts has allocated long before anybody can ask.
    (calls > 0).then(|| Allocations {
        calls,
        bytes: BYTES.load(Relaxed),
        live_bytes: u64::try_from(LIVE_BYTES.load(Relaxed)).unwrap_or(0),
        live_blocks: u64::try_from(LIVE_BLOCKS.load(Relaxed)).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use std::{alloc::System, hint::black_box};

    use super::*;

    #[global_allocator]
    static COUNTING: Counting<System> = Counting(System);

    /// What `work` allocates. Other tests allocate and free meanwhile: what most of a hundred attempts say is the work's.
    fn counted(work: fn()) -> (u64, u64, i64, i64) {
        let once = || {
            let now =
                || (CALLS.load(Relaxed), BYTES.load(Relaxed), LIVE_BYTES.load(Relaxed), LIVE_BLOCKS.load(Relaxed));
            let before = now();
            work();
            let after = now();
            (after.0 - before.0, after.1 - before.1, after.2 - before.2, after.3 - before.3)
        };
        let attempts: Vec<_> = (0..100).map(|_| once()).collect();
        let votes = |figure: &&(u64, u64, i64, i64)| attempts.iter().filter(|attempt| attempt == figure).count();
        *attempts.iter().max_by_key(votes).unwrap()
    }

    #[test]
    fn allocations_are_counted_once_and_growing_is_one_more() {
        for (work, expected) in [
            ((|| drop(black_box(Box::new([0_u8; 64])))) as fn(), (1, 64, 0, 0)),
            (|| drop(black_box(vec![0_u8; 100])), (1, 100, 0, 0)),
            (|| std::mem::forget(black_box(Box::new([0_u8; 48]))), (1, 48, 48, 1)),
            (
                || {
                    let mut text = Vec::<u8>::with_capacity(16);
                    black_box(&mut text).reserve_exact(32);
                },
                (2, 48, 0, 0),
            ),
            (|| {}, (0, 0, 0, 0)),
        ] {
            assert_eq!(counted(work), expected);
        }
        assert!(read().is_some_and(|allocations| allocations.live_bytes > 0));
    }

    #[test]
    fn an_exempt_thread_is_not_counted() {
        std::thread::spawn(|| {
            exempt_this_thread();
            assert_eq!(counted(|| drop(black_box(vec![0_u8; 4096]))), (0, 0, 0, 0));
        })
        .join()
        .unwrap();
    }
}
