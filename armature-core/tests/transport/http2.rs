//! HTTP/2 by prior knowledge beside HTTP/1.1, and how its connections end.

use std::time::Duration;

use armature_core::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::client::{ask1, ask2, http2_over, run, serve, serve_with_handle};

#[test]
fn one_port_speaks_both_without_tls() {
    let (_server, address) = serve(Limits::default(), |server| server.http2(true));
    run(async {
        let connect = async || TcpStream::connect(address).await.unwrap();
        let answer = ask1(connect().await, "GET", "/describe", b"").await;
        assert_eq!((answer.status, answer.text()), (200, "Http11 false true localhost"));
        let mut sender = http2_over(connect().await).await;
        for path in ["/layered", "/describe"] {
            let answer = ask2(&mut sender, "GET", path, b"").await;
            assert_eq!((answer.status, answer.text()), (200, "Http2 false true localhost"), "{path}");
        }
        let answer = ask2(&mut sender, "GET", "/describe", b"").await;
        assert!(answer.headers.contains_key("date") && answer.headers["server"] == "test");
    });
}

#[test]
fn a_head_that_comes_byte_by_byte_is_not_taken_for_http2() {
    let (_server, address) = serve(Limits::default(), |server| server.http2(true));
    run(async {
        // Both begin alike.
        for (head, status) in
            [("PUT /users/1 HTTP/1.1\r\nHost: a\r\n\r\n", "200"), ("PRI * HTTP/1.1\r\nHost: a\r\n\r\n", "400")]
        {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            for byte in head.bytes() {
                stream.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut room = [0; 12];
            stream.read_exact(&mut room).await.unwrap();
            assert_eq!(&room[9..], status.as_bytes(), "{head}");
        }
    });
}

/// Method, path and body; status and body of the answer.
type Case<'a> = (&'a str, &'a str, &'a [u8], u16, &'a [u8]);

#[test]
fn services_answer_as_they_do_in_http1() {
    let (_server, address) = serve(Limits::default(), |server| server.http2(true));
    run(async {
        let mut sender = http2_over(TcpStream::connect(address).await.unwrap()).await;
        let large = vec![b'x'; 300_000];
        let cases: [Case<'_>; 8] = [
            ("GET", "/users/a%20b", b"", 200, b"a b"),
            ("HEAD", "/users/1", b"", 200, b""),
            ("DELETE", "/echo", b"", 405, b""),
            ("OPTIONS", "/echo", b"", 204, b""),
            ("GET", "/nowhere", b"", 404, b""),
            ("POST", "/echo", &large, 200, &large),
            ("POST", "/small", &large, 413, b"the request body is too large"),
            ("GET", "/panics", b"", 500, b""),
        ];
        for (method, path, body, status, expected) in cases {
            let answer = ask2(&mut sender, method, path, body).await;
            assert_eq!(
                (answer.status, &*answer.body == expected),
                (status, true),
                "{method} {path}: {:?}",
                answer.body
            );
            assert!(!answer.headers.contains_key("connection"), "{method} {path}");
            assert_eq!(answer.headers.contains_key("allow"), matches!(status, 204 | 405), "{method} {path}");
        }
        let answer = ask2(&mut sender, "GET", "/streamed", b"").await;
        assert_eq!(answer.body.len(), 1_000_000);
    });
}

#[test]
fn a_stopping_server_answers_what_is_under_way() {
    let (_server, address, handle) = serve_with_handle(Limits::default(), |server| server.http2(true));
    run(async {
        let mut sender = http2_over(TcpStream::connect(address).await.unwrap()).await;
        let mut other = sender.clone();
        let asked = tokio::spawn(async move { ask2(&mut other, "GET", "/slow", b"").await.text().to_owned() });
        // The answer to a later request means that the slow one is there.
        ask2(&mut sender, "GET", "/users/1", b"").await;
        handle.drain();
        assert_eq!(asked.await.unwrap(), "slow");
        assert!(TcpStream::connect(address).await.is_err(), "the server still listens");
    });
}

#[test]
fn an_idle_connection_is_closed() {
    let limits = Limits { idle_deadline: Duration::from_millis(200), ..Limits::default() };
    let (_server, address) = serve(limits, |server| server.http2(true));
    run(async {
        let mut sender = http2_over(TcpStream::connect(address).await.unwrap()).await;
        ask2(&mut sender, "GET", "/users/1", b"").await;
        // Ends when the server has said good-bye.
        while sender.ready().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn requests_that_have_arrived_are_answered_before_the_end() {
    for _ in 0..8 {
        let (_server, address, handle) = serve_with_handle(Limits::default(), |server| server.http2(true));
        run(async {
            // The worker is busy while these arrive and the server is stopped.
            let busy = TcpStream::connect(address).await.unwrap();
            let busy = tokio::spawn(ask1(busy, "GET", "/blocks", b""));
            let mut streams = Vec::new();
            for _ in 0..4 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"GET /users/1 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
                streams.push(stream);
            }
            handle.drain();
            for mut stream in streams {
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
            }
            busy.await.unwrap();
        });
    }
}

#[test]
fn deadlines_may_be_as_long_as_can_be() {
    let limits = Limits {
        head_deadline: Duration::MAX,
        idle_deadline: Duration::MAX,
        body_deadline: Duration::MAX,
        write_deadline: Duration::MAX,
        drain_deadline: Duration::MAX,
        ..Limits::default()
    };
    let (_server, address) = serve(limits, |server| server.http2(true));
    run(async {
        let connect = async || TcpStream::connect(address).await.unwrap();
        assert_eq!(ask1(connect().await, "GET", "/users/1", b"").await.text(), "1");
        let mut sender = http2_over(connect().await).await;
        assert_eq!(ask2(&mut sender, "GET", "/users/1", b"").await.text(), "1");
        ask2(&mut sender, "GET", "/slow", b"").await;
    });
}

#[test]
fn an_interim_status_is_no_answer() {
    let (_server, address) = serve(Limits::default(), |server| server.http2(true));
    run(async {
        let mut sender = http2_over(TcpStream::connect(address).await.unwrap()).await;
        for (path, status) in [("/shout", 426), ("/interim", 500)] {
            assert_eq!(ask2(&mut sender, "GET", path, b"").await.status, status, "{path}");
        }
    });
}
