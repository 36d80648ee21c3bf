//! Experiments on names and short texts: what is recognised instead of copied, and what is kept in place.

use armature_core::{SmallString, http::header_name};
use http::HeaderName;

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
};

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "header-name",
        group: "names and texts",
        claim: "A name that is recognised needs no memory of its own.",
        source: "the documentation of http::HeaderName",
        baseline: "the name in lower case as a `String`",
        candidate: "`http::HeaderName`, which has standard names as numbers",
        inputs: NAMES,
        threads: 1,
        make: recognised,
    },
    Experiment {
        name: "interned-name",
        group: "names and texts",
        claim: "Comparing with the one common name of that length, first and last byte recognises a name without hashing it.",
        source: "the project's inherited list of optimisations",
        baseline: "`http::HeaderName`",
        candidate: "`armature_core::http::header_name`, which knows 44 names and leaves others to `HeaderName`",
        inputs: NAMES,
        threads: 1,
        make: interned,
    },
    Experiment {
        name: "compact-string",
        group: "names and texts",
        claim: "A short text that is kept in place costs no allocation.",
        source: "the project's inherited list of optimisations",
        baseline: "`String`",
        candidate: "`armature_core::SmallString`, which keeps 38 bytes in place",
        inputs: &[
            input("8", 8, "texts of 8 bytes: a number, a slug"),
            input("36", 36, "texts of 36 bytes: a UUID"),
            input("64", 64, "texts of 64 bytes: a hash in hexadecimal"),
            input("256", 256, "texts of 256 bytes: a search"),
        ],
        threads: 1,
        make: compact,
    },
];

const NAMES: &[Input] = &[
    input("common", 0, "the names of a browser's request, as it writes them"),
    input("mixed", 1, "the same and as many that only one application knows"),
    input("own", 2, "names that only one application knows, of 8 to 23 bytes"),
];

/// As HTTP/1.1 clients write them.
const WRITTEN: [&str; 16] = [
    "Host",
    "User-Agent",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Content-Type",
    "Content-Length",
    "Cookie",
    "Cache-Control",
    "Connection",
    "Referer",
    "Origin",
    "If-None-Match",
    "Upgrade",
    "TE",
];

fn names(input: &Input, scale: usize) -> Vec<String> {
    (0..INPUTS * scale)
        .map(|at| match (input.size, at % 2) {
            (0, _) | (1, 0) => WRITTEN[at % WRITTEN.len()].to_owned(),
            _ => format!("X-Shop{at:02}{}", &"-Price-Of-Things"[..at % INPUTS]),
        })
        .collect()
}

fn recognised(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let names = names(input, scale);
    match side {
        Side::Baseline => over(names, |name| name.to_ascii_lowercase(), String::clone),
        Side::Candidate => over(
            names,
            |name| HeaderName::from_bytes(name.as_bytes()).ok(),
            |name| name.as_ref().map(ToString::to_string).unwrap_or_default(),
        ),
    }
}

fn interned(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let names = names(input, scale);
    let text = |name: &Option<HeaderName>| name.as_ref().map(ToString::to_string).unwrap_or_default();
    match side {
        Side::Baseline => over(names, |name| HeaderName::from_bytes(name.as_bytes()).ok(), text),
        Side::Candidate => over(names, |name| header_name(name.as_bytes()), text),
    }
}

fn compact(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let text = |at: usize| (0..input.size).map(|place| char::from(b'a' + ((at * 7 + place * 3) % 26) as u8)).collect();
    let texts: Vec<String> = (0..INPUTS * scale).map(text).collect();
    match side {
        Side::Baseline => over(texts, |text| String::from(text.as_str()), String::clone),
        Side::Candidate => over(texts, |text| SmallString::from(text.as_str()), ToString::to_string),
    }
}
