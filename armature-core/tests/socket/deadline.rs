//! Deadlines: each is short in its own test and out of the way in all others.

use std::{
    thread,
    time::{Duration, Instant},
};

use armature_core::Limits;

use crate::{
    answer,
    app::{self, Running},
    client::{Client, PATIENCE, get, until},
};

const SHORT: Duration = Duration::from_millis(150);

/// No deadline that a test could meet by accident.
fn patient() -> Limits {
    Limits {
        head_deadline: PATIENCE * 3,
        idle_deadline: PATIENCE * 3,
        body_deadline: PATIENCE * 3,
        write_deadline: PATIENCE * 3,
        ..Limits::default()
    }
}

fn refused_in_time(client: &mut Client, status: u16) {
    let answer = client.read_answer().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (status, Some("close")));
    assert_eq!(client.read_to_end(), Ok(Vec::new()));
}

#[test]
fn a_first_head_is_due_after_accept() {
    let server = Running::start(Limits { head_deadline: SHORT, ..patient() });
    for part in ["", "G", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let started = Instant::now();
        let mut client = Client::connect(server.address);
        client.send(part.as_bytes());
        refused_in_time(&mut client, 408);
        assert!(started.elapsed() >= SHORT, "{part:?}");
    }
}

#[test]
fn a_head_that_does_not_come_is_not_answered_as_the_request_before_it() {
    let server = Running::start(Limits { head_deadline: SHORT, ..patient() });
    // With a version that has no persistence of its own, too; and with nothing before.
    let before = [("", false), ("HEAD / HTTP/1.1", true), ("GET / HTTP/1.1", false), ("GET / HTTP/1.0", false)];
    for (first, is_head) in before {
        for (partial, to_head) in [("GET /pl", false), ("HEAD /pl", true)] {
            let mut client = Client::connect(server.address);
            if !first.is_empty() {
                client.send(format!("{first}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").as_bytes());
            }
            client.send(partial.as_bytes());
            let received = client.read_to_end().unwrap();
            let mut rest = &received[..];
            if !first.is_empty() {
                rest = answer::read(rest, is_head, true).unwrap().unwrap().1;
            }
            let (answer, rest) = answer::read(rest, to_head, true).unwrap().unwrap();
            let got = (answer.status, answer.header("connection"), answer.body.is_empty(), rest);
            assert_eq!(got, (408, Some("close"), to_head, &b""[..]), "{first:?} {partial:?}");
        }
    }
}

#[test]
fn bytes_that_drip_in_do_not_extend_it() {
    let server = Running::start(Limits { head_deadline: SHORT, ..patient() });
    let mut client = Client::connect(server.address);
    client.send(&get("/"));
    client.read_answer().unwrap();
    for byte in b"GET / HTTP/1.1\r\nHost: a".repeat(3) {
        client.send(&[byte]);
        // The pace of the dripping client; a whole head at this pace takes three times the deadline.
        thread::sleep(Duration::from_millis(7));
    }
    refused_in_time(&mut client, 408);
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let server = Running::start(Limits { idle_deadline: SHORT, ..patient() });
    let mut client = Client::connect(server.address);
    client.send(&get("/"));
    client.read_answer().unwrap();
    let started = Instant::now();
    assert_eq!(client.read_to_end(), Ok(Vec::new()));
    assert!(started.elapsed() >= SHORT - Duration::from_millis(60));
}

#[test]
fn a_body_that_stops_is_refused() {
    let server = Running::start(Limits { body_deadline: SHORT, ..patient() });
    for head in ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"] {
        let mut client = Client::connect(server.address);
        client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\n{head}").as_bytes());
        refused_in_time(&mut client, 408);
    }
}

#[test]
fn a_body_below_the_slowest_rate_is_refused_and_one_above_it_is_not() {
    let limits = Limits { body_deadline: Duration::from_millis(400), body_rate_bytes_per_s_min: 2_000, ..patient() };
    let server = Running::start(limits);
    // 200 pieces, 5 ms apart, take longer than the deadline; at 40 bytes each they come at four times the rate, at 1
    // byte each at a tenth of it.
    for (piece_bytes, status) in [(40, 200), (1, 408)] {
        let mut client = Client::connect(server.address);
        client.send(
            format!("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 200 * piece_bytes).as_bytes(),
        );
        for _ in 0..200 {
            client.send(&vec![b'x'; piece_bytes]);
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(client.read_answer().unwrap().status, status, "{piece_bytes}");
    }
}

#[test]
fn a_body_has_time_from_when_it_is_asked_for() {
    // Less than the handler takes before it reads, and more than the client then takes.
    let limits = Limits { body_deadline: Duration::from_millis(500), ..patient() };
    let server = Running::start_with(limits, 1, app::slow);
    for (sent_first, expectation) in [("", "Expect: 100-continue\r\n"), ("he", "")] {
        let mut client = Client::connect(server.address);
        let head = format!("POST /late-reader HTTP/1.1\r\nHost: a\r\n{expectation}Content-Length: 5\r\n\r\n");
        client.send(&[head.as_bytes(), sent_first.as_bytes()].concat());
        if expectation.is_empty() {
            // Until after the handler has asked.
            thread::sleep(Duration::from_millis(800));
        } else {
            assert_eq!(client.read_answer().unwrap().status, 100);
            thread::sleep(Duration::from_millis(200));
        }
        client.send(&b"hello"[sent_first.len()..]);
        let answer = client.read_answer().unwrap();
        assert_eq!((answer.status, &*answer.body), (200, &b"5"[..]), "{expectation:?}");
    }
}

#[test]
fn a_client_that_does_not_read_is_cut_and_costs_bounded_memory() {
    let limits = Limits { write_deadline: SHORT, output_bytes_per_poll_max: 100_000, ..patient() };
    let server = Running::start(limits);
    let mut client = Client::connect(server.address);
    // 500 answers of 100 kB; the sockets between hold a few MB at most.
    client.send(&get("/large").repeat(500));
    until("the connection is cut", || server.handle.counters().connections_closed == 1);
    let answered = server.handle.counters().requests;
    assert!(answered < 300, "{answered} answers were made for a client that reads none");
}
