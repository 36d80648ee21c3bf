//! Extractors over a socket: what is sent, and the status and text that come back.
//!
//! One file for each kind of extractor, each with its handlers and a table. Run once more with the feature `simd-json`,
//! which changes no answer.

mod body;
mod cookies;
mod head;
mod json;
mod multipart;

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use armature_core::{Router, Server};

/// How long anything may take that should happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a server of one worker, which runs as long as the test process.
fn serve(app: fn() -> Router) -> SocketAddr {
    let server = Server::bind("127.0.0.1:0").unwrap().workers(1);
    let address = server.local_addr();
    let (ready, is_ready) = mpsc::channel();
    let server = server.on_ready(move || ready.send(()).unwrap());
    thread::spawn(move || server.serve(move |_| app()).unwrap());
    is_ready.recv().unwrap();
    address
}

/// A response, as far as these tests look at it.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// Sends a request in these pieces, each written when the one before has left, and reads the answer to its end.
fn exchange(address: SocketAddr, pieces: &[&[u8]]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    for piece in pieces {
        match stream.write_all(piece) {
            // The server has answered early and closed; what it said is still there to be read.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => break,
            written => written.unwrap(),
        }
    }
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    let received = String::from_utf8(received).unwrap();
    let (head, body) = received.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {received:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Asks for a target, with fields that each end in CR LF.
fn get(address: SocketAddr, target: &str, fields: &str) -> Answer {
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
    exchange(address, &[request.as_bytes()])
}

/// Sends a body of this content type, which may be missing.
fn post(address: SocketAddr, target: &str, content_type: &str, body: &[u8]) -> Answer {
    exchange(address, &[post_head(target, content_type, body.len()).as_bytes(), body])
}

fn post_head(target: &str, content_type: &str, length: usize) -> String {
    let content_type =
        if content_type.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
    format!("POST {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n{content_type}\r\n")
}
