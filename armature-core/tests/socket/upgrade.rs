//! Connections that leave HTTP (RFC 9110 §7.8).

use armature_core::Limits;

use crate::{app::Running, client::Client};

#[test]
fn a_client_that_asks_gets_the_connection_and_its_unread_bytes() {
    let server = Running::start(Limits::default());
    let mut client = Client::connect(server.address);
    client.send(b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nhello");
    let answer = client.read_answer().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (101, Some("upgrade")));
    assert_eq!(answer.header("upgrade"), Some("shout"));
    client.send(b", world");
    client.finish();
    assert_eq!(client.read_to_end(), Ok(b"HELLO, WORLD".to_vec()));
}

#[test]
fn a_client_that_does_not_ask_stays() {
    let server = Running::start(Limits::default());
    let cases = [
        ("HTTP/1.1", "Upgrade: shout\r\n", Some("upgrade")),
        ("HTTP/1.0", "Upgrade: shout\r\nConnection: upgrade\r\n", Some("close")),
    ];
    for (version, fields, connection) in cases {
        let mut client = Client::connect(server.address);
        client.send(format!("GET /upgrade {version}\r\nHost: a\r\n{fields}\r\n").as_bytes());
        let answer = client.read_answer().unwrap();
        assert_eq!((answer.status, answer.header("connection")), (426, connection), "{version} {fields}");
    }
}

#[test]
fn a_handler_cannot_switch_by_status_alone() {
    let server = Running::start(Limits::default());
    let mut client = Client::connect(server.address);
    client.send(b"GET /bare-101 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert_eq!(client.read_answer().unwrap().status, 500);
}
