//! Every route: status, media type, body, and how requests follow each other on a connection.

use crate::{
    control::QUIESCE,
    server::{Seeded, Server},
    target::{Serves, TARGETS, frameworks},
};

#[test]
fn plaintext_json_and_health_are_exact() {
    for target in TARGETS {
        let server = Server::start(target);
        let mut client = server.connect();
        for (path, media_type, body) in [
            ("/plaintext", "text/plain", "Hello, World!"),
            ("/json", "application/json", r#"{"message":"Hello, World!"}"#),
            ("/health", "text/plain", "ok"),
        ] {
            let answer = client.get(path);
            let found = (answer.status, answer.header("content-type"), answer.text());
            assert_eq!(found, (200, Some(media_type), body), "{} {path}", target.name);
        }
    }
}

#[test]
fn an_unknown_path_is_404_and_the_connection_goes_on() {
    for target in TARGETS {
        let server = Server::start(target);
        let mut client = server.connect();
        for path in ["/", "/nothing", "/plaintext/", "/plaintexts", "/users", "/users/", "/users/1/2"] {
            assert_eq!(client.get(path).status, 404, "{} {path}", target.name);
        }
        assert_eq!(client.get("/plaintext").status, 200, "{}", target.name);
    }
}

#[test]
fn controls_serve_nothing_else() {
    for target in TARGETS.iter().filter(|target| target.serves == Serves::Plain) {
        let server = Server::start(target);
        let mut client = server.connect();
        for path in ["/db", "/queries?queries=2", "/fortunes", "/users/1", "/download/1"] {
            assert_eq!(client.get(path).status, 404, "{} {path}", target.name);
        }
    }
}

#[test]
fn the_id_of_a_user_is_decoded_text() {
    for target in frameworks() {
        let server = Server::start(target);
        let mut client = server.connect();
        for (path, id) in [
            ("/users/42", "42"),
            ("/users/a-b_c.d~", "a-b_c.d~"),
            ("/users/%C3%A9t%C3%A9", "été"),
            ("/users/a%20b", "a b"),
            ("/users/0?query=1", "0"),
        ] {
            let answer = client.get(path);
            let found = (answer.status, answer.header("content-type"), answer.text());
            assert_eq!(found, (200, Some("text/plain"), id), "{} {path}", target.name);
        }
    }
}

#[test]
fn a_download_has_as_many_bytes_as_asked_for() {
    const MAX: usize = 16 * 1024 * 1024;
    for target in frameworks() {
        let server = Server::start(target);
        let mut client = server.connect();
        for bytes in [0, 1, 250, 251, 65_537, 1 << 20, MAX] {
            let answer = client.get(&format!("/download/{bytes}"));
            assert_eq!((answer.status, answer.body.len()), (200, bytes), "{}", target.name);
            assert_eq!(answer.header("content-type"), Some("application/octet-stream"), "{}", target.name);
            let expected = (0..bytes).map(|at| (at % 251) as u8);
            assert!(answer.body.iter().copied().eq(expected), "{} {bytes}", target.name);
        }
        let refused = client.get(&format!("/download/{}", MAX + 1));
        assert_eq!((refused.status, refused.header("content-type")), (400, Some("text/plain")), "{}", target.name);
        for path in ["/download/x", "/download/-1", "/download/99999999999999999999"] {
            assert!(matches!(client.get(path).status, 400 | 404), "{} {path}", target.name);
        }
    }
}

#[test]
fn an_echo_is_verbatim() {
    let every_byte: Vec<u8> = (0..=255).collect();
    let mebibyte: Vec<u8> = (0..1_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let largest = vec![b'\n'; 2 << 20];
    for target in frameworks() {
        let server = Server::start(target);
        let mut client = server.connect();
        for body in [&b""[..], b"x", b"\r\n\r\nGET /plaintext HTTP/1.1\r\n\r\n", &every_byte, &mebibyte, &largest] {
            let answer = client.post("/echo", body);
            assert_eq!(answer.status, 200, "{} {} bytes", target.name, body.len());
            assert_eq!(answer.header("content-type"), Some("application/octet-stream"), "{}", target.name);
            assert!(answer.body == body, "{} {} bytes", target.name, body.len());
        }
        let chunked = "POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n\
             3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        client.send(chunked.as_bytes());
        assert_eq!(client.answer().text(), "abcde", "{}", target.name);
        assert_eq!(server.connect().post("/echo", &vec![0; (2 << 20) + 1]).status, 413, "{}", target.name);
    }
}

#[test]
fn other_methods_are_refused() {
    for target in frameworks() {
        let server = Server::start(target);
        assert!(matches!(server.connect().post("/json", b"").status, 404 | 405), "{}", target.name);
        assert!(matches!(server.connect().get("/echo").status, 404 | 405), "{}", target.name);
    }
}

#[test]
fn without_a_database_its_routes_are_503_and_the_others_serve() {
    for target in frameworks() {
        let server = Server::start(target);
        let mut client = server.connect();
        for path in ["/db", "/queries?queries=2", "/fortunes", "/updates", "/cached-queries?count=2"] {
            let answer = client.get(path);
            let found = (answer.status, answer.header("content-type"));
            assert_eq!(found, (503, Some("text/plain")), "{} {path}", target.name);
        }
        assert_eq!(client.get("/plaintext").status, 200, "{}", target.name);
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    for target in TARGETS {
        let server = Server::start(target);
        let mut client = server.connect();
        let paths = ["/plaintext", "/json", "/health", "/nothing"];
        let burst: String =
            paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).collect();
        client.send(burst.repeat(16).as_bytes());
        for _ in 0..16 {
            assert_eq!(client.answer().text(), "Hello, World!", "{}", target.name);
            assert_eq!(client.answer().text(), r#"{"message":"Hello, World!"}"#, "{}", target.name);
            assert_eq!(client.answer().text(), "ok", "{}", target.name);
            assert_eq!(client.answer().status, 404, "{}", target.name);
        }
    }
}

#[test]
fn a_handler_that_panics_ends_its_connection_and_no_other() {
    for target in frameworks() {
        let server = Server::start(target);
        let mut other = server.connect();
        assert_eq!(other.get("/plaintext").status, 200, "{}", target.name);
        for _ in 0..3 {
            let mut client = server.connect();
            client.send(b"GET /panic HTTP/1.1\r\nhost: localhost\r\n\r\n");
            if !client.ended() {
                assert_eq!(client.answer().status, 500, "{}", target.name);
                assert!(client.ended(), "{}", target.name);
            }
        }
        assert_eq!(other.get("/plaintext").status, 200, "{}", target.name);
    }
}

#[test]
fn a_request_may_come_in_two_parts_cut_anywhere() {
    let request = b"GET /json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for target in TARGETS {
        let mut server = Server::start(target);
        let mut clients: Vec<_> = (1..request.len()).map(|at| (at, server.connect())).collect();
        for (at, client) in &mut clients {
            client.send(&request[..*at]);
        }
        // A server that has nothing left to do has read the first parts.
        server.command(QUIESCE);
        for (at, client) in &mut clients {
            client.send(&request[*at..]);
            assert_eq!(client.answer().text(), r#"{"message":"Hello, World!"}"#, "{} cut at {at}", target.name);
        }
    }
}

#[test]
fn several_workers_share_one_port() {
    let database = Seeded::new();
    for target in TARGETS {
        let url = database.url();
        let arguments = match target.serves {
            Serves::Everything => vec!["--workers", "3", "--database", &url],
            Serves::Plain => vec!["--workers", "3"],
        };
        let server = Server::start_with(target, &arguments);
        let mut clients: Vec<_> = (0..32).map(|_| server.connect()).collect();
        for client in &mut clients {
            assert_eq!(client.get("/plaintext").status, 200, "{}", target.name);
        }
    }
}
