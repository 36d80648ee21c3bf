//! Experiments on JSON: another reader and writer by size. The buffers that it is written into are `output.rs`'s.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
};

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "simd-json-read",
        group: "JSON",
        claim: "simd-json reads a body faster than serde_json, from some size on.",
        source: "simd-json's README",
        baseline: "`serde_json::from_slice`",
        candidate: "`simd_json::from_slice`, in place on the body",
        inputs: SIZES,
        threads: 1,
        make: |side, input, scale| match input.size {
            0 => read::<Note>(side, notes(scale)),
            lines => read::<Order>(side, orders(lines, scale)),
        },
    },
    Experiment {
        name: "simd-json-write",
        group: "JSON",
        claim: "simd-json writes a body faster than serde_json.",
        source: "simd-json's README",
        baseline: "`serde_json::to_writer` into a buffer that is used again",
        candidate: "`simd_json::to_writer` into a buffer that is used again",
        inputs: SIZES,
        threads: 1,
        make: |side, input, scale| match input.size {
            0 => write(side, notes(scale)),
            lines => write(side, orders(lines, scale)),
        },
    },
];

const SIZES: &[Input] = &[
    input("small", 0, "an object of two members, about 40 bytes"),
    input("1-line", 1, "an order of 1 line, about 200 bytes"),
    input("10-lines", 10, "an order of 10 lines, about 1.4 KiB"),
    input("100-lines", 100, "an order of 100 lines, about 14 KiB"),
];

/// The small document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Note {
    id: u32,
    text: String,
}

/// The larger ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    id: u64,
    customer: String,
    lines: Vec<Line>,
}

/// A part of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    article: String,
    quantity: u32,
    price: f64,
    /// One in four needs escaping.
    remark: Option<String>,
    tags: Vec<String>,
}

pub(crate) fn notes(scale: usize) -> Vec<Note> {
    (0..INPUTS * scale).map(|at| Note { id: 4_711 + at as u32, text: format!("Hello, World {at:02}!") }).collect()
}

pub(crate) fn orders(lines: usize, scale: usize) -> Vec<Order> {
    (0..INPUTS * scale)
        .map(|at| Order {
            id: 7_000_000_000 + at as u64,
            customer: format!("customer-{:05}", at * 7_919 % 99_991),
            lines: (0..lines).map(|line| order_line(at, line)).collect(),
        })
        .collect()
}

fn order_line(order: usize, line: usize) -> Line {
    let number = order * 1_009 + line * 31;
    let remark =
        if line.is_multiple_of(4) { format!("\"fragile\"\tno. {line}") } else { format!("leave at door {line}") };
    Line {
        article: format!("article-{:06}", number % 999_983),
        quantity: 1 + (number % 40) as u32,
        price: (number % 90_000) as f64 / 4.0 + 0.25,
        remark: line.is_multiple_of(2).then_some(remark),
        tags: ["red", "large", "express"][..line % 4 % 3 + 1].iter().map(|tag| (*tag).to_owned()).collect(),
    }
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_else(|error| panic!("the documents are JSON: {error}"))
}

fn read<T: DeserializeOwned + std::fmt::Debug + 'static>(
    side: Side,
    documents: Vec<impl Serialize>,
) -> Box<dyn Operation> {
    let bodies: Vec<Vec<u8>> = documents.iter().map(json).collect();
    // A body arrives in a buffer that is the reader's. simd-json spoils it, so both sides fill it before they read.
    let mut buffer = Vec::new();
    let mut arrived = move |body: &[u8], read: fn(&mut [u8]) -> Option<T>| {
        buffer.clear();
        buffer.extend_from_slice(body);
        read(&mut buffer)
    };
    let tell = |document: &Option<T>| format!("{document:?}");
    match side {
        Side::Baseline => over(bodies, move |body| arrived(body, |bytes| serde_json::from_slice(bytes).ok()), tell),
        Side::Candidate => over(bodies, move |body| arrived(body, |bytes| simd_json::from_slice(bytes).ok()), tell),
    }
}

/// A digest of what a buffer holds, since the buffer is used again.
fn digest(bytes: &[u8]) -> (usize, Option<u8>) {
    (bytes.len(), bytes.last().copied())
}

fn write<T: Serialize + 'static>(side: Side, documents: Vec<T>) -> Box<dyn Operation> {
    let mut buffer = Vec::new();
    let mut written = move |document: &T, write: fn(&T, &mut Vec<u8>) -> bool| {
        buffer.clear();
        write(document, &mut buffer).then(|| digest(std::hint::black_box(&buffer)))
    };
    let tell = |digest: &Option<(usize, Option<u8>)>| format!("{digest:?}");
    match side {
        Side::Baseline => {
            over(documents, move |it| written(it, |it, out| serde_json::to_writer(out, it).is_ok()), tell)
        }
        Side::Candidate => {
            over(documents, move |it| written(it, |it, out| simd_json::to_writer(out, it).is_ok()), tell)
        }
    }
}
