//! Connections that are cut, closed, refused or slow, and answers that come in pieces.

use std::{io::Read, net::TcpListener};

use probe::load::{Body, Event, Mode};

use crate::peer::{Generator, ok, plan, run, server};

#[test]
fn answers_in_pieces_are_answers() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\nh\r\n4\r\nello\r\n0\r\nX: y\r\n\r\n";
    for (answer, piece, pipeline) in [
        (chunked.to_owned(), 1, 1),
        (chunked.to_owned(), 7, 3),
        (ok("hello"), 1, 1),
        (ok("hello"), 3, 4),
        (ok("hello"), 41, 2),
    ] {
        let address = server(move |peer| {
            'all: while peer.request().is_some() {
                for bytes in answer.as_bytes().chunks(piece) {
                    if !peer.send(bytes) {
                        break 'all;
                    }
                }
            }
        });
        let mut plan = plan(address, Body::Exact { text: "hello".to_owned() });
        plan.pipeline = pipeline;
        let outcome = run(&plan);
        assert_eq!(outcome.errors.total(), 0, "pieces of {piece}: {outcome:?}");
        assert!(outcome.requests > 0);
    }
}

#[test]
fn large_bodies_are_read_to_their_end() {
    let text = "0123456789abcdef".repeat(20_000);
    let answer = ok(&text);
    let address = server(move |peer| peer.answer_all(&answer));
    let outcome = run(&plan(address, Body::Exact { text }));
    assert_eq!(outcome.errors.total(), 0, "{:?}", outcome.first_error);
    assert!(outcome.verified > 0);
}

#[test]
fn a_close_between_answers_is_no_error() {
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
    let by_end = "HTTP/1.1 200 OK\r\n\r\nhi";
    for answer in [announced, by_end] {
        for mode in [Mode::Closed, Mode::Open { rate_per_s: 200.0 }] {
            let address = server(move |peer| {
                if peer.request().is_some() {
                    peer.send(answer.as_bytes());
                }
            });
            let mut plan = plan(address, Body::Exact { text: "hi".to_owned() });
            plan.mode = mode;
            plan.connections = 2;
            let outcome = run(&plan);
            assert_eq!(outcome.errors.total(), 0, "{answer:?}, {mode:?}: {outcome:?}");
            assert!(outcome.requests > 10, "{answer:?}, {mode:?}: {outcome:?}");
        }
    }
}

#[test]
fn a_connection_is_made_anew_after_so_many_answers() {
    for (every, pipeline, answers_max) in [(10, 1, 10_u64), (3, 1, 3), (3, 2, 4)] {
        for mode in [Mode::Closed, Mode::Open { rate_per_s: 500.0 }] {
            if pipeline > 1 && mode != Mode::Closed {
                continue;
            }
            // A connection that is kept for too long is answered wrong, which the generator counts.
            let address = server(move |peer| {
                let mut answers = 0;
                while peer.request().is_some() {
                    answers += 1;
                    let body = if answers <= answers_max { "hi" } else { "one too many" };
                    peer.send(ok(body).as_bytes());
                }
            });
            let mut plan = plan(address, Body::Exact { text: "hi".to_owned() });
            (plan.mode, plan.pipeline, plan.connections) = (mode, pipeline, 2);
            plan.reconnect_every = Some(every);
            let outcome = run(&plan);
            assert_eq!(outcome.errors.total(), 0, "{every}, {mode:?}: {outcome:?}");
            let least = outcome.requests_total / answers_max;
            // Those that the warm-up left in the middle of their answers count in neither.
            assert!(outcome.connects + 2 >= least && least > 2, "{every}, {mode:?}: {outcome:?}");
        }
    }
}

#[test]
fn answers_lost_with_their_connection_are_read_errors() {
    // Each connection answers twice and breaks off in the third answer.
    let address = server(|peer| {
        for _ in 0..2 {
            if peer.request().is_none() || !peer.send(ok("hello").as_bytes()) {
                return;
            }
        }
        if peer.request().is_some() {
            peer.send(&ok("hello").as_bytes()[..20]);
        }
    });
    for pipeline in [1, 4] {
        let mut plan = plan(address, Body::Exact { text: "hello".to_owned() });
        // Errors are those of the warm-up as well, and requests are not.
        (plan.pipeline, plan.warmup_s) = (pipeline, 0.0);
        let outcome = run(&plan);
        assert!(outcome.errors.read > 1, "connections are made anew: {outcome:?}");
        assert_eq!(outcome.errors.total(), outcome.errors.read, "{outcome:?}");
        // A server that closes with requests unread resets the connection, which may take answers with it that it had
        // sent; one request at a time leaves nothing unread.
        if pipeline == 1 {
            assert!(outcome.requests_total >= 2 * (outcome.errors.read - 1), "{outcome:?}");
        }
        assert!(outcome.first_error.unwrap().contains("awaited answer(s) lost"));
    }
}

#[test]
fn a_server_that_goes_away_ends_in_errors_and_not_in_a_hang() {
    // The listener goes away with its first connection, when the first request has come.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
        drop(listener);
        drop(stream);
    });
    let outcome = run(&plan(address, Body::Any));
    assert!(outcome.errors.connect > 0, "{outcome:?}");
    assert_eq!(outcome.requests, 0);
}

#[test]
fn a_refused_connection_ends_the_load_with_the_cure() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut generator = Generator::start(&serde_json::to_string(&plan(free, Body::Any)).unwrap());
    let Event::Failed { message } = generator.event() else { panic!("the load runs against nothing") };
    assert!(message.starts_with(&format!("cannot connect to {free}: ")), "{message}");
    assert!(message.contains("start the server first"), "{message}");
    assert_eq!(generator.end().0.code(), Some(1));
}
