//! Experiments on pools of buffers: by how they are shared, by size, on one thread and on two.
//!
//! One buffer is taken, written to and given back. The allocator is mimalloc, as in the servers under test, so that a pool is
//! held against what a buffer costs there.

use std::{
    hint::black_box,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use armature_core::pool::{LocalPool, SharedPool};

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
        candidate: "`armature_core::pool::LocalPool`, a stack of them within the thread",
        inputs: SIZES,
        threads: 1,
        make: |side, input, scale| alone(side, input, scale, local(input)),
    },
    Experiment {
        name: "pool-queue",
        group: GROUP,
        claim: "Taking a buffer from a lock-free queue costs less than allocating one.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "`armature_core::pool::SharedPool`, a crossbeam `ArrayQueue` of them",
        inputs: SIZES,
        threads: 1,
        make: |side, input, scale| alone(side, input, scale, queue(input)),
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
        make: |side, input, scale| alone(side, input, scale, locked(input)),
    },
    Experiment {
        name: "pool-thread-local-2-threads",
        group: GROUP,
        claim: "Taking a buffer from a thread-local stack costs less than allocating one, on two threads as well.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "`armature_core::pool::LocalPool`, a stack of them within the thread",
        inputs: SIZES,
        threads: 2,
        make: |side, input, _| apart(side, input),
    },
    Experiment {
        name: "pool-queue-2-threads",
        group: GROUP,
        claim: "Two threads that share a lock-free queue of buffers take them faster than they allocate them.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "one `armature_core::pool::SharedPool` for both",
        inputs: SIZES,
        threads: 2,
        make: |side, input, _| shared(side, input, queue(input)),
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
        make: |side, input, _| shared(side, input, locked(input)),
    },
];

const SIZES: &[Input] = &[
    input("256-b", 256, "buffers of 256 bytes"),
    input("4-kib", 4 * 1_024, "buffers of 4 KiB"),
    input("64-kib", 64 * 1_024, "buffers of 64 KiB"),
];

/// Buffers that a pool keeps; one a thread is in use at a time.
const KEPT: usize = 8;

/// Uses a buffer of some pool for what [`used`] does.
trait Lend: 'static {
    fn lend(&self, number: usize) -> usize;
}

impl Lend for LocalPool<Vec<u8>> {
    fn lend(&self, number: usize) -> usize {
        used(&mut self.take(), number)
    }
}

impl Lend for SharedPool<Vec<u8>> {
    fn lend(&self, number: usize) -> usize {
        used(&mut self.take(), number)
    }
}

fn cleared(buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    true
}

/// Makes buffers of so many bytes.
fn maker(bytes: usize) -> fn() -> Vec<u8> {
    match bytes {
        256 => || Vec::with_capacity(black_box(256)),
        4_096 => || Vec::with_capacity(black_box(4_096)),
        _ => || Vec::with_capacity(black_box(65_536)),
    }
}

fn local(input: &Input) -> LocalPool<Vec<u8>> {
    LocalPool::new(KEPT, maker(input.size), cleared)
}

fn queue(input: &Input) -> SharedPool<Vec<u8>> {
    SharedPool::new(KEPT, maker(input.size), cleared)
}

/// What the framework does not have.
struct Locked {
    kept: Mutex<Vec<Vec<u8>>>,
    make: fn() -> Vec<u8>,
}

fn locked(input: &Input) -> Locked {
    Locked { kept: Mutex::default(), make: maker(input.size) }
}

impl Lend for Locked {
    fn lend(&self, number: usize) -> usize {
        let kept = self.kept.lock().ok().and_then(|mut kept| kept.pop());
        let mut buffer = kept.unwrap_or_else(self.make);
        let sum = used(&mut buffer, number);
        buffer.clear();
        if let Ok(mut kept) = self.kept.lock()
            && kept.len() < KEPT
        {
            kept.push(buffer);
        }
        sum
    }
}

/// What a buffer is used for: a short line is written.
fn used(buffer: &mut Vec<u8>, number: usize) -> usize {
    buffer.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-length: ");
    buffer.push(b'0' + (number % 10) as u8);
    black_box(&*buffer).iter().map(|byte| usize::from(*byte)).sum()
}

fn alone(side: Side, input: &Input, scale: usize, pool: impl Lend) -> Box<dyn Operation> {
    let (make, numbers) = (maker(input.size), (0..INPUTS * scale).collect());
    let tell = |sum: &usize| sum.to_string();
    match side {
        Side::Baseline => over(numbers, move |number| used(&mut make(), *number), tell),
        Side::Candidate => over(numbers, move |number| pool.lend(*number), tell),
    }
}

/// The same on two threads, each of which has what `pool` gives it.
fn together<L: Lend>(side: Side, input: &Input, pool: impl Fn() -> L + Sync + 'static) -> Box<dyn Operation> {
    let (make, sum) = (maker(input.size), Arc::new(AtomicUsize::new(0)));
    let told = Arc::clone(&sum);
    let tell = move || told.load(Relaxed).to_string();
    // Each thread adds up what it has seen, and what it shares with the other is the pool alone.
    let repeat = move |times: u64, act: &dyn Fn(usize) -> usize| {
        let seen = (0..times as usize).map(act).sum();
        sum.fetch_add(seen, Relaxed);
    };
    match side {
        Side::Baseline => on_threads(2, move |_, times| repeat(times, &|number| used(&mut make(), number)), tell),
        Side::Candidate => on_threads(
            2,
            move |_, times| {
                let pool = pool();
                repeat(times, &|number| pool.lend(number));
            },
            tell,
        ),
    }
}

/// A pool that threads share.
impl<L: Lend> Lend for Arc<L> {
    fn lend(&self, number: usize) -> usize {
        L::lend(self, number)
    }
}

fn shared<L: Lend + Send + Sync>(side: Side, input: &Input, pool: L) -> Box<dyn Operation> {
    let pool = Arc::new(pool);
    together(side, input, move || Arc::clone(&pool))
}

fn apart(side: Side, input: &Input) -> Box<dyn Operation> {
    let input = *input;
    together(side, &input, move || local(&input))
}
