//! More than one worker: how connections are spread, where workers run, and what they have counted.

use std::collections::BTreeMap;

use armature_core::{Balance, Limits};

use crate::{
    app::Running,
    client::{Client, get},
};

fn worker_of(client: &mut Client) -> String {
    client.send(&get("/worker"));
    String::from_utf8(client.read_answer().unwrap().body).unwrap()
}

#[test]
fn the_acceptor_gives_each_connection_to_the_worker_with_fewest() {
    let server = Running::start_spread(Limits::default(), 3, Balance::LeastConnections, false);
    let mut clients: Vec<_> = (0..9).map(|_| Client::connect(server.address)).collect();
    let mut counts = BTreeMap::<_, usize>::new();
    for client in &mut clients {
        *counts.entry(worker_of(client)).or_default() += 1;
    }
    assert_eq!(counts.values().copied().collect::<Vec<_>>(), [3, 3, 3], "{counts:?}");
    // The next ones go where some have left.
    let mut left = clients.split_off(6);
    let vacant: Vec<_> = left.iter_mut().map(worker_of).collect();
    drop(left);
    crate::client::until("three have left", || server.handle.counters().connections_open() == 6);
    let mut next: Vec<_> = (0..3).map(|_| Client::connect(server.address)).collect();
    let mut taken: Vec<_> = next.iter_mut().map(worker_of).collect();
    taken.sort();
    let mut vacant = vacant;
    vacant.sort();
    assert_eq!(taken, vacant);
}

#[test]
fn the_acceptor_hands_over_more_than_tokio_gives_a_task_at_once() {
    let server = Running::start_spread(Limits::default(), 1, Balance::LeastConnections, false);
    // One that stays, so that the worker has no reason to wait in tokio.
    let mut stays = Client::connect(server.address);
    worker_of(&mut stays);
    for _ in 0..300 {
        worker_of(&mut Client::connect(server.address));
    }
    worker_of(&mut stays);
}

#[test]
fn the_kernel_spreads_over_all_listeners() {
    let server = Running::start_spread(Limits::default(), 2, Balance::Kernel, false);
    let mut seen = BTreeMap::<_, usize>::new();
    for _ in 0..60 {
        *seen.entry(worker_of(&mut Client::connect(server.address))).or_default() += 1;
    }
    // Both, but for a chance of 1 in 2^59.
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[test]
fn pinned_workers_run_on_one_cpu_each() {
    for (pins, one) in [(true, true), (false, false)] {
        let server = Running::start_spread(Limits::default(), 1, Balance::Kernel, pins);
        let mut client = Client::connect(server.address);
        client.send(&get("/cpus"));
        let cpus: usize = String::from_utf8(client.read_answer().unwrap().body).unwrap().parse().unwrap();
        let allowed = std::thread::available_parallelism().unwrap().get();
        assert!(cpus == 1 || (!one && cpus >= allowed), "{cpus} CPUs, pinned: {pins}");
    }
}

#[test]
fn counters_are_read_at_a_path_of_the_users_choice() {
    let server = Running::start_spread(Limits::default(), 2, Balance::LeastConnections, false);
    let mut clients = [Client::connect(server.address), Client::connect(server.address)];
    for client in &mut clients {
        worker_of(client);
    }
    clients[0].send(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(clients[0].read_answer().unwrap().status, 400);
    clients[1].send(&get("/counters"));
    let answer = clients[1].read_answer().unwrap();
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(answer.body).unwrap();
    let sum = |name: &str| -> u64 {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix("{worker="));
        lines.map(|line| line.split(' ').nth(1).unwrap().parse::<u64>().unwrap()).sum()
    };
    assert_eq!(sum("armature_connections_accepted_total"), 2, "{text}");
    assert_eq!(sum("armature_requests_total"), 3, "{text}");
    assert_eq!(sum("armature_requests_refused_total"), 1, "{text}");
}
