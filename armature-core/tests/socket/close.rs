//! How connections end, and that no answer is lost when they do (RFC 9112 §9.6).

use std::time::{Duration, Instant};

use armature_core::Limits;

use crate::{
    app::{self, Running},
    client::{Client, PATIENCE, get, until},
};

#[test]
fn no_reset_overtakes_the_answer_to_a_long_upload() {
    let server = Running::start(Limits::default());
    let body = vec![b'x'; 4 << 20];
    for path in ["/ignore", "/none", "/panic"] {
        let mut client = Client::connect(server.address);
        let method = if path == "/panic" { "GET" } else { "POST" };
        client
            .send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
        // The server reads on for a while after its answer; what it does not read any more fails here, without harm.
        client.send(&body[..200_000]);
        let answer = client.read_answer().unwrap();
        assert_eq!(answer.header("connection"), Some("close"), "{path}");
        assert_eq!(client.read_to_end(), Ok(Vec::new()), "{path}");
    }
}

#[test]
fn lingering_ends_by_time() {
    let limits = Limits { linger_deadline: Duration::from_millis(100), ..Limits::default() };
    let server = Running::start(limits);
    let mut client = Client::connect(server.address);
    client.send(&get("/closing"));
    client.read_answer().unwrap();
    until("the server has closed", || server.handle.counters().connections_closed == 1);
}

#[test]
fn lingering_ends_by_bytes() {
    let limits = Limits { linger_deadline: PATIENCE * 3, linger_bytes_max: 1_000, ..Limits::default() };
    let server = Running::start(limits);
    let mut client = Client::connect(server.address);
    client.send(&get("/closing"));
    client.read_answer().unwrap();
    until("the server has closed", || {
        client.send(&[b'x'; 500]);
        server.handle.counters().connections_closed == 1
    });
}

#[test]
fn a_half_closed_connection_is_answered_without_spinning() {
    let server = Running::start(Limits::default());
    let mut client = Client::connect(server.address);
    let mut beacon = Client::connect(server.address);
    client.send(&get("/gate"));
    client.finish();
    app::GATE_WAITS.wait_for(1);
    // Many turns of the worker's loop; each would poll a handler that is woken by the peer's end again and again.
    for _ in 0..200 {
        beacon.send(&get("/second"));
        beacon.read_answer().unwrap();
    }
    assert!(app::GATE_POLLS.get() <= 20, "polled {} times", app::GATE_POLLS.get());
    app::GATE.open();
    assert_eq!(client.read_answer().unwrap().body, b"opened");
    assert_eq!(client.read_to_end(), Ok(Vec::new()));
}

#[test]
fn a_panic_ends_its_connection_and_nothing_else() {
    let server = Running::start(Limits::default());
    let mut other = Client::connect(server.address);
    for round in 1..=3 {
        let mut client = Client::connect(server.address);
        client.send(&[get("/users/1"), get("/panic"), get("/users/2")].concat());
        assert_eq!(client.read_answer().unwrap().body, b"1");
        assert_eq!(client.read_answer().unwrap().status, 500);
        assert_eq!(client.read_to_end(), Ok(Vec::new()));
        other.send(&get("/second"));
        assert_eq!(other.read_answer().unwrap().body, b"second");
        assert_eq!(server.handle.counters().handler_panics, round);
    }
}

#[test]
fn connections_over_the_limit_wait_for_their_turn() {
    let server = Running::start(Limits {
        connections_max: 1,
        backlog_connections: 8,
        cull_idle_min: PATIENCE * 3,
        ..Limits::default()
    });
    let mut first = Client::connect(server.address);
    first.send(&get("/users/1"));
    first.read_answer().unwrap();
    let mut second = Client::connect(server.address);
    second.send(&get("/users/2"));
    first.send(&get("/users/3"));
    assert_eq!(first.read_answer().unwrap().body, b"3");
    assert_eq!(server.handle.counters().connections_accepted, 1);
    drop(first);
    assert_eq!(second.read_answer().unwrap().body, b"2");
}

#[test]
fn the_backlog_is_as_long_as_it_is_told_to_be() {
    let server = Running::start(Limits {
        connections_max: 1,
        backlog_connections: 2,
        cull_idle_min: PATIENCE * 3,
        ..Limits::default()
    });
    let mut first = Client::connect(server.address);
    first.send(&get("/"));
    first.read_answer().unwrap();
    // listen(2): the kernel takes one more than it is told, and leaves further SYNs unanswered.
    let started = Instant::now();
    let attempts: Vec<_> =
        (0..6).map(|_| std::net::TcpStream::connect_timeout(&server.address, Duration::from_millis(150))).collect();
    let connected = attempts.iter().filter(|attempt| attempt.is_ok()).count();
    assert!((2..=4).contains(&connected), "{connected} connected in {:?}", started.elapsed());
}

#[test]
fn the_last_answer_is_written_whole_before_the_end() {
    let server = Running::start(Limits::default());
    let mut client = Client::connect(server.address);
    client.send(&get("/large").repeat(40));
    client.send(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    // Meanwhile the sockets between are full, and the server has decided to close.
    until("all are answered", || server.handle.counters().requests > 0);
    for number in 0..=40 {
        let answer = client.read_answer().unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 100_000), "{number}");
    }
    assert_eq!(client.read_to_end(), Ok(Vec::new()));
}

#[test]
fn an_answer_does_not_wait_for_what_comes_behind_its_request() {
    let server = Running::start(Limits::default());
    // Half a head, a head whose body is missing, and a request whose handler waits.
    let behind = ["GET / HTTP/1.1\r\nHo", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"];
    for behind in behind {
        let mut client = Client::connect(server.address);
        client.send(&[&get("/users/1"), behind.as_bytes()].concat());
        assert_eq!(client.read_answer().unwrap().body, b"1", "{behind}");
    }
    let server = Running::start_with(Limits::default(), 1, app::slow);
    let mut client = Client::connect(server.address);
    client.send(&[get("/at-once"), get("/never")].concat());
    assert_eq!(client.read_answer().unwrap().body, b"at once");
}
