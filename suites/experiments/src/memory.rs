//! Experiments on where memory comes from: bodies that are shared, and structures in an arena.

use std::hint::black_box;

use armature_core::extract::Arena;
use bytes::Bytes;

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
};

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "body-slice",
        group: "memory",
        claim: "Handing a body on as a slice of the buffer in which it arrived saves copying it.",
        source: "the project's inherited list of optimisations",
        baseline: "`Bytes::copy_from_slice`",
        candidate: "`Bytes::slice` of the shared buffer",
        inputs: &[
            input("64-b", 64, "bodies of 64 bytes"),
            input("1-kib", 1_024, "bodies of 1 KiB"),
            input("16-kib", 16 * 1_024, "bodies of 16 KiB"),
            input("256-kib", 256 * 1_024, "bodies of 256 KiB"),
        ],
        threads: 1,
        make: body,
    },
    Experiment {
        name: "arena-list",
        group: "memory",
        claim: "Many small nodes that are freed together cost less in an arena that is reset.",
        source: "the project's inherited list of optimisations, which says six times less",
        baseline: "a linked list whose nodes are boxed",
        candidate: "the same list whose nodes are in an `armature_core::extract::Arena`, one for each list",
        inputs: NODES,
        threads: 1,
        make: list,
    },
    Experiment {
        name: "arena-texts",
        group: "memory",
        claim: "What a request needs for itself costs less in an arena that is reset after it.",
        source: "the project's inherited list of optimisations, which says six times less",
        baseline: "a `Vec` with room for all, of `String`s",
        candidate: "as many of the same texts, and their list, in an `armature_core::extract::Arena`, one for each list",
        inputs: NODES,
        threads: 1,
        make: texts,
    },
];

const NODES: &[Input] = &[
    input("4", 4, "4 entries"),
    input("16", 16, "16 entries"),
    input("256", 256, "256 entries"),
    input("4096", 4_096, "4,096 entries"),
];

/// Bytes of the head before a body.
const HEAD: usize = 200;

fn body(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let arrived = |at: usize| Bytes::from(vec![b'a' + (at % 26) as u8; HEAD + input.size]);
    let buffers: Vec<Bytes> = (0..INPUTS * scale).map(arrived).collect();
    let tell = |body: &Bytes| format!("{} of {:?}", body.len(), body.first());
    match side {
        Side::Baseline => over(buffers, |buffer| Bytes::copy_from_slice(&buffer[HEAD..]), tell),
        Side::Candidate => over(buffers, |buffer| buffer.slice(HEAD..), tell),
    }
}

struct Boxed {
    value: u64,
    next: Option<Box<Boxed>>,
}

struct Placed<'a> {
    value: u64,
    next: Option<&'a Placed<'a>>,
}

fn list(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let (nodes, starts) = (input.size as u64, (0..(INPUTS * scale) as u64).collect());
    let tell = |sum: &u64| sum.to_string();
    match side {
        Side::Baseline => over(
            starts,
            move |start| {
                let mut list = None;
                for value in *start..start + nodes {
                    list = Some(Box::new(Boxed { value, next: list }));
                }
                let mut sum = 0;
                // Taken apart node by node while it is read: dropping a long list at once would recurse.
                while let Some(node) = black_box(list.take()) {
                    sum += node.value;
                    list = node.next;
                }
                sum
            },
            tell,
        ),
        Side::Candidate => over(
            starts,
            move |start| {
                let arena = Arena::new();
                let mut list = None;
                for value in *start..start + nodes {
                    list = Some(&*arena.alloc(Placed { value, next: list }));
                }
                let mut sum = 0;
                while let Some(node) = black_box(list) {
                    sum += node.value;
                    list = node.next;
                }
                sum
            },
            tell,
        ),
    }
}

/// What is kept of a request, again and again.
const TEXTS: [&str; 4] =
    ["/api/orders/4711/lines", "application/json", "session=5f4dcc3b5aa765d61d8327deb882cf99", "de"];

fn texts(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let (entries, starts) = (input.size, (0..INPUTS * scale).collect());
    let tell = |length: &usize| length.to_string();
    match side {
        Side::Baseline => over(
            starts,
            move |start| {
                let mut all = Vec::with_capacity(entries);
                all.extend((*start..start + entries).map(|at| TEXTS[at % TEXTS.len()].to_owned()));
                black_box(&all).iter().map(String::len).sum()
            },
            tell,
        ),
        Side::Candidate => over(
            starts,
            move |start| {
                let arena = Arena::new();
                let text = |at: usize| &*arena.alloc_str(TEXTS[(start + at) % TEXTS.len()]);
                let all = arena.alloc_slice_fill_with(entries, text);
                black_box(&all).iter().map(|text| text.len()).sum()
            },
            tell,
        ),
    }
}
