//! Experiments on what a server keeps of its connections: their state, their buffers, and where their deadlines stand.

use std::hint::black_box;

use armature_core::pool::LocalPool;

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
};

const GROUP: &str = "connections";
const LIST: &str = "the project's inherited list of optimisations";

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "connection-recycling",
        group: GROUP,
        claim: "A new connection that gets the state and buffers of one that has ended costs less than one that makes its own.",
        source: LIST,
        baseline: "a boxed state, and buffers of 4 KiB and 512 bytes, for each connection",
        candidate: "the same from an `armature_core::pool::LocalPool`, reset when it comes back",
        inputs: &[
            input("1", 1, "connections of 1 request"),
            input("10", 10, "connections of 10 requests"),
            input("100", 100, "connections of 100 requests"),
        ],
        threads: 1,
        make: recycled,
    },
    Experiment {
        name: "lent-buffer",
        group: GROUP,
        claim: "Lending a buffer for as long as a connection has something to read costs no more than each keeping its own.",
        source: LIST,
        baseline: "each connection has a buffer of 4 KiB for its life, so that 4,096 hold 16 MiB while they are idle",
        candidate: "a buffer of an `armature_core::pool::LocalPool` is taken when bytes arrive and given back when they are answered",
        inputs: &[
            input("16", 16, "requests of 200 bytes on 16 connections in turn"),
            input("256", 256, "the same on 256 connections"),
            input("4096", 4_096, "the same on 4,096 connections"),
        ],
        threads: 1,
        make: released,
    },
    Experiment {
        name: "hot-cold-split",
        group: GROUP,
        claim: "Deadlines in a table of their own are looked over in less time than deadlines beside the rest of each connection.",
        source: "ARCHITECTURE.md, “Deadlines are a table, not a wheel”",
        baseline: "a vector of connections of 256 bytes, each with its deadline",
        candidate: "a vector of deadlines, and the rest elsewhere",
        inputs: &[
            input("64", 64, "64 connections"),
            input("1024", 1_024, "1,024 connections"),
            input("16384", 16_384, "16,384 connections"),
        ],
        threads: 1,
        make: split,
    },
    Experiment {
        name: "state-table",
        group: GROUP,
        claim: "A state machine whose transitions are a table is faster than one that matches.",
        source: LIST,
        baseline: "`match` on the state and the event of a connection",
        candidate: "a table of 7 states by 8 events, made of the same rules when the program is compiled",
        inputs: &[
            input("usual", 64, "64 events of requests that are read, answered and written one after the other"),
            input("any", 64, "64 events in no order"),
        ],
        threads: 1,
        make: machine,
    },
];

/// Requests differ in their length.
fn requests(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|at| vec![b'a' + (at % 26) as u8; 180 + at % 40]).collect()
}

/// What a connection has.
struct State {
    answered: u32,
    discarded_bytes: u64,
    is_closing: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    fields: Vec<(u32, u32)>,
}

impl State {
    fn new() -> Box<Self> {
        let (input, output) = (Vec::with_capacity(4_096), Vec::with_capacity(512));
        Box::new(Self { answered: 0, discarded_bytes: 0, is_closing: false, input, output, fields: Vec::new() })
    }

    #[allow(clippy::borrowed_box, reason = "a pool of boxes resets boxes")]
    fn reset(this: &mut Box<Self>) -> bool {
        (this.answered, this.discarded_bytes, this.is_closing) = (0, 0, false);
        this.input.clear();
        this.output.clear();
        this.fields.clear();
        this.input.capacity() <= 65_536
    }

    /// Reads a request into its buffer, notes where some fields are, and writes an answer.
    fn serve(&mut self, request: &[u8]) {
        self.input.clear();
        self.output.clear();
        self.fields.clear();
        self.input.extend_from_slice(request);
        self.fields.extend((0..request.len() as u32 / 25).map(|at| (at * 25, at * 25 + 20)));
        self.output.extend_from_slice(&self.input[..100]);
        self.answered += 1;
        self.discarded_bytes += black_box(&self.output).len() as u64;
    }

    fn told(&self) -> (u32, u64, bool, usize) {
        (self.answered, self.discarded_bytes, self.is_closing, self.fields.len())
    }
}

fn recycled(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let (each, requests) = (input.size, requests(INPUTS * scale));
    let serve = move |state: &mut State, request: &Vec<u8>| {
        (0..each).for_each(|_| state.serve(black_box(request)));
        state.told()
    };
    let tell = |told: &(u32, u64, bool, usize)| format!("{told:?}");
    match side {
        Side::Baseline => over(requests, move |request| serve(&mut State::new(), request), tell),
        Side::Candidate => {
            let pool = LocalPool::new(64, State::new, State::reset);
            over(requests, move |request| serve(&mut pool.take(), request), tell)
        }
    }
}

