//! `Expect: 100-continue` (RFC 9110 §10.1.1): what is sent when depends on what the client waits for.

use armature_core::Limits;

use crate::{
    app::Running,
    client::{Client, get},
};

const HEAD: &[u8] = b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

#[test]
fn a_handler_that_wants_the_body_invites_it() {
    let server = Running::start(Limits::default());
    let mut client = Client::connect(server.address);
    for _ in 0..2 {
        client.send(HEAD);
        assert_eq!(client.read_answer().unwrap().status, 100);
        client.send(b"hello");
        let answer = client.read_answer().unwrap();
        assert_eq!((answer.status, &*answer.body), (200, &b"hello"[..]));
    }
}

#[test]
fn answers_before_it_are_sent_first() {
    let server = Running::start(Limits::default());
    let mut client = Client::connect(server.address);
    client.send(&[&get("/users/1"), HEAD].concat());
    assert_eq!(client.read_answer().unwrap().body, b"1");
    assert_eq!(client.read_answer().unwrap().status, 100);
}

#[test]
fn nobody_is_invited_who_has_begun_already() {
    let server = Running::start(Limits::default());
    let mut client = Client::connect(server.address);
    client.send(&[HEAD, b"he"].concat());
    let mut beacon = Client::connect(server.address);
    beacon.send(&get("/second"));
    beacon.read_answer().unwrap();
    client.send(b"llo");
    let answer = client.read_answer().unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &b"hello"[..]));
}

#[test]
fn a_final_answer_stands_alone_and_closes() {
    let server = Running::start(Limits { body_bytes_max: 4, ..Limits::default() });
    // One handler does not want the body, the other must not have it: it is over its limit.
    for (path, status) in [("/ignore", 200), ("/echo", 413)] {
        let mut client = Client::connect(server.address);
        client.send(&String::from_utf8_lossy(HEAD).replace("/echo", path).into_bytes());
        let answer = client.read_answer().unwrap();
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{path}");
        assert_eq!(client.read_to_end(), Ok(Vec::new()));
    }
}
