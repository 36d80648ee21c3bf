//! Which responses are encoded, how, and what else changes with it; the codings are of the test's own.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::mpsc,
    task::{Context, Poll},
};

use armature_core::{
    Body, MediaType, Response, Router, StatusCode,
    body::{BodySource, StreamError},
    get,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::{Coding, Compression, Encoder},
};
use bytes::Bytes;

use crate::server::{Running, text};

/// Every byte as it is, between a mark of the coding's and one of its end, with `|` where it is flushed.
struct Marked(&'static str);

struct Marks {
    name: &'static str,
    has_begun: bool,
}

impl Coding for Marked {
    fn name(&self) -> &'static str {
        self.0
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(Marks { name: self.0, has_begun: false })
    }
}

impl Encoder for Marks {
    fn encode(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError> {
        if !std::mem::replace(&mut self.has_begun, true) {
            out.extend_from_slice(self.name.as_bytes());
            out.push(b'<');
        }
        if bytes.contains(&b'!') {
            return Err("cannot be encoded".into());
        }
        out.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), StreamError> {
        out.push(b'|');
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), StreamError> {
        out.push(b'>');
        Ok(())
    }
}

/// A text that is worth it.
fn long() -> String {
    "0123456789".repeat(150)
}

/// Pieces, each after a wait for the test's word.
struct Told {
    pieces: VecDeque<&'static str>,
    word: tokio::sync::mpsc::UnboundedReceiver<()>,
}

impl BodySource for Told {
    fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        match self.word.poll_recv(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => {
                Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))))
            }
        }
    }

    fn trailers(self: Pin<&mut Self>) -> Option<HeaderMap> {
        Some(HeaderMap::from_iter([(HeaderName::from_static("sum"), HeaderValue::from_static("1"))]))
    }
}

fn told(words: &mpsc::Sender<tokio::sync::mpsc::UnboundedSender<()>>) -> Response {
    let (say, word) = tokio::sync::mpsc::unbounded_channel();
    words.send(say).unwrap();
    Response::new(MediaType::TEXT, Body::stream(Told { pieces: VecDeque::from(["one", "two"]), word }))
}

/// A long text with one field more.
fn with(name: HeaderName, value: &'static str) -> impl Fn() -> std::future::Ready<Response> + Clone {
    move || {
        let response = Response::new(MediaType::TEXT, long());
        std::future::ready(response.with_header(name.clone(), HeaderValue::from_static(value)))
    }
}

fn app(words: mpsc::Sender<tokio::sync::mpsc::UnboundedSender<()>>) -> Router {
    Router::new()
        .route("/long", get(async || long()))
        .route("/large", get(async || "a".repeat(200_000)))
        .route("/short", get(async || "0123456789".repeat(102)))
        .route("/failing", get(async || long() + "!"))
        .route("/told", get(move || std::future::ready(told(&words))))
        .route("/empty", get(async || StatusCode::NO_CONTENT))
        .route("/partial", get(with(header::CONTENT_RANGE, "bytes 0-9/10")))
        .route("/part", get(async || (StatusCode::PARTIAL_CONTENT, long())))
        .route("/encoded", get(with(header::CONTENT_ENCODING, "br")))
        .route("/kept", get(with(header::CACHE_CONTROL, "public, No-Transform")))
        .route("/image", get(with(header::CONTENT_TYPE, "image/png")))
        .route("/problem", get(with(header::CONTENT_TYPE, "Application/problem+JSON; charset=utf-8")))
        .route("/strong", get(with(header::ETAG, "\"1\"")))
        .route(
            "/unchanged",
            get(async || {
                Response::status(StatusCode::NOT_MODIFIED).with_header(header::ETAG, HeaderValue::from_static("\"1\""))
            }),
        )
        .route("/weak", get(with(header::ETAG, "W/\"1\"")))
        .route("/ranges", get(with(header::ACCEPT_RANGES, "bytes")))
        .layer(Compression::new().with(Marked("gzip")).with(Marked("br")))
}

