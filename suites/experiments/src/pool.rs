//! Experiments on pools of buffers: by how they are shared, by size, on one thread and on two.
//!
//! One buffer is taken, written to and given back. The allocator is mimalloc, as in the servers under test, so that a pool is
//! held against what a buffer costs there.

use std::{
    cell::RefCell,
    hint::black_box,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crossbeam_queue::ArrayQueue;

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, on_threads, over},
};

const GROUP: &str = "object pools";
const SOURCE: &str = "the project's inherited list of optimisations";
const BASELINE: &str = "a `Vec` of that capacity for each use";

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "pool-thread-local",
        group: GROUP,
        claim: "Taking a buffer from a thread-local stack costs less than allocating one.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "a thread-local stack of them",
        inputs: SIZES,
        threads: 1,
        make: |side, input, scale| alone(side, input, scale, InThread),
    },
    Experiment {
        name: "pool-queue",
        group: GROUP,
        claim: "Taking a buffer from a lock-free queue costs less than allocating one.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "a crossbeam `ArrayQueue` of them",
        inputs: SIZES,
        threads: 1,
        make: |side, input, scale| alone(side, input, scale, queue()),
    },
    Experiment {
        name: "pool-mutex",
        group: GROUP,
        claim: "Taking a buffer from a stack behind a mutex costs less than allocating one.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "a stack of them behind `std::sync::Mutex`",
        inputs: SIZES,
        threads: 1,
        make: |side, input, scale| alone(side, input, scale, Locked::default()),
    },
    Experiment {
        name: "pool-thread-local-2-threads",
        group: GROUP,
        claim: "Taking a buffer from a thread-local stack costs less than allocating one, on two threads as well.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "a thread-local stack of them",
        inputs: SIZES,
        threads: 2,
        make: |side, input, _| together(side, input, InThread),
    },
    Experiment {
        name: "pool-queue-2-threads",
        group: GROUP,
        claim: "Two threads that share a lock-free queue of buffers take them faster than they allocate them.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "one crossbeam `ArrayQueue` for both",
        inputs: SIZES,
        threads: 2,
        make: |side, input, _| together(side, input, queue()),
    },
    Experiment {
        name: "pool-mutex-2-threads",
        group: GROUP,
        claim: "Two threads that share a stack of buffers behind a mutex take them faster than they allocate them.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "one stack behind `std::sync::Mutex` for both",
        inputs: SIZES,
        threads: 2,
        make: |side, input, _| together(side, input, Locked::default()),
    },
];

const SIZES: &[Input] = &[
    input("256-b", 256, "buffers of 256 bytes"),
    input("4-kib", 4 * 1_024, "buffers of 4 KiB"),
    input("64-kib", 64 * 1_024, "buffers of 64 KiB"),
];

/// Buffers that a pool keeps; one a thread is in use at a time.
const KEPT: usize = 8;

/// Where buffers come from and go to.
trait Pool: Send + Sync + 'static {
    fn take(&self) -> Option<Vec<u8>>;

    /// Keeps a buffer, or drops it where there is no room.
    fn put(&self, buffer: Vec<u8>);
}

struct InThread;

thread_local! {
    static OWN: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Pool for InThread {
    fn take(&self) -> Option<Vec<u8>> {
        OWN.with_borrow_mut(Vec::pop)
    }

    fn put(&self, buffer: Vec<u8>) {
        OWN.with_borrow_mut(|own| {
            if own.len() < KEPT {
                own.push(buffer);
            }
        });
    }
}

fn queue() -> ArrayQueue<Vec<u8>> {
    ArrayQueue::new(KEPT)
}

impl Pool for ArrayQueue<Vec<u8>> {
    fn take(&self) -> Option<Vec<u8>> {
        self.pop()
    }

    fn put(&self, buffer: Vec<u8>) {
        let _ = self.push(buffer);
    }
}

#[derive(Default)]
struct Locked(Mutex<Vec<Vec<u8>>>);

impl Pool for Locked {
    fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().ok()?.pop()
    }

    fn put(&self, buffer: Vec<u8>) {
        if let Ok(mut kept) = self.0.lock()
            && kept.len() < KEPT
        {
            kept.push(buffer);
        }
    }
}

/// What a buffer is used for: a short line is written.
fn used(mut buffer: Vec<u8>, number: usize) -> (Vec<u8>, usize) {
    buffer.clear();
    buffer.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-length: ");
    buffer.push(b'0' + (number % 10) as u8);
    let sum = black_box(&buffer).iter().map(|byte| usize::from(*byte)).sum();
    (buffer, sum)
}

fn allocated(bytes: usize, number: usize) -> usize {
    used(Vec::with_capacity(black_box(bytes)), number).1
}

fn taken(pool: &impl Pool, bytes: usize, number: usize) -> usize {
    let buffer = pool.take().unwrap_or_else(|| Vec::with_capacity(black_box(bytes)));
    let (buffer, sum) = used(buffer, number);
    pool.put(buffer);
    sum
}

fn alone(side: Side, input: &Input, scale: usize, pool: impl Pool) -> Box<dyn Operation> {
    let (bytes, numbers) = (input.size, (0..INPUTS * scale).collect());
    let tell = |sum: &usize| sum.to_string();
    match side {
        Side::Baseline => over(numbers, move |number| allocated(bytes, *number), tell),
        Side::Candidate => over(numbers, move |number| taken(&pool, bytes, *number), tell),
    }
}

fn together(side: Side, input: &Input, pool: impl Pool) -> Box<dyn Operation> {
    let (bytes, sum) = (input.size, Arc::new(AtomicUsize::new(0)));
    let told = Arc::clone(&sum);
    let tell = move || told.load(Relaxed).to_string();
    // Each thread adds up what it has seen, and what it shares with the other is the pool alone.
    let repeat = move |times: u64, act: &dyn Fn(usize) -> usize| {
        let seen = (0..times as usize).map(act).sum();
        sum.fetch_add(seen, Relaxed);
    };
    match side {
        Side::Baseline => on_threads(2, move |_, times| repeat(times, &|number| allocated(bytes, number)), tell),
        Side::Candidate => on_threads(2, move |_, times| repeat(times, &|number| taken(&pool, bytes, number)), tell),
    }
}
