//! Experiments on reading the head of a request.

use armature_core::{
    Limits,
    h1::{
        head::{self, HeadIndex},
        scan::LineScan,
    },
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
};

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "simd-head",
        group: "request heads",
        claim: "A parser that looks at many bytes at a time (SIMD) reads a head faster than one that looks at each.",
        source: "httparse's README",
        baseline: "a loop over bytes with a table of those that tokens and values may have, to the same list of fields",
        candidate: "httparse, which takes AVX2 or SSE 4.2 where the CPU has them",
        inputs: HEADS,
        threads: 1,
        make: simd,
    },
    Experiment {
        name: "resumable-head",
        group: "request heads",
        claim: "Remembering how far a head was looked at saves the work of beginning anew with every arrival.",
        source: "the project's inherited list of optimisations",
        baseline: "all bytes are parsed again whenever some arrive",
        candidate: "the first arrival is parsed; after that only the new bytes are searched for the end, as `LineScan` does",
        inputs: &[
            input("1", 1, "a browser's head of about 700 bytes that arrives whole"),
            input("2", 2, "the same in 2 pieces"),
            input("8", 8, "the same in 8 pieces"),
            input("64", 64, "the same in 64 pieces"),
        ],
        threads: 1,
        make: resumable,
    },
    Experiment {
        name: "header-index",
        group: "request heads",
        claim: "A table of offsets costs less than a map of owned names and values.",
        source: "the project's inherited list of optimisations",
        baseline: "httparse, then an `http::HeaderMap` with room for all, whose values share the bytes; three fields are asked for",
        candidate: "`h1::head::parse`, which also checks framing and host; the three are searched for in the table",
        inputs: HEADS,
        threads: 1,
        make: index,
    },
];

const HEADS: &[Input] = &[
    input("curl", 0, "what curl sends: 3 fields, about 90 bytes"),
    input("api", 6, "a JSON client with a token: 9 fields, about 450 bytes"),
    input("browser", 12, "a browser: 15 fields, about 700 bytes"),
    input("cookies", 28, "a browser with many proxies before it and long cookies: 31 fields, about 2,300 bytes"),
];