#[test]
fn the_client_s_choice() {
    let (words, _word) = mpsc::channel();
    let server = Running::start(move || app(words.clone()));
    let mut client = server.connect();
    let cases = [
        (None, None),
        (Some(""), None),
        (Some("gzip"), Some("gzip")),
        (Some("GZIP"), Some("gzip")),
        (Some("x-gzip"), Some("gzip")),
        (Some("br, gzip"), Some("gzip")),
        (Some("gzip;q=0.5, br;q=0.6"), Some("br")),
        (Some("gzip; q=0.5 , br ; Q=0.501"), Some("br")),
        (Some("gzip;q=0"), None),
        (Some("gzip;q=0.000, br;q=0.001"), Some("br")),
        (Some("gzip;q=x"), None),
        (Some("*"), Some("gzip")),
        (Some("gzip;q=0, *"), Some("br")),
        (Some("*;q=0"), None),
        (Some("identity"), None),
        (Some("identity;q=0.5, gzip;q=0.4"), None),
        (Some("identity;q=0.5, gzip;q=0.5"), Some("gzip")),
        (Some("identity;q=0"), None),
        (Some("zstd, deflate"), None),
        (Some("gzipped"), None),
    ];
    for (accepted, coding) in cases {
        let fields: Vec<_> = accepted.into_iter().map(|value| ("Accept-Encoding", value)).collect();
        let answer = client.ask("GET /long", &fields, "");
        assert_eq!(
            (answer.header("content-encoding"), answer.header("vary")),
            (coding, Some("accept-encoding")),
            "{accepted:?}"
        );
        let expected = coding.map_or_else(long, |coding| format!("{coding}<{}>", long()));
        assert_eq!(text(&answer), expected, "{accepted:?}");
    }
    let twice = client.ask("GET /long", &[("Accept-Encoding", "gzip;q=0.1"), ("Accept-Encoding", "br")], "");
    assert_eq!(twice.header("content-encoding"), Some("br"));
}

#[test]
fn what_is_encoded_and_what_is_not() {
    let (words, _word) = mpsc::channel();
    let server = Running::start(move || app(words.clone()));
    // Path, whether it is encoded, whether it varies, and a field that it has then.
    let cases = [
        ("GET /long", true, true, ("content-length", None)),
        ("HEAD /long", false, true, ("content-length", Some("1500"))),
        ("GET /large", true, true, ("content-length", None)),
        ("GET /short", false, false, ("content-length", Some("1020"))),
        ("GET /empty", false, false, ("content-length", None)),
        ("GET /partial", false, false, ("content-range", Some("bytes 0-9/10"))),
        ("GET /part", false, false, ("content-length", Some("1500"))),
        ("GET /kept", false, false, ("cache-control", Some("public, No-Transform"))),
        ("GET /image", false, false, ("content-type", Some("image/png"))),
        ("GET /problem", true, true, ("content-length", None)),
        ("GET /strong", true, true, ("etag", Some("W/\"1\""))),
        ("GET /weak", true, true, ("etag", Some("W/\"1\""))),
        ("GET /ranges", true, true, ("accept-ranges", None)),
        ("GET /other", false, false, ("content-length", Some("0"))),
    ];
    for (line, is_encoded, varies, (name, value)) in cases {
        let answer = server.ask(line, &[("Accept-Encoding", "gzip")], "");
        assert_eq!(answer.header("content-encoding"), is_encoded.then_some("gzip"), "{line}");
        assert_eq!(answer.header("vary"), varies.then_some("accept-encoding"), "{line}");
        assert_eq!(answer.header(name), value, "{line}");
        assert_eq!(answer.body.starts_with(b"gzip<") && answer.body.ends_with(b">"), is_encoded, "{line}");
    }
    let plain = server.ask("GET /strong", &[], "");
    assert_eq!((plain.header("etag"), plain.header("content-length")), (Some("\"1\""), Some("1500")));
    let own = server.ask("GET /encoded", &[("Accept-Encoding", "gzip")], "");
    assert_eq!((own.header("content-encoding"), text(&own)), (Some("br"), long().as_str()));
    let large = server.ask("GET /large", &[("Accept-Encoding", "br")], "");
    assert_eq!(text(&large), format!("br<{}>", "a".repeat(200_000)));
    let mut cut = server.connect();
    cut.send_request("GET /failing", &[("Accept-Encoding", "gzip")], "");
    assert!(!cut.read_to_end().ends_with(b"0\r\n\r\n"), "a body that failed looks whole");
}

#[test]
fn what_is_not_modified_is_told_as_it_was() {
    let (words, _) = mpsc::channel();
    let server = Running::start(move || app(words.clone()));
    for (accepted, tag) in [("gzip", "W/\"1\""), ("identity", "\"1\"")] {
        let answer = server.ask("GET /unchanged", &[("Accept-Encoding", accepted)], "");
        assert_eq!((answer.status, answer.header("etag")), (304, Some(tag)), "{accepted}");
        assert_eq!((answer.header("vary"), answer.header("content-encoding")), (Some("accept-encoding"), None));
    }
}

#[test]
fn a_stream_is_passed_on_whenever_it_waits() {
    let (words, word) = mpsc::channel();
    let server = Running::start(move || app(words.clone()));
    let mut client = server.connect();
    client.send_request("GET /told", &[("Accept-Encoding", "gzip")], "");
    let say = word.recv().unwrap();
    for expected in ["gzip<one", "|", "two", "|"] {
        if !expected.starts_with('|') {
            say.send(()).unwrap();
        }
        client.read_until(&format!("\r\n{expected}\r\n"));
    }
    say.send(()).unwrap();
    client.read_until("\r\n>\r\n0\r\nsum: 1\r\n\r\n");
}
