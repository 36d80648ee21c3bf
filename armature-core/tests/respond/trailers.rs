//! Trailers (RFC 9112 §7.1.2): behind chunks, and nowhere else.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use armature_core::{
    Body, MediaType, Response, Router,
    body::{BodySource, StreamError},
    get,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use bytes::Bytes;

use crate::{client::Client, server::Running};

struct Checked {
    pieces: VecDeque<&'static str>,
    declared: Option<u64>,
    trailers: Option<HeaderMap>,
}

impl BodySource for Checked {
    fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))))
    }

    fn length(&self) -> Option<u64> {
        self.declared
    }

    fn trailers(mut self: Pin<&mut Self>) -> Option<HeaderMap> {
        assert!(self.pieces.is_empty(), "asked for at the end");
        Some(self.trailers.take().expect("asked for once"))
    }
}

fn response(trailers: &[(HeaderName, &'static str)], declared: Option<u64>) -> Response {
    let trailers = trailers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
    let source = Checked { pieces: ["one", "two"].into(), declared, trailers: Some(trailers) };
    Response::new(MediaType::TEXT, Body::stream(source))
        .with_header(header::TRAILER, HeaderValue::from_static("checksum"))
}

const CHECKSUM: HeaderName = HeaderName::from_static("checksum");

/// Fields that have no place in a trailer section, and one that has.
fn misplaced() -> [(HeaderName, &'static str); 14] {
    [
        (header::CONTENT_LENGTH, "1"),
        (header::TRANSFER_ENCODING, "gzip"),
        (header::CONNECTION, "close"),
        (header::HOST, "a"),
        (header::CONTENT_TYPE, "text/css"),
        (header::CONTENT_ENCODING, "gzip"),
        (header::CONTENT_RANGE, "bytes */1"),
        (header::TRAILER, "a"),
        (header::DATE, "today"),
        (header::SET_COOKIE, "a=b"),
        (header::WWW_AUTHENTICATE, "Basic"),
        (header::CACHE_CONTROL, "no-store"),
        (header::LOCATION, "/"),
        (CHECKSUM, "12"),
    ]
}

fn routes() -> Router {
    Router::new()
        .route("/some", get(async || response(&[(CHECKSUM, "12"), (header::ETAG, "\"a\"")], None)))
        .route("/none", get(async || response(&[], None)))
        .route("/declared", get(async || response(&[(CHECKSUM, "12")], Some(6))))
        .route("/framing", get(async || response(&misplaced(), None)))
}

#[test]
fn trailers_stand_behind_the_last_chunk_and_nowhere_else() {
    let server = Running::start(routes);
    let chunks = "\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n";
    for (request, end) in [
        ("GET /some HTTP/1.1", format!("{chunks}checksum: 12\r\netag: \"a\"\r\n\r\n")),
        ("GET /none HTTP/1.1", format!("{chunks}\r\n")),
        ("GET /framing HTTP/1.1", format!("{chunks}checksum: 12\r\n\r\n")),
        ("GET /declared HTTP/1.1", "Content-Length: 6\r\n\r\nonetwo".into()),
        ("GET /some HTTP/1.0", "\r\n\r\nonetwo".into()),
        ("HEAD /some HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\n".into()),
    ] {
        let mut client = Client::connect(server.address);
        client.send(format!("{request}\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes());
        let received = String::from_utf8(client.read_to_end().unwrap()).unwrap();
        assert!(received.ends_with(&end), "{request}: {received}");
        assert_eq!(
            received.matches("checksum: 12").count(),
            end.matches("checksum: 12").count(),
            "{request}: {received}"
        );
        assert!(received.contains("\r\ntrailer: checksum\r\n"), "{received}");
    }
}

#[test]
fn the_connection_goes_on_behind_trailers() {
    let server = Running::start(routes);
    let mut client = Client::connect(server.address);
    client.send(b"GET /some HTTP/1.1\r\nHost: a\r\n\r\nGET /declared HTTP/1.1\r\nHost: a\r\n\r\n");
    client.finish();
    let received = String::from_utf8(client.read_to_end().unwrap()).unwrap();
    let (first, second) = received.split_once("etag: \"a\"\r\n\r\n").unwrap();
    assert!(first.starts_with("HTTP/1.1 200 OK\r\n") && second.starts_with("HTTP/1.1 200 OK\r\n"), "{received}");
    assert!(second.ends_with("\r\n\r\nonetwo"), "{received}");
}