fn released(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let arrivals: Vec<(usize, Vec<u8>)> = requests(input.size * scale).into_iter().enumerate().collect();
    let connections = input.size * scale;
    let make = || Vec::with_capacity(4_096);
    let tell = |length: &usize| length.to_string();
    fn read(buffer: &mut Vec<u8>, bytes: &[u8]) -> usize {
        buffer.extend_from_slice(bytes);
        black_box(&*buffer).len()
    }
    match side {
        Side::Baseline => {
            let mut own: Vec<Vec<u8>> = std::iter::repeat_with(make).take(connections).collect();
            let read = move |(at, bytes): &(usize, Vec<u8>)| {
                own[*at].clear();
                read(&mut own[*at], bytes)
            };
            over(arrivals, read, tell)
        }
        Side::Candidate => {
            let pool = LocalPool::new(64, make, |buffer| {
                buffer.clear();
                buffer.capacity() <= 65_536
            });
            over(arrivals, move |(_, bytes)| read(&mut pool.take(), bytes), tell)
        }
    }
}

/// A connection of which a look at its deadline brings a line of 64 bytes into the cache.
struct Whole {
    deadline: u64,
    rest: [u64; 31],
}

fn split(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    // Deadlines within the next minute, in ms; at each look some of them have passed.
    let deadline = |at: usize| (at as u64).wrapping_mul(7_919) % 60_000;
    let looks: Vec<u64> = (0..(INPUTS * scale) as u64).map(|at| 500 + at * 37).collect();
    let tell = |passed: &usize| passed.to_string();
    match side {
        Side::Baseline => {
            let all: Vec<Whole> =
                (0..input.size).map(|at| Whole { deadline: deadline(at), rest: [at as u64; 31] }).collect();
            black_box(all.iter().map(|connection| connection.rest[0]).sum::<u64>());
            over(looks, move |now| all.iter().filter(|connection| connection.deadline < *now).count(), tell)
        }
        Side::Candidate => {
            let all: Vec<u64> = (0..input.size).map(deadline).collect();
            over(looks, move |now| all.iter().filter(|deadline| **deadline < *now).count(), tell)
        }
    }
}

const STATES: usize = 7;
const EVENTS: usize = 8;

/// What a connection does.
const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BODY: u8 = 2;
const HANDLER: u8 = 3;
const WRITING: u8 = 4;
const LINGERING: u8 = 5;
const CLOSED: u8 = 6;

/// What happens to it: bytes, the end of a head, the end of a body, an answer, everything written, the peer's end, a deadline,
/// an error.
#[inline]
const fn next(state: u8, event: u8) -> u8 {
    match (state, event) {
        (CLOSED, _) | (_, 7) => CLOSED,
        (IDLE, 0) => HEAD,
        (IDLE, 5 | 6) => CLOSED,
        (HEAD, 1) => BODY,
        (BODY, 2) => HANDLER,
        (HEAD | BODY, 5) => CLOSED,
        (HEAD | BODY, 6) | (HANDLER, 3) => WRITING,
        (WRITING, 4) => IDLE,
        (WRITING, 5 | 6) => LINGERING,
        (LINGERING, 4..=6) => CLOSED,
        _ => state,
    }
}

const TABLE: [[u8; EVENTS]; STATES] = {
    let mut table = [[0; EVENTS]; STATES];
    let mut at = 0;
    while at < STATES * EVENTS {
        table[at / EVENTS][at % EVENTS] = next((at / EVENTS) as u8, (at % EVENTS) as u8);
        at += 1;
    }
    table
};

fn machine(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    const USUAL: [u8; 10] = [0, 1, 2, 3, 4, 0, 0, 1, 2, 3];
    let is_usual = input.id == "usual";
    let event = |at: usize, part: usize| match is_usual {
        true => USUAL[(at + part) % USUAL.len()],
        // Errors are left out, as a connection that has ended stays so.
        false => ((at * 64 + part).wrapping_mul(2_654_435_761) >> 7) as u8 % 5,
    };
    let lists: Vec<Vec<u8>> =
        (0..INPUTS * scale).map(|at| (0..input.size).map(|part| event(at, part)).collect()).collect();
    let tell = |seen: &(u8, u32)| format!("{seen:?}");
    fn run(events: &[u8], next: impl Fn(u8, u8) -> u8) -> (u8, u32) {
        events.iter().fold((IDLE, 0), |(state, seen), event| {
            let state = next(state, *event);
            (state, seen.wrapping_mul(7).wrapping_add(u32::from(state)))
        })
    }
    match side {
        Side::Baseline => over(lists, |events| run(events, next), tell),
        Side::Candidate => over(
            lists,
            |events| run(events, |state, event| TABLE[usize::from(state) % STATES][usize::from(event) % EVENTS]),
            tell,
        ),
    }
}
