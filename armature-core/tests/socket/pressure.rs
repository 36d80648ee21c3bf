//! Idle connections under pressure, and buffers that follow the traffic.

use std::time::{Duration, Instant};

use armature_core::Limits;

use crate::{
    app::Running,
    client::{Client, PATIENCE, get, until},
};

/// A connection that has had an answer.
fn used(server: &Running) -> Client {
    let mut client = Client::connect(server.address);
    client.send(&get("/"));
    client.read_answer().unwrap();
    client
}

#[test]
fn idle_connections_have_less_time_when_they_are_many() {
    let limits = Limits {
        connections_max: 8,
        idle_deadline: PATIENCE * 3,
        idle_deadline_min: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Running::start(limits);
    let mut clients: Vec<_> = (0..4).map(|_| used(&server)).collect();
    // The fifth to eighth are over the half: the last of them has the least time.
    clients.extend((0..4).map(|_| used(&server)));
    let mut last = clients.pop().unwrap();
    assert_eq!(last.read_to_end(), Ok(Vec::new()));
    let mut first = clients.swap_remove(0);
    first.send(&get("/"));
    assert_eq!(first.read_answer().unwrap().status, 200);
    assert_eq!(server.handle.counters().connections_closed, 1);
}

#[test]
fn the_oldest_idle_connection_makes_room_for_a_new_one() {
    let limits = Limits {
        connections_max: 3,
        idle_deadline: PATIENCE * 3,
        idle_deadline_min: PATIENCE * 3,
        cull_idle_min: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Running::start(limits);
    let mut oldest = used(&server);
    // The worker's clock must tick between the two for one to be older.
    std::thread::sleep(Duration::from_millis(120));
    let mut others = [used(&server), used(&server)];
    let mut newcomer = used(&server);
    assert_eq!(oldest.read_to_end(), Ok(Vec::new()));
    for client in others.iter_mut().chain([&mut newcomer]) {
        client.send(&get("/"));
        assert_eq!(client.read_answer().unwrap().status, 200);
    }
    assert_eq!(server.handle.counters().connections_culled, 1);
}

#[test]
fn nobody_is_culled_before_the_time() {
    let limits = Limits { connections_max: 1, cull_idle_min: Duration::from_millis(400), ..Limits::default() };
    let server = Running::start(limits);
    let started = Instant::now();
    let mut first = used(&server);
    let _second = used(&server);
    assert!(started.elapsed() >= Duration::from_millis(400));
    assert_eq!(first.read_to_end(), Ok(Vec::new()));
}

#[test]
fn who_has_been_idle_and_is_at_work_again_is_not_culled() {
    let limits = Limits {
        connections_max: 3,
        idle_deadline: PATIENCE * 3,
        idle_deadline_min: PATIENCE * 3,
        cull_idle_min: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Running::start(limits);
    let (mut uploads, mut asks_slowly, mut idle) = (used(&server), used(&server), used(&server));
    uploads.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    asks_slowly.send(b"GET / HTTP/1.1\r\nHost:");
    let _newcomer = used(&server);
    assert_eq!(idle.read_to_end(), Ok(Vec::new()));
    uploads.send(b"67890");
    asks_slowly.send(b" a\r\n\r\n");
    for client in [&mut uploads, &mut asks_slowly] {
        assert_eq!(client.read_answer().unwrap().status, 200);
    }
}

#[test]
fn idle_connections_go_when_memory_is_short() {
    let limits = Limits {
        memory_bytes_max: 1,
        idle_deadline: PATIENCE * 3,
        cull_idle_min: Duration::from_millis(1),
        ..Limits::default()
    };
    let server = Running::start(limits);
    let _clients: Vec<_> = (0..9).map(|_| used(&server)).collect();
    // An eighth of those that are left each time, so all of them in the end.
    until("four are culled", || server.handle.counters().connections_culled >= 4);
}

#[test]
fn read_buffers_follow_the_traffic() {
    let server = Running::start(Limits::default());
    let mut client = Client::connect(server.address);
    let mut largest_piece = |body_bytes: usize| {
        let head = format!("POST /largest-piece HTTP/1.1\r\nHost: a\r\nContent-Length: {body_bytes}\r\n\r\n");
        client.send(&[head.as_bytes(), &vec![b'x'; body_bytes]].concat());
        let answer = client.read_answer().unwrap();
        String::from_utf8(answer.body).unwrap().parse::<usize>().unwrap()
    };
    assert!(largest_piece(60_000) <= 16_384);
    let mut largest = 0;
    for _ in 0..200 {
        largest = largest_piece(500_000);
    }
    assert!(largest >= 32_768, "{largest}");
}
