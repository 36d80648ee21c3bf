//! Experiments on small collections that are kept in place: what a request brings in lists of a few.
//!
//! All have room for as many entries in place as the framework's design gives them; the baseline's vector has room for as
//! many from the beginning, so that it is allocated once and seldom grows.

use std::hint::black_box;

use smallvec::SmallVec;

use crate::{
    experiment::{Experiment, Side, input},
    operation::{INPUTS, over},
};

const GROUP: &str = "inline collections";
const SOURCE: &str = "the project's inherited list of optimisations";

/// Takes texts apart into lists of which so many entries are in place, or have room from the beginning; reads all of them.
macro_rules! listed {
    ($side:expr, $texts:expr, $room:literal, $split:ident) => {{
        let (texts, tell) = ($texts, |digest: &(usize, usize)| format!("{digest:?}"));
        match $side {
            Side::Baseline => over(
                texts,
                |text: &String| {
                    let mut all = Vec::with_capacity($room);
                    all.extend($split(text));
                    digest(black_box(&all))
                },
                tell,
            ),
            Side::Candidate => over(
                texts,
                |text: &String| {
                    let mut all = SmallVec::<[_; $room]>::new();
                    all.extend($split(text));
                    digest(black_box(&all))
                },
                tell,
            ),
        }
    }};
}

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "inline-headers",
        group: GROUP,
        claim: "Up to 12 header fields in place save an allocation.",
        source: SOURCE,
        baseline: "names and values in a `Vec` with room for 12; the framework's table of fields is a `Vec` of its worker that is used again, and costs neither",
        candidate: "names and values in a `SmallVec` of 12",
        inputs: &[
            input("4", 4, "4 fields"),
            input("8", 8, "8 fields"),
            input("12", 12, "12 fields"),
            input("16", 16, "16 fields"),
        ],
        threads: 1,
        make: |side, input, scale| listed!(side, headers(input.size, scale), 12, fields),
    },
    Experiment {
        name: "inline-path",
        group: GROUP,
        claim: "Up to 4 path parameters in place save an allocation.",
        source: SOURCE,
        baseline: "the segments in a `Vec` with room for 4",
        candidate: "the segments in a `SmallVec` of 4; matchit keeps as many in place",
        inputs: &[
            input("1", 1, "a path of 1 parameter"),
            input("4", 4, "a path of 4 parameters"),
            input("6", 6, "a path of 6 parameters"),
        ],
        threads: 1,
        make: |side, input, scale| listed!(side, paths(input.size, scale), 4, path_params),
    },
    Experiment {
        name: "inline-query",
        group: GROUP,
        claim: "Up to 8 pairs of a query in place save an allocation.",
        source: SOURCE,
        baseline: "decoded pairs in a `Vec` with room for 8",
        candidate: "decoded pairs in a `SmallVec` of 8, as `Query` has them while it makes a value",
        inputs: &[
            input("1", 1, "a query of 1 pair"),
            input("4", 4, "a query of 4 pairs"),
            input("8", 8, "a query of 8 pairs"),
            input("12", 12, "a query of 12 pairs"),
        ],
        threads: 1,
        make: |side, input, scale| listed!(side, pairs(input.size, scale, "&"), 8, decoded),
    },
    Experiment {
        name: "inline-form",
        group: GROUP,
        claim: "Up to 16 fields of a form in place save an allocation.",
        source: SOURCE,
        baseline: "decoded pairs in a `Vec` with room for 16",
        candidate: "decoded pairs in a `SmallVec` of 16, as `Form` has them while it makes a value",
        inputs: &[
            input("4", 4, "a form of 4 fields"),
            input("16", 16, "a form of 16 fields"),
            input("24", 24, "a form of 24 fields"),
        ],
        threads: 1,
        make: |side, input, scale| listed!(side, pairs(input.size, scale, "&"), 16, decoded),
    },
    Experiment {
        name: "inline-cookies",
        group: GROUP,
        claim: "Up to 8 cookies in place save an allocation.",
        source: SOURCE,
        baseline: "names and values in a `Vec` with room for 8",
        candidate: "names and values in a `SmallVec` of 8",
        inputs: &[input("2", 2, "2 cookies"), input("8", 8, "8 cookies"), input("16", 16, "16 cookies")],
        threads: 1,
        make: |side, input, scale| listed!(side, pairs(input.size, scale, "; "), 8, cookies),
    },
];

/// Segments as parameters have them, all different.
fn paths(count: usize, scale: usize) -> Vec<String> {
    let path =
        |at: usize| (0..count).map(|part| format!("{}", 100_003 + at * 7_919 + part)).collect::<Vec<_>>().join("/");
    (0..INPUTS * scale).map(path).collect()
}

/// Pairs as forms and cookies have them; one in four values has something to decode.
fn pairs(count: usize, scale: usize, between: &str) -> Vec<String> {
    const NAMES: [&str; 6] = ["page", "size", "sort", "customer", "from", "session"];
    let pair = |at: usize, part: usize| {
        let value = if part % 4 == 3 { format!("a+b%20{at}") } else { format!("value{}", at * 31 + part) };
        format!("{}{part}={value}", NAMES[part % NAMES.len()])
    };
    let all = |at: usize| (0..count).map(|part| pair(at, part)).collect::<Vec<_>>().join(between);
    (0..INPUTS * scale).map(all).collect()
}

/// Fields as clients write them.
fn headers(count: usize, scale: usize) -> Vec<String> {
    const NAMES: [&str; 8] =
        ["Host", "User-Agent", "Accept", "Accept-Language", "Cache-Control", "Cookie", "Referer", "X-Request-Id"];
    let field = |at: usize, part: usize| format!("{}: value-{}\r\n", NAMES[part % NAMES.len()], at * 31 + part);
    let all = |at: usize| (0..count).map(|part| field(at, part)).collect();
    (0..INPUTS * scale).map(all).collect()
}

fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("\r\n").filter_map(|line| line.split_once(": "))
}

/// Bytes of names and values, which needs all of a list.
fn digest<T: AsRef<str>>(pairs: &[(T, T)]) -> (usize, usize) {
    let bytes = pairs.iter().map(|(name, value)| name.as_ref().len() * 3 + value.as_ref().len()).sum();
    (pairs.len(), bytes)
}

fn path_params(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('/').map(|segment| ("id", segment))
}

fn decoded(text: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(text.as_bytes())
}

fn cookies(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("; ").filter_map(|pair| pair.split_once('='))
}