/// Fields of a browser, with a hole for what differs from request to request.
const FIELDS: [(&str, &str); 12] = [
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en;q=0.9,de;q=0.8"),
    ("Authorization", "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI{}"),
    ("Content-Type", "application/json"),
    ("X-Request-Id", "67e55044-10b1-426f-9247-bb680e5fe0{}"),
    ("Cache-Control", "no-cache"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Referer", "https://shop.example/catalogue?page={}"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Cookie", "session=5f4dcc3b5aa765d61d8327deb882cf{}; theme=dark"),
];

/// Heads of a kind, each different.
fn heads(fields: usize, count: usize) -> Vec<Bytes> {
    (0..count)
        .map(|at| {
            let mut head = format!(
                "GET /articles/{}/comments?page={at} HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: curl/8.14.{at}\r\n\
                 Accept: */*\r\n",
                4_711 + at
            );
            for number in 0..fields {
                let (name, value) = FIELDS[number % FIELDS.len()];
                let value = value.replace("{}", &(10 + at).to_string());
                match number / FIELDS.len() {
                    0 => head += &format!("{name}: {value}\r\n"),
                    hop => head += &format!("X-Hop-{hop}-{name}: {value}; {value}\r\n"),
                }
            }
            (head + "\r\n").into()
        })
        .collect()
}

/// Fields for which there is room.
const ROOM: usize = 40;

fn simd(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let heads = heads(input.size, INPUTS * scale);
    // What is made of a head lives no longer than its parser, so that what comes out is a digest that needs all of it.
    match side {
        Side::Baseline => over(
            heads,
            |head| {
                let mut fields = [httparse::EMPTY_HEADER; ROOM];
                let (len, path, found) = scalar(head, &mut fields).unwrap_or_default();
                digest(len, path, &fields[..found])
            },
            |digest| format!("{digest:?}"),
        ),
        Side::Candidate => over(
            heads,
            |head| {
                let mut fields = [httparse::EMPTY_HEADER; ROOM];
                let mut request = httparse::Request::new(&mut fields);
                let len = match request.parse(head) {
                    Ok(httparse::Status::Complete(len)) => len,
                    _ => 0,
                };
                digest(len, request.path.unwrap_or_default(), request.headers)
            },
            |digest| format!("{digest:?}"),
        ),
    }
}

/// Length of the head and of the path, number of fields, and the bytes of all names and values together.
fn digest(len: usize, path: &str, fields: &[httparse::Header<'_>]) -> (usize, usize, usize, usize) {
    let bytes = fields.iter().map(|field| field.name.len() * 3 + field.value.len()).sum();
    (len, path.len(), fields.len(), bytes)
}

/// What a byte is part of.
#[derive(Clone, Copy)]
enum Part {
    /// A token (RFC 9110 §5.6.2).
    Token,
    /// A field value (RFC 9110 §5.5).
    Value,
    /// A request target, as httparse sees it.
    Target,
}

const TOKEN: [bool; 256] = table(Part::Token);
const VALUE: [bool; 256] = table(Part::Value);
const TARGET: [bool; 256] = table(Part::Target);

/// Which bytes a part may have.
const fn table(part: Part) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = match part {
            Part::Token => byte.is_ascii_alphanumeric() || is_one_of(byte, b"!#$%&'*+-.^_`|~"),
            Part::Value => byte == b'\t' || byte >= b' ' && byte != 0x7f,
            Part::Target => byte > b' ' && byte != 0x7f,
        };
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

const fn is_one_of(byte: u8, bytes: &[u8]) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

/// The bytes from `at` that a table allows end here.
fn end(bytes: &[u8], at: usize, allowed: &[bool; 256]) -> usize {
    bytes[at..].iter().position(|byte| !allowed[usize::from(*byte)]).map_or(bytes.len(), |len| at + len)
}

/// The plain parser: a byte at a time. `None` for what is no whole head.
fn scalar<'a>(bytes: &'a [u8], fields: &mut [httparse::Header<'a>]) -> Option<(usize, &'a str, usize)> {
    let method_end = end(bytes, 0, &TOKEN);
    let target_end = end(bytes, method_end + 1, &TARGET);
    let path = std::str::from_utf8(&bytes[method_end + 1..target_end]).ok()?;
    let mut at = target_end + b" HTTP/1.1\r\n".len();
    if bytes.get(target_end..at)? != b" HTTP/1.1\r\n" {
        return None;
    }
    let mut found = 0;
    while bytes.get(at)? != &b'\r' {
        let name_end = end(bytes, at, &TOKEN);
        if bytes.get(name_end)? != &b':' {
            return None;
        }
        let mut value_start = name_end + 1;
        while matches!(bytes.get(value_start)?, b' ' | b'\t') {
            value_start += 1;
        }
        let line_end = end(bytes, value_start, &VALUE);
        if bytes.get(line_end..line_end + 2)? != b"\r\n" {
            return None;
        }
        let name = std::str::from_utf8(&bytes[at..name_end]).ok()?;
        *fields.get_mut(found)? = httparse::Header { name, value: bytes[value_start..line_end].trim_ascii_end() };
        found += 1;
        at = line_end + 2;
    }
    (bytes.get(at..at + 2)? == b"\r\n").then_some((at + 2, path, found))
}

fn resumable(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let (pieces, limits) = (input.size, Limits::default());
    let mut index = HeadIndex::default();
    // Where the bytes end that have arrived by then.
    let arrivals = move |len: usize| (1..=pieces).map(move |piece| len * piece / pieces);
    let heads = heads(12, INPUTS * scale);
    let tell = |found: &Option<usize>| format!("{found:?}");
    match side {
        Side::Baseline => over(
            heads,
            move |head| {
                let whole = arrivals(head.len())
                    .any(|end| head::parse(&head[..end], &limits, &mut index).is_ok_and(|whole| whole));
                whole.then_some(index.fields.len())
            },
            tell,
        ),
        Side::Candidate => over(
            heads,
            move |head| {
                let mut scan = LineScan::default();
                let whole = arrivals(head.len()).any(|end| {
                    let bytes = &head[..end];
                    let is_whole = scan.is_fresh() || scan.find_end(bytes).is_ok_and(|end| end.is_some());
                    let parsed = is_whole && head::parse(bytes, &limits, &mut index).is_ok_and(|whole| whole);
                    if !parsed && scan.is_fresh() {
                        // A line that is no line would be refused here; these heads have none.
                        let _ = scan.find_end(bytes);
                    }
                    parsed
                });
                whole.then_some(index.fields.len())
            },
            tell,
        ),
    }
}

/// Fields that a handler asks for; the last one is in none of the heads.
const ASKED: [&str; 3] = ["user-agent", "accept", "if-none-match"];

fn index(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let heads = heads(input.size, INPUTS * scale);
    let tell = |found: &(usize, [Option<usize>; 3])| format!("{found:?}");
    match side {
        Side::Baseline => over(
            heads,
            |head| {
                let map = map(head).unwrap_or_default();
                (map.len(), ASKED.map(|name| map.get(name).map(HeaderValue::len)))
            },
            tell,
        ),
        Side::Candidate => {
            let (limits, mut index) = (Limits::default(), HeadIndex::default());
            over(
                heads,
                move |head| {
                    if head::parse(head, &limits, &mut index) != Ok(true) {
                        return Default::default();
                    }
                    let named = |name: &str| {
                        let mut fields = index.fields.iter();
                        fields.find(|field| field.name.of(head).eq_ignore_ascii_case(name.as_bytes()))
                    };
                    (index.fields.len(), ASKED.map(|name| named(name).map(|field| field.value.of(head).len())))
                },
                tell,
            )
        }
    }
}

fn map(head: &Bytes) -> Option<HeaderMap> {
    let mut fields = [httparse::EMPTY_HEADER; ROOM];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(head).ok()?.is_complete().then_some(())?;
    let mut map = HeaderMap::with_capacity(request.headers.len());
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        map.append(name, HeaderValue::from_maybe_shared(head.slice_ref(field.value)).ok()?);
    }
    Some(map)
}
