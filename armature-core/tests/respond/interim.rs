//! 103 (RFC 8297): before the response to its own request, byte for byte.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use armature_core::{
    Router, State, get,
    http::{HeaderMap, HeaderValue, header},
    service::EarlyHints,
};
use tokio::{sync::Semaphore, task::spawn_local};

use crate::{client::PATIENCE, server::Running};

const HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n";
const OTHER_HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </b>; rel=preload\r\nlink: </c>; rel=preload\r\n\r\n";

fn links(values: &[&'static str]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    // What is about a body that is still to come has no place here.
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from_static("1"));
    for value in values {
        fields.append(header::LINK, HeaderValue::from_static(value));
    }
    fields
}

fn hint(hints: &EarlyHints) {
    hints.send(&links(&["</a>; rel=preload"]));
}

fn other_hint(hints: &EarlyHints) {
    hints.send(&links(&["</b>; rel=preload", "</c>; rel=preload"]));
}

/// What handlers wait at; tests let them pass one by one.
#[derive(Clone)]
struct Gate(Arc<Semaphore>);

impl Gate {
    async fn pass(&self) {
        self.0.acquire().await.expect("it is never closed").forget();
    }

    fn let_pass(&self, number: usize) {
        self.0.add_permits(number);
    }
}

async fn one(State(gate): State<Gate>, hints: EarlyHints) -> &'static str {
    hint(&hints);
    gate.pass().await;
    "one"
}

async fn several(State(gate): State<Gate>, hints: EarlyHints) -> &'static str {
    hint(&hints);
    other_hint(&hints);
    gate.pass().await;
    hint(&hints);
    gate.pass().await;
    other_hint(&hints);
    "several"
}

async fn spawned(State(gate): State<Gate>, hints: EarlyHints) -> &'static str {
    let inner = gate.clone();
    let task = spawn_local(async move {
        inner.pass().await;
        hint(&hints);
    });
    task.await.expect("it does not panic");
    gate.pass().await;
    "spawned"
}

async fn late(State(gate): State<Gate>, hints: EarlyHints) -> &'static str {
    spawn_local(async move {
        gate.pass().await;
        hint(&hints);
    });
    "late"
}

async fn at_once(hints: EarlyHints) -> &'static str {
    hint(&hints);
    "at once"
}

fn routes(gate: Gate) -> Router {
    Router::new()
        .route("/plain", get(async || "plain"))
        .route("/one", get(one))
        .route("/several", get(several))
        .route("/spawned", get(spawned))
        .route("/late", get(late))
        .route("/at-once", get(at_once))
        .with_state(gate)
}

/// A connection whose bytes are looked at as they are.
struct Bytes(TcpStream);

impl Bytes {
    fn ask(server: &Running, requests: &[&str]) -> Self {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let requests: String = requests.iter().map(|line| format!("{line}\r\nHost: a\r\n\r\n")).collect();
        stream.write_all(requests.as_bytes()).unwrap();
        Self(stream)
    }

    fn expect(&mut self, expected: &str) {
        let mut received = vec![0; expected.len()];
        self.0.read_exact(&mut received).unwrap();
        assert_eq!(received.escape_ascii().to_string(), expected.as_bytes().escape_ascii().to_string());
    }

    /// A response of 200 with this body, which its Date makes different every second.
    fn expect_response(&mut self, body: &str) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", head.escape_ascii());
        self.expect(body);
    }
}

fn start() -> (Running, Gate) {
    let gate = Gate(Arc::new(Semaphore::new(0)));
    let inside = gate.clone();
    (Running::start(move || routes(inside.clone())), gate)
}

#[test]
fn hints_arrive_while_the_handler_waits() {
    let (server, gate) = start();
    let mut client = Bytes::ask(&server, &["GET /one HTTP/1.1"]);
    client.expect(HINT);
    gate.let_pass(1);
    client.expect_response("one");

    let mut client = Bytes::ask(&server, &["GET /several HTTP/1.1"]);
    client.expect(HINT);
    client.expect(OTHER_HINT);
    gate.let_pass(1);
    client.expect(HINT);
    gate.let_pass(1);
    client.expect(OTHER_HINT);
    client.expect_response("several");
}

#[test]
fn a_hint_of_another_task_arrives_while_the_handler_waits() {
    let (server, gate) = start();
    let mut client = Bytes::ask(&server, &["GET /spawned HTTP/1.1"]);
    gate.let_pass(1);
    client.expect(HINT);
    gate.let_pass(1);
    client.expect_response("spawned");
}

#[test]
fn hints_stand_before_their_own_response_in_a_pipeline() {
    let (server, gate) = start();
    let requests = ["GET /plain", "GET /at-once", "GET /one", "HEAD /at-once", "GET /plain"];
    let requests = requests.map(|request| format!("{request} HTTP/1.1"));
    let mut client = Bytes::ask(&server, &requests.each_ref().map(String::as_str));
    client.expect_response("plain");
    client.expect(HINT);
    client.expect_response("at once");
    client.expect(HINT);
    gate.let_pass(1);
    client.expect_response("one");
    client.expect(HINT);
    client.expect_response("");
    client.expect_response("plain");
}

#[test]
fn a_client_of_http_1_0_gets_none() {
    let (server, gate) = start();
    gate.let_pass(3);
    for (path, body) in [("/at-once", "at once"), ("/one", "one"), ("/several", "several")] {
        Bytes::ask(&server, &[&format!("GET {path} HTTP/1.0")]).expect_response(body);
    }
}

#[test]
fn a_hint_that_comes_too_late_is_not_taken_for_one_about_the_next_request() {
    let (server, gate) = start();
    let mut client = Bytes::ask(&server, &["GET /late HTTP/1.1"]);
    client.expect_response("late");
    // The task that is late gets the first permit, as it asked first.
    let (asked, request) = ("GET /one HTTP/1.1\r\nHost: a\r\n\r\n", "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
    client.0.write_all(asked.as_bytes()).unwrap();
    client.expect(HINT);
    gate.let_pass(2);
    client.expect_response("one");
    client.0.write_all(request.as_bytes()).unwrap();
    client.expect_response("plain");
}
