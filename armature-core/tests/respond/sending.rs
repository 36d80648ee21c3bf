//! Files that are too large to be read at once: sent by the kernel, or piece by piece, and never more or less than declared.

use std::{
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::FileExt,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use armature_core::{
    Body, Files, Response, Router,
    body::{BodySource, StreamError},
    middleware::{Next, from_fn},
    service::OwnedRequest,
    test::TestClient,
};
use bytes::Bytes;
use tempfile::TempDir;

use crate::{
    client::{Client, PATIENCE, get},
    server::Running,
};

/// More than the buffers of a connection hold, so that a client that does not read keeps the rest unsent.
const LARGE: u64 = 64 * 1024 * 1024;

/// A body whose source does not say that it is a file, as behind a middleware that looks at what is sent.
struct Pieces(Pin<Box<dyn BodySource>>);

impl BodySource for Pieces {
    fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        self.0.as_mut().poll_piece(cx)
    }

    fn length(&self) -> Option<u64> {
        self.0.length()
    }
}

async fn in_pieces(request: OwnedRequest, next: Next) -> Response {
    let mut response = next.run(request).await;
    match response.take_body() {
        Body::Stream(source) => response.set_body(Body::stream(Pieces(source))),
        body => response.set_body(body),
    }
    response
}

fn routes(root: &Path) -> Router {
    let files = Files::new(root).unwrap();
    Router::new()
        .route_service("/pieces/{*path}", files.clone())
        .layer(from_fn(in_pieces))
        .route_service("/kernel/{*path}", files)
}

fn serve(place: &TempDir) -> Running {
    let root = place.path().to_owned();
    Running::start(move || routes(&root))
}

/// Bytes of which no two parts are alike.
fn content(length: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn every_size_and_part_arrives_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let server = serve(&place);
    for length in [0, 1, 32_768, 32_769, 65_537, 300_000, 5_000_000_u32] {
        let bytes = content(length);
        std::fs::write(place.path().join(length.to_string()), &bytes).unwrap();
        for way in ["kernel", "pieces"] {
            let mut client = Client::connect(server.address);
            let path = format!("/{way}/{length}");
            let ranged = |range: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\nRange: bytes={range}\r\n\r\n");
            // Pipelined, so that what is sent too much or too little spoils the next answer.
            let requests = [get(&path), ranged("1-").into_bytes(), ranged("-70000").into_bytes(), get(&path)];
            client.send(&requests.concat());
            let last = &bytes[bytes.len().saturating_sub(70_000)..];
            let after_first = bytes.get(1..).filter(|rest| !rest.is_empty());
            for (status, expected) in [
                (200, &*bytes),
                if length == 0 { (200, &*bytes) } else { after_first.map_or((416, &[][..]), |rest| (206, rest)) },
                if length == 0 { (200, &*bytes) } else { (206, last) },
                (200, &*bytes),
            ] {
                let answer = client.read_answer().unwrap();
                assert!(
                    (answer.status, &*answer.body) == (status, expected),
                    "{path}: {} {}",
                    answer.status,
                    answer.body.len()
                );
            }
        }
    }
}

#[test]
fn a_connection_that_cannot_have_the_kernel_send_reads() {
    let place = tempfile::tempdir().unwrap();
    let bytes = content(300_000);
    std::fs::write(place.path().join("large"), &bytes).unwrap();
    let mut client = TestClient::in_process(routes(place.path())).unwrap();
    let answer = client.get("/kernel/large").send().unwrap();
    assert!((answer.status().as_u16(), &answer.body()[..]) == (200, &bytes[..]));
    let answer = client.get("/kernel/large").header("range", "bytes=100000-").send().unwrap();
    assert!((answer.status().as_u16(), &answer.body()[..]) == (206, &bytes[100_000..]));
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_cuts_the_connection() {
    let place = tempfile::tempdir().unwrap();
    let server = serve(&place);
    for way in ["kernel", "pieces"] {
        let file = File::create(place.path().join("large")).unwrap();
        file.set_len(LARGE).unwrap();
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // What comes behind must not be answered.
        stream.write_all(&[get(&format!("/{way}/large")), get("/none")].concat()).unwrap();
        let mut first = [0; 1];
        stream.read_exact(&mut first).unwrap();
        file.set_len(1_000).unwrap();
        let mut received = Vec::new();
        // The connection may end in order or be reset.
        let _ = stream.read_to_end(&mut received);
        assert!(received.len() < LARGE as usize, "{way}: {}", received.len());
        assert!(received.windows(4).any(|window| window == b"\r\n\r\n"), "{way}");
        let head_len = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        assert!(received[head_len..].iter().all(|byte| *byte == 0), "{way}: something follows");
    }
}

#[test]
fn what_is_appended_while_a_file_is_sent_is_left_out() {
    let place = tempfile::tempdir().unwrap();
    let server = serve(&place);
    for way in ["kernel", "pieces"] {
        let file = File::create(place.path().join("large")).unwrap();
        file.set_len(LARGE).unwrap();
        let mut client = Client::connect(server.address);
        client.send(&[get(&format!("/{way}/large")), get("/none")].concat());
        let head = client.read_until(b"\r\n\r\n");
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{way}");
        file.write_all_at(b"appended", LARGE).unwrap();
        client.finish();
        let rest = client.read_to_end().unwrap();
        let (body, next) = rest.split_at(LARGE as usize);
        assert!(body.iter().all(|byte| *byte == 0), "{way}");
        assert!(next.starts_with(b"HTTP/1.1 404"), "{way}");
    }
}

#[test]
fn a_client_that_does_not_read_keeps_no_one_else_waiting() {
    let place = tempfile::tempdir().unwrap();
    File::create(place.path().join("large")).unwrap().set_len(LARGE).unwrap();
    std::fs::write(place.path().join("small"), "small").unwrap();
    let server = serve(&place);
    for way in ["kernel", "pieces"] {
        let mut idle: Vec<_> = (0..4).map(|_| Client::connect(server.address)).collect();
        for client in &mut idle {
            client.send(&get(&format!("/{way}/large")));
        }
        let mut client = Client::connect(server.address);
        for _ in 0..20 {
            client.send(&get(&format!("/{way}/small")));
            assert_eq!(client.read_answer().unwrap().body, b"small");
        }
    }
}
