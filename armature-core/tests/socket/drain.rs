//! Stopping: what is in flight is answered, what is idle is closed, and what does not end in time is cut.

use std::{
    io::ErrorKind,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use armature_core::{Balance, Limits};

use crate::{
    app::{self, Running},
    client::{Client, PATIENCE, get, until},
};

#[test]
fn fifty_stops_under_load_lose_no_answer() {
    for round in 0..50 {
        let server = Running::start_with(Limits::default(), 2, app::app);
        let depth = 1 + round % 4;
        let clients: Vec<_> = (0..6)
            .map(|_| {
                let mut client = Client::connect(server.address);
                thread::spawn(move || ask_until_told_to_stop(&mut client, depth))
            })
            .collect();
        while server.handle.counters().requests < 100 {
            thread::yield_now();
        }
        drop(server);
        let answered: u64 = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert!(answered > 0, "round {round}");
    }
}

/// Sends requests, `depth` at a time, until an answer says that the connection closes; every request up to that one
/// must have been answered.
fn ask_until_told_to_stop(client: &mut Client, depth: usize) -> u64 {
    let mut answered = 0;
    loop {
        client.send(&get("/users/1").repeat(depth));
        for _ in 0..depth {
            let answer = client.read_answer().expect("a request was not answered");
            assert_eq!((answer.status, &*answer.body), (200, &b"1"[..]));
            answered += 1;
            if answer.header("connection") == Some("close") {
                assert_eq!(client.read_to_end(), Ok(Vec::new()));
                return answered;
            }
        }
    }
}

#[test]
fn a_handler_in_flight_is_waited_for() {
    let server = Running::start_with(Limits::default(), 1, app::slow);
    let mut client = Client::connect(server.address);
    client.send(&get("/slow"));
    while server.handle.counters().requests == 0 {
        thread::yield_now();
    }
    drop(server);
    let answer = client.read_answer().unwrap();
    assert_eq!((&*answer.body, answer.header("connection")), (&b"slow"[..], Some("close")));
}

#[test]
fn idle_connections_are_closed_after_a_moment() {
    let server = Running::start(Limits { drain_idle: Duration::from_millis(300), ..Limits::default() });
    let mut used = Client::connect(server.address);
    used.send(&get("/"));
    used.read_answer().unwrap();
    let mut fresh = Client::connect(server.address);
    let started = Instant::now();
    server.handle.drain();
    assert_eq!(used.read_to_end(), Ok(Vec::new()));
    assert!(started.elapsed() >= Duration::from_millis(250));
    assert_eq!(fresh.read_to_end(), Ok(Vec::new()));
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn a_request_that_is_there_when_its_connection_is_closed_for_idleness_is_answered() {
    let limits = Limits { drain_idle: Duration::from_millis(400), ..Limits::default() };
    let server = Running::start_with(limits, 1, app::slow);
    let (mut idle, mut busy) = (Client::connect(server.address), Client::connect(server.address));
    for client in [&mut idle, &mut busy] {
        client.send(&get("/at-once"));
        client.read_answer().unwrap();
    }
    server.handle.drain();
    until("connections are refused", || TcpStream::connect(server.address).is_err());
    // The worker finds out that the other has been idle for too long, and stands still before it acts on that.
    busy.send(&get("/stall"));
    app::STALLED.wait_for(1);
    idle.send(&get("/at-once"));
    app::STALL.open();
    let answer = idle.read_answer().unwrap();
    assert_eq!((&*answer.body, answer.header("connection")), (&b"at once"[..], Some("close")));
    assert_eq!(busy.read_answer().unwrap().status, 200);
}

#[test]
fn what_does_not_end_in_time_is_cut() {
    let limits = Limits { drain_deadline: Duration::from_millis(200), ..Limits::default() };
    let server = Running::start_with(limits, 1, app::slow);
    let mut client = Client::connect(server.address);
    client.send(&get("/never"));
    while server.handle.counters().requests == 0 {
        thread::yield_now();
    }
    let started = Instant::now();
    drop(server);
    assert!(started.elapsed() >= Duration::from_millis(200) && started.elapsed() < PATIENCE);
    assert!(client.read_answer().is_err());
}

#[test]
fn nobody_connects_to_a_server_that_waits_for_what_is_in_flight() {
    for (workers, balance) in [(1, Balance::Kernel), (2, Balance::Kernel), (2, Balance::LeastConnections)] {
        app::HOLD.shut();
        let server = Running::start_slow(workers, balance);
        let mut client = Client::connect(server.address);
        client.send(&get("/held"));
        until("the request is in flight", || server.handle.counters().requests == 1);
        server.handle.drain();
        until("connections are refused", || {
            TcpStream::connect(server.address).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        });
        app::HOLD.open();
        let answer = client.read_answer().unwrap();
        assert_eq!(
            (&*answer.body, answer.header("connection")),
            (&b"held"[..], Some("close")),
            "{workers} {balance:?}"
        );
        // Waits for the end, and asserts that it is one without an error.
        drop(server);
    }
}
