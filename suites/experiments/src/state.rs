//! Experiments on what threads share: locks by the share of writes, and counters on cache lines of their own.

use std::{
    hint::black_box,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{Operation, on_threads, over},
};

const GROUP: &str = "shared state";
const SOURCE: &str = "the project's inherited list of optimisations";
const BASELINE: &str = "`std::sync::RwLock` around the value";

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "parking-lot",
        group: GROUP,
        claim: "parking_lot's lock is faster than the standard library's where threads share a value.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "`parking_lot::RwLock` around the value",
        inputs: WRITES,
        threads: 2,
        make: |side, input, _| shared(side, input, parking_lot::RwLock::new(Settings::new(0))),
    },
    Experiment {
        name: "arc-swap",
        group: GROUP,
        claim: "Exchanging a pointer lets readers of a value go on without a lock.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "`ArcSwap`: a write makes a new value and exchanges the pointer",
        inputs: WRITES,
        threads: 2,
        make: |side, input, _| shared(side, input, ArcSwap::from_pointee(Settings::new(0))),
    },
    Experiment {
        name: "copy-on-write",
        group: GROUP,
        claim: "Readers that take a snapshot wait for writers only while a pointer is copied.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "`parking_lot::Mutex<Arc<_>>`: a read clones the pointer, a write makes a new value",
        inputs: WRITES,
        threads: 2,
        make: |side, input, _| shared(side, input, parking_lot::Mutex::new(Arc::new(Settings::new(0)))),
    },
    Experiment {
        name: "parking-lot-1-thread",
        group: GROUP,
        claim: "parking_lot's lock is faster than the standard library's where nobody else wants it.",
        source: SOURCE,
        baseline: BASELINE,
        candidate: "`parking_lot::RwLock` around the value",
        inputs: WRITES,
        threads: 1,
        make: |side, input, scale| alone(side, input, scale, parking_lot::RwLock::new(Settings::new(0))),
    },
    Experiment {
        name: "cache-padding",
        group: GROUP,
        claim: "Counters of different threads on cache lines of their own do not slow one another down.",
        source: SOURCE,
        baseline: "two atomic counters side by side",
        candidate: "two atomic counters in `CachePadded`",
        inputs: &[
            input("1-thread", 1, "one thread that counts"),
            input("2-threads", 2, "two threads that count, each in its own counter"),
        ],
        threads: 2,
        make: padding,
    },
];

const WRITES: &[Input] = &[
    input("0-percent", 0, "reads only"),
    input("1-percent", 1, "a write in 100"),
    input("10-percent", 10, "a write in 10"),
];

/// What is shared: as much as a server's settings.
struct Settings {
    numbers: [u64; 8],
}

impl Settings {
    fn new(version: u64) -> Self {
        Self { numbers: [version; 8] }
    }

    /// Reads all of it. Every number is the same, unless a write was seen half.
    fn sum(&self) -> u64 {
        black_box(&self.numbers).iter().sum()
    }
}

/// A way to share it.
trait Shared: Send + Sync + 'static {
    fn read(&self) -> u64;
    fn write(&self, version: u64);
}

impl Shared for RwLock<Settings> {
    fn read(&self) -> u64 {
        self.read().map(|settings| settings.sum()).unwrap_or_default()
    }

    fn write(&self, version: u64) {
        if let Ok(mut settings) = self.write() {
            *settings = Settings::new(version);
        }
    }
}

impl Shared for parking_lot::RwLock<Settings> {
    fn read(&self) -> u64 {
        self.read().sum()
    }

    fn write(&self, version: u64) {
        *self.write() = Settings::new(version);
    }
}

impl Shared for ArcSwap<Settings> {
    fn read(&self) -> u64 {
        self.load().sum()
    }

    fn write(&self, version: u64) {
        self.store(Arc::new(Settings::new(version)));
    }
}

impl Shared for parking_lot::Mutex<Arc<Settings>> {
    fn read(&self) -> u64 {
        let settings = Arc::clone(&self.lock());
        settings.sum()
    }

    fn write(&self, version: u64) {
        let new = Arc::new(Settings::new(version));
        *self.lock() = new;
    }
}

/// One use: a write as often as the input says, else a read. `false` if what was read is no whole version.
fn used(state: &impl Shared, number: u64, percent: usize) -> bool {
    if percent > 0 && number.is_multiple_of(100 / percent as u64) {
        state.write(number);
        return true;
    }
    state.read().is_multiple_of(8)
}

fn shared(side: Side, input: &Input, candidate: impl Shared) -> Box<dyn Operation> {
    fn together(state: impl Shared, percent: usize) -> Box<dyn Operation> {
        let torn = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&torn);
        on_threads(
            2,
            move |thread, times| {
                // The threads do not write at the same numbers.
                let own = (0..times).map(|number| number + thread as u64 * 3);
                let count = own.filter(|number| !used(&state, *number, percent)).count();
                torn.fetch_add(count, Relaxed);
            },
            move || format!("{} reads saw no whole version", told.load(Relaxed)),
        )
    }
    match side {
        Side::Baseline => together(RwLock::new(Settings::new(0)), input.size),
        Side::Candidate => together(candidate, input.size),
    }
}

fn alone(side: Side, input: &Input, scale: usize, candidate: impl Shared) -> Box<dyn Operation> {
    // As many numbers as the rarest write needs, so that it comes in every pass.
    let (numbers, percent) = ((0..100 * scale as u64).collect(), input.size);
    let tell = |is_whole: &bool| is_whole.to_string();
    match side {
        Side::Baseline => {
            let state = RwLock::new(Settings::new(0));
            over(numbers, move |number| used(&state, *number, percent), tell)
        }
        Side::Candidate => over(numbers, move |number| used(&candidate, *number, percent), tell),
    }
}

fn padding(side: Side, input: &Input, _: usize) -> Box<dyn Operation> {
    fn counted<T>(threads: usize, counters: [T; 2], of: fn(&T) -> &AtomicU64) -> Box<dyn Operation>
    where
        T: Send + Sync + 'static,
    {
        let counters = Arc::new(counters);
        let told = Arc::clone(&counters);
        on_threads(
            threads,
            move |thread, times| {
                for _ in 0..times {
                    of(&counters[thread]).fetch_add(1, Relaxed);
                }
            },
            move || format!("{:?}", told.iter().map(|counter| of(counter).load(Relaxed)).collect::<Vec<_>>()),
        )
    }
    match side {
        Side::Baseline => counted(input.size, [AtomicU64::new(0), AtomicU64::new(0)], |counter| counter),
        Side::Candidate => {
            let counters = [0, 0].map(|start| CachePadded::new(AtomicU64::new(start)));
            counted(input.size, counters, |counter| counter)
        }
    }
}
