//! Experiments on what a handler learns of a request's fields: lists of pairs that it owns, one cookie, the header map.

use armature_core::{
    Query, RequestBody, SmallPairs,
    cookie::Cookie,
    extract::{Cookies, FromHead},
    http::header,
    service::{OwnedRequest, RequestHead},
};

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
};

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "small-pairs",
        group: "inline collections",
        claim: "Pairs of a query in one place save allocating each name and value.",
        source: "the project's inherited list of optimisations",
        baseline: "`Query<Vec<(String, String)>>` of a request",
        candidate: "`Query<armature_core::SmallPairs>`: 8 pairs with 128 bytes of text in place",
        inputs: &[
            input("1", 1, "a query of 1 pair"),
            input("4", 4, "a query of 4 pairs"),
            input("8", 8, "a query of 8 pairs"),
            input("24", 24, "a query of 24 pairs, which are more than there is room for in place"),
        ],
        threads: 1,
        make: pairs,
    },
    Experiment {
        name: "borrowed-cookie",
        group: "inline collections",
        claim: "Reading one cookie where it was sent saves making a list of all.",
        source: "the project's inherited list of optimisations",
        baseline: "the extractor `Cookies`, and the cookie of that name in it",
        candidate: "`RequestHead::cookie`",
        inputs: &[
            input("1", 1, "1 cookie, which is asked for"),
            input("8", 8, "8 cookies, of which the last is asked for"),
            input("30", 30, "30 cookies, of which the last is asked for"),
        ],
        threads: 1,
        make: cookie,
    },
    Experiment {
        name: "lazy-headers",
        group: "request heads",
        claim: "A header map that is built when a handler asks for it costs nobody else anything.",
        source: "the project's inherited list of optimisations",
        baseline: "`RequestHead::header_map` for every request, and what is asked for from it",
        candidate: "`RequestHead::header`, and the map where the whole of it is asked for",
        inputs: &[
            input("none", 0, "a browser's request of 13 fields to a handler that asks for none"),
            input("one", 1, "the same to a handler that asks for one"),
            input("three", 3, "the same to a handler that asks for three"),
            input("map", 13, "the same to a handler that asks for the map"),
        ],
        threads: 1,
        make: lazy,
    },
];

/// A request with this target and these lines.
fn request(target: &str, lines: &str) -> OwnedRequest {
    let head = format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\n{lines}\r\n");
    OwnedRequest::parse(head, RequestBody::empty())
        .unwrap_or_else(|error| panic!("a head of the experiment's: {error}"))
}

fn extracted<T: FromHead<()>>(head: &RequestHead<'_>) -> Option<T> {
    T::from_head(head, &()).ok()
}

fn pairs(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    const NAMES: [&str; 6] = ["page", "size", "sort", "customer", "from", "session"];
    let pair = |at: usize, part: usize| {
        let value = if part % 4 == 3 { format!("a+b%20{at}") } else { format!("value{}", at * 31 + part) };
        format!("{}{part}={value}", NAMES[part % NAMES.len()])
    };
    let target =
        |at: usize| format!("/find?{}", (0..input.size).map(|part| pair(at, part)).collect::<Vec<_>>().join("&"));
    let requests = (0..INPUTS * scale).map(|at| request(&target(at), "")).collect();
    match side {
        Side::Baseline => over(
            requests,
            |request| extracted::<Query<Vec<(String, String)>>>(&request.head()).map(|Query(pairs)| pairs),
            |pairs| format!("{pairs:?}"),
        ),
        Side::Candidate => over(
            requests,
            |request| extracted::<Query<SmallPairs>>(&request.head()).map(|Query(pairs)| pairs),
            |pairs| format!("{pairs:?}"),
        ),
    }
}

fn cookie(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let others = (1..input.size).map(|at| format!("visited{at}={}; ", at * 7_919)).collect::<String>();
    let line = |at: usize| format!("Cookie: {others}session=5f4dcc3b5aa765d6{:04}\r\n", at * 31);
    let requests = (0..INPUTS * scale).map(|at| request("/basket", &line(at))).collect();
    // What is learned of the session, without keeping it: the length, and its last digit.
    let digest = |value: &str| (value.len(), value.bytes().last());
    let tell = |session: &Option<(usize, Option<u8>)>| format!("{session:?}");
    match side {
        Side::Baseline => over(
            requests,
            move |request| {
                let cookies = extracted::<Cookies>(&request.head())?;
                cookies.get("session").map(Cookie::value).map(digest)
            },
            tell,
        ),
        Side::Candidate => over(requests, move |request| request.head().cookie("session").map(digest), tell),
    }
}

/// What a browser sends, with a hole for what differs from request to request.
const LINES: &str = "Connection: keep-alive\r\nCache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
    Accept: text/html,application/xhtml+xml\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Dest: document\r\nReferer: https://shop.example/catalogue?page={}\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\nCookie: session=5f4dcc3b5aa765d61d8327deb882cf{}\r\nX-Shop-Basket: {}\r\n";

fn lazy(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    const ASKED: [header::HeaderName; 3] = [header::COOKIE, header::ACCEPT_LANGUAGE, header::IF_NONE_MATCH];
    let asked = input.size;
    let line = |at: usize| LINES.replace("{}", &(10 + at).to_string());
    let requests = (0..INPUTS * scale).map(|at| request(&format!("/articles/{at}"), &line(at))).collect();
    let tell = |told: &(usize, usize)| format!("{told:?}");
    let from_map = move |head: &RequestHead<'_>| {
        let map = std::hint::black_box(head.header_map());
        let lengths = ASKED[..asked.min(3)].iter().map(|name| map.get(name).map_or(0, http::HeaderValue::len)).sum();
        (lengths, if asked > 3 { map.len() } else { head.path().len() })
    };
    match side {
        Side::Baseline => over(requests, move |request| from_map(&request.head()), tell),
        Side::Candidate => over(
            requests,
            move |request| {
                let head = request.head();
                if asked > 3 {
                    return from_map(&head);
                }
                let lengths = ASKED[..asked].iter().map(|name| head.header(name.as_str()).map_or(0, <[u8]>::len)).sum();
                (lengths, head.path().len())
            },
            tell,
        ),
    }
}
