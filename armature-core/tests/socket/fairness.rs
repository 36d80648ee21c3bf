//! One connection's pipeline does not keep the others waiting.

use armature_core::Limits;

use crate::{
    app::{self, Running},
    client::{Client, get},
};

/// Sends much on one connection and one request on another while the worker is busy; gives how many steps of the much
/// were taken before the one was answered.
fn taken_before_the_other(limits: Limits, much: &[u8], answers: usize) -> usize {
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
    pipelining.send(much);
    other.send(&get("/order/0"));
    app::BLOCK.open();
    let order: usize = String::from_utf8(other.read_answer().unwrap().body).unwrap().parse().unwrap();
    for _ in 0..answers {
        pipelining.read_answer().unwrap();
    }
    app::BLOCKED.reset();
    app::BLOCK.shut();
    order - 2
}

/// All run here, one after the other: they share what blocks the worker.
#[test]
fn by_requests_by_bytes_and_by_pieces_of_a_body() {
    let by_steps = Limits { requests_per_poll_max: 5, ..Limits::default() };
    assert_eq!(taken_before_the_other(by_steps.clone(), &get("/order/0").repeat(40), 40), 5);
    // Answers of 3,000 bytes and a head: four are over 10,000.
    let by_bytes = Limits { output_bytes_per_poll_max: 10_000, ..Limits::default() };
    assert_eq!(taken_before_the_other(by_bytes, &get("/order/3000").repeat(40), 40), 4);
    // An upload of which a dozen reads' worth is there. The request is a step and brings the first piece; of the four
    // steps that are left, each two read a piece and hand it over.
    let upload = [b"POST /pieces HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", &[b'x'; 100_000][..]].concat();
    assert_eq!(taken_before_the_other(by_steps, &upload, 1), 3);
}
