//! One connection's pipeline does not keep the others waiting.

use armature_core::Limits;

use crate::{
    app::{self, Running},
    client::{Client, get},
};

/// Sends 40 requests on one connection and one on another while the worker is busy; gives how many of the forty were
/// answered before the one.
fn answered_before_the_other(limits: Limits, path: &str) -> usize {
    let server = Running::start_with(limits, 1, app::ordered);
    let mut busy = Client::connect(server.address);
    let mut pipelining = Client::connect(server.address);
    let mut other = Client::connect(server.address);
    for client in [&mut pipelining, &mut other] {
        client.send(&get("/order/0"));
        client.read_answer().unwrap();
    }
    busy.send(&get("/block"));
    app::BLOCKED.wait_for(1);
    pipelining.send(&get(path).repeat(40));
    other.send(&get("/order/0"));
    app::BLOCK.open();
    let order: usize = String::from_utf8(other.read_answer().unwrap().body).unwrap().parse().unwrap();
    for _ in 0..40 {
        pipelining.read_answer().unwrap();
    }
    app::BLOCKED.reset();
    app::BLOCK.shut();
    order - 2
}

/// Both run here, one after the other: they share what blocks the worker.
#[test]
fn by_requests_and_by_bytes() {
    let by_requests = Limits { requests_per_poll_max: 5, ..Limits::default() };
    assert_eq!(answered_before_the_other(by_requests, "/order/0"), 5);
    // Answers of 3,000 bytes and a head: four are over 10,000.
    let by_bytes = Limits { output_bytes_per_poll_max: 10_000, ..Limits::default() };
    assert_eq!(answered_before_the_other(by_bytes, "/order/3000"), 4);
}
