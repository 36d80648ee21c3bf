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
fn a_client_that_does_not_ask_for_this_protocol_stays() {
    let server = Running::start(Limits::default());
    let cases = [
        ("HTTP/1.1", "Upgrade: shout\r\n", 426, Some("upgrade")),
        ("HTTP/1.1", "Connection: upgrade\r\n", 426, Some("upgrade")),
        ("HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\n", 426, Some("upgrade")),
        ("HTTP/1.1", "Connection: upgrade\r\nUpgrade: shout/2, shouting\r\n", 426, Some("upgrade")),
        ("HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket , SHOUT\r\n", 101, Some("upgrade")),
        ("HTTP/1.1", "Upgrade: websocket\r\nConnection: upgrade\r\nUpgrade: shout\r\n", 101, Some("upgrade")),
        // The connection of HTTP does end, but its last answer is about what comes next.
        ("HTTP/1.1", "Connection: close, upgrade\r\nUpgrade: shout\r\n", 101, Some("upgrade")),
        ("HTTP/1.0", "Upgrade: shout\r\nConnection: upgrade\r\n", 426, Some("close")),
    ];
    for (version, fields, status, connection) in cases {
        let mut client = Client::connect(server.address);
        client.send(format!("GET /upgrade {version}\r\nHost: a\r\n{fields}\r\n").as_bytes());
        let answer = client.read_answer().unwrap();
        let got = (answer.status, answer.header("connection"), answer.header("upgrade"));
        assert_eq!(got, (status, connection, Some("shout")), "{version} {fields}");
    }
}

#[test]
fn an_offer_is_one_request_s_own() {
    let server = Running::start(Limits::default());
    let mut client = Client::connect(server.address);
    for (path, fields, status) in [
        ("/", "Connection: upgrade\r\nUpgrade: shout\r\n", 200),
        ("/upgrade", "Connection: upgrade\r\n", 426),
        ("/upgrade", "Upgrade: shout\r\n", 426),
        ("/upgrade", "Connection: upgrade\r\nUpgrade: shout\r\n", 101),
    ] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes());
        assert_eq!(client.read_answer().unwrap().status, status, "{path} {fields}");
    }
}

#[test]
fn a_handler_cannot_switch_by_status_alone() {
    let server = Running::start(Limits::default());
    let mut client = Client::connect(server.address);
    client.send(b"GET /bare-101 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert_eq!(client.read_answer().unwrap().status, 500);
}
