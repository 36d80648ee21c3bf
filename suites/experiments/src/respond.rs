//! Experiments on responses and their bodies.

use std::hint::black_box;

use armature_core::{Response, StatusCode};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

use crate::{
    experiment::{Experiment, Input, Side, input},
    operation::{INPUTS, Operation, over},
};

const LIST: &str = "the project's inherited list of optimisations";

pub(crate) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "status-response",
        group: "responses",
        claim: "A response that is a status and nothing else is a constant, and is made without an allocation.",
        source: LIST,
        baseline: "`http::Response` by its builder, with an empty `Bytes`",
        candidate: "`Response::status`, which is a `const fn`",
        inputs: &[
            input("ok", 200, "200, which is known when the program is compiled"),
            input("any", 0, "8 statuses, which are not"),
        ],
        threads: 1,
        make: status,
    },
    Experiment {
        name: "response-fields",
        group: "responses",
        claim: "Fields that are kept as they go on the wire cost less than a map of them.",
        source: "ARCHITECTURE.md, “Response fields are bytes”",
        baseline: "`http::Response` with a `HeaderMap`, written to a buffer that is used again",
        candidate: "lines in a new buffer as fields are set, as `armature_core::Response` keeps them, copied to one that is used again",
        inputs: &[input("1", 1, "1 field"), input("4", 4, "4 fields"), input("10", 10, "10 fields")],
        threads: 1,
        make: fields,
    },
    Experiment {
        name: "body-enum",
        group: "responses",
        claim: "An enum of the kinds of bodies costs less than a boxed trait object.",
        source: LIST,
        baseline: "`Box<dyn Body>`",
        candidate: "an enum of static, shared and owned bytes",
        inputs: &[
            input("static", 0, "static texts"),
            input("owned", 1, "owned bytes of 64 bytes"),
            input("mixed", 2, "static, shared and owned bodies in turn"),
        ],
        threads: 1,
        make: bodies,
    },
];

fn status(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    const STATUSES: [u16; 8] = [200, 201, 202, 301, 400, 403, 404, 503];
    let known = input.size == 200;
    let codes = STATUSES.into_iter().cycle().take(INPUTS * scale).map(|code| if known { 200 } else { code });
    match side {
        Side::Baseline => over(
            codes.filter_map(|code| http::StatusCode::from_u16(code).ok()).collect(),
            move |code| {
                let code = if known { http::StatusCode::OK } else { *code };
                http::Response::builder().status(code).body(Bytes::new()).ok()
            },
            |response| response.as_ref().map(|response| response.status().as_u16().to_string()).unwrap_or_default(),
        ),
        Side::Candidate => over(
            codes.filter_map(|code| StatusCode::from_u16(code).ok()).collect(),
            move |code| Response::status(if known { StatusCode::OK } else { *code }),
            |response| response.status_code().as_u16().to_string(),
        ),
    }
}

/// Names that answers have, none of which a server sets by itself.
const NAMES: [HeaderName; 10] = [
    header::CACHE_CONTROL,
    header::CONTENT_LANGUAGE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::REFERRER_POLICY,
    header::STRICT_TRANSPORT_SECURITY,
    header::VARY,
    header::X_CONTENT_TYPE_OPTIONS,
    header::X_FRAME_OPTIONS,
];

fn fields(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let value = |at: usize, name: &HeaderName| HeaderValue::try_from(format!("{name}-value-{at:03}")).ok();
    let all: Vec<Vec<(HeaderName, HeaderValue)>> = (0..INPUTS * scale)
        .map(|at| NAMES[..input.size].iter().filter_map(|name| Some((name.clone(), value(at, name)?))).collect())
        .collect();
    let mut out = Vec::with_capacity(4 * 1_024);
    match side {
        Side::Baseline => over(
            all,
            move |fields| {
                let mut response = http::Response::new(Bytes::new());
                for (name, value) in fields {
                    response.headers_mut().insert(name.clone(), value.clone());
                }
                out.clear();
                for (name, value) in response.headers() {
                    line(&mut out, name, value);
                }
                black_box(&out).len()
            },
            ToString::to_string,
        ),
        Side::Candidate => over(
            all,
            move |fields| {
                let mut lines = Vec::with_capacity(64);
                for (name, value) in fields {
                    line(&mut lines, name, value);
                }
                out.clear();
                out.extend_from_slice(black_box(&lines));
                black_box(&out).len()
            },
            ToString::to_string,
        ),
    }
}

fn line(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// What a server asks of a body.
trait Body {
    fn bytes(&self) -> &[u8];
}

impl Body for &'static str {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Body for Bytes {
    fn bytes(&self) -> &[u8] {
        self
    }
}

impl Body for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

enum Kind {
    Static(&'static str),
    Shared(Bytes),
    Owned(Vec<u8>),
}

impl Kind {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Static(text) => text.as_bytes(),
            Self::Shared(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

const TEXT: &str = "Hello, World!";

fn bodies(side: Side, input: &Input, scale: usize) -> Box<dyn Operation> {
    let shared = Bytes::from(vec![b'b'; 64]);
    // Which kind each answer has; it is not known when the program is compiled.
    let kinds: Vec<usize> = (0..INPUTS * scale).map(|at| if input.size == 2 { at % 3 } else { input.size }).collect();
    let tell = |digest: &(usize, Option<u8>)| format!("{digest:?}");
    fn digest(bytes: &[u8]) -> (usize, Option<u8>) {
        (bytes.len(), bytes.last().copied())
    }
    match side {
        Side::Baseline => over(
            kinds,
            move |kind| {
                let body: Box<dyn Body> = match kind {
                    0 => Box::new(TEXT),
                    1 => Box::new(vec![b'a'; 64]),
                    _ => Box::new(shared.clone()),
                };
                digest(black_box(body).bytes())
            },
            tell,
        ),
        Side::Candidate => over(
            kinds,
            move |kind| {
                let body = match kind {
                    0 => Kind::Static(TEXT),
                    1 => Kind::Owned(vec![b'a'; 64]),
                    _ => Kind::Shared(shared.clone()),
                };
                digest(black_box(body).bytes())
            },
            tell,
        ),
    }
}
