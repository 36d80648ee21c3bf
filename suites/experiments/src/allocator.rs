//! Experiments on the allocator: the same work with the system's and with another one, each called by itself. The program's own
//! allocator has no part in what is measured.

use std::alloc::{GlobalAlloc, System};

use mimalloc::MiMalloc;
use tikv_jemallocator::Jemalloc;

use crate::{
    allocator_unsafe::Text,
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
};

const GROUP: &str = "allocator";
const BASELINE: &str = "the system's allocator";

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "allocator-mimalloc",
        group: GROUP,
        claim: "mimalloc gives and takes a request's memory faster than the system's allocator.",
        source: "mimalloc's documentation",
        baseline: BASELINE,
        candidate: "mimalloc, with which the servers under test are built",
        inputs: INPUT,
        threads: 1,
        make: |side, input, scale| make(side, input, scale, &MiMalloc),
    },
    Experiment {
        name: "allocator-jemalloc",
        group: GROUP,
        claim: "jemalloc gives and takes a request's memory faster than the system's allocator.",
        source: "jemalloc's documentation",
        baseline: BASELINE,
        candidate: "jemalloc",
        inputs: INPUT,
        threads: 1,
        make: |side, input, scale| make(side, input, scale, &Jemalloc),
    },
];

const INPUT: &[Input] = &[
    input("texts-12", 0, "12 texts of 8 to 63 bytes, freed in their order"),
    input("body-4-kib", 4 * 1_024, "the same, and a body that grows from 128 bytes to 4 KiB by doubling"),
    input("body-256-kib", 256 * 1_024, "the same, and a body that grows to 256 KiB"),
    input("held-1000", 1, "12 texts while 1,000 others are held, of which one is replaced"),
];

fn make(
    side: Side,
    input: &Input,
    scale: usize,
    candidate: &'static (impl GlobalAlloc + 'static),
) -> Box<dyn Operation> {
    match side {
        Side::Baseline => with(input, scale, &System),
        Side::Candidate => with(input, scale, candidate),
    }
}

fn with<A: GlobalAlloc>(input: &Input, scale: usize, allocator: &'static A) -> Box<dyn Operation> {
    const SOURCE: [u8; 128] = [b'x'; 128];
    let length = |at: usize, part: usize| 8 + (at * 31 + part * 17) % 56;
    let held = if input.size == 1 { 1_000 } else { 0 };
    let mut held: Vec<Text<A>> = (0..held).map(|at| Text::new(allocator, &SOURCE[..length(at, at)])).collect();
    let body = if input.size == 1 { 0 } else { input.size };
    let numbers: Vec<usize> = (0..INPUTS * scale).collect();
    over(
        numbers,
        move |at| {
            let texts: [Text<A>; 12] = std::array::from_fn(|part| Text::new(allocator, &SOURCE[..length(*at, part)]));
            let mut sum: usize = texts.iter().map(|text| std::hint::black_box(text).as_slice().len()).sum();
            if let Some(count) = held.len().checked_sub(1) {
                let place = at * 7_919 % count;
                held[place] = Text::new(allocator, &SOURCE[..length(*at, 5)]);
                sum += held[place].as_slice().len();
            }
            if body > 0 {
                let mut grown = Text::new(allocator, &SOURCE);
                while grown.as_slice().len() < body {
                    grown.push(&SOURCE);
                }
                sum += std::hint::black_box(&grown).as_slice().len();
            }
            sum
        },
        ToString::to_string,
    )
}
