//! The control channel and the four ways to ask for the end.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use probe::{Counters, Reply, message::PROTOCOL};

use crate::{
    client::PATIENCE,
    server::{Server, run},
    target::{TARGETS, Target, frameworks},
};

const COUNTERS: &str = r#"{"command":"counters"}"#;
pub(crate) const QUIESCE: &str = r#"{"command":"quiesce"}"#;
const SHUTDOWN: &str = r#"{"command":"shutdown"}"#;

/// A way to ask a server for its end.
type End = fn(&mut Server);

const ENDS: [(&str, End); 4] = [
    ("shutdown", |server| assert_eq!(server.command(SHUTDOWN), Reply::Stopping)),
    ("end of standard input", Server::close_stdin),
    ("SIGTERM", |server| server.signal(Signal::SIGTERM)),
    ("SIGINT", |server| server.signal(Signal::SIGINT)),
];

fn counters(server: &mut Server, command: &str) -> Counters {
    match server.command(command) {
        Reply::Counters(counters) => counters,
        other => panic!("not counters: {other:?}"),
    }
}

fn cpu_us(counters: &Counters) -> u64 {
    counters.cpu_user_us + counters.cpu_system_us
}

#[test]
fn the_ready_line_says_who_listens_where() {
    for target in TARGETS {
        let server = Server::start(target);
        let ready = &server.ready;
        assert_eq!((ready.protocol, ready.server.as_str()), (PROTOCOL, target.name));
        assert!(ready.address.ip().is_loopback() && ready.address.port() != 0, "{ready:?}");
        assert!(!ready.versions.is_empty(), "{ready:?}");
        assert!(TcpStream::connect(ready.address).is_ok(), "{ready:?}");
    }
}

#[test]
fn counters_grow_under_load_and_stand_still_after_it() {
    for target in TARGETS {
        let mut server = Server::start(target);
        let before = counters(&mut server, QUIESCE);
        assert!(before.rss_bytes > 0 && before.rss_peak_bytes >= before.rss_bytes, "{before:?}");
        let mut client = server.connect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            for _ in 0..200 {
                assert_eq!(client.get("/json").status, 200);
            }
            let now = counters(&mut server, COUNTERS);
            if cpu_us(&now) > cpu_us(&before) + 1000
                && now.context_switches_voluntary > before.context_switches_voluntary
            {
                break;
            }
            assert!(Instant::now() < deadline, "{}: {before:?} {now:?}", target.name);
        }
        let quiet = counters(&mut server, QUIESCE);
        let later = counters(&mut server, COUNTERS);
        assert!(cpu_us(&later) - cpu_us(&quiet) < 5_000, "{}: {quiet:?} {later:?}", target.name);
    }
}

#[test]
fn a_line_that_is_no_command_is_an_error_and_the_channel_goes_on() {
    for target in TARGETS {
        let mut server = Server::start(target);
        for line in ["garbage", "", "{}", r#"{"command":"dance"}"#, r#"{"command":"#, "\u{e9}"] {
            match server.command(line) {
                Reply::Error { message } => assert!(!message.is_empty()),
                other => panic!("{} answers {line:?} with {other:?}", target.name),
            }
        }
        counters(&mut server, COUNTERS);
        assert_eq!(server.connect().get("/health").status, 200);
    }
}

#[test]
fn every_way_to_end_ends_with_exit_code_0() {
    for target in TARGETS {
        for (name, end) in ENDS {
            let mut server = Server::start(target);
            let address = server.address();
            assert_eq!(server.connect().get("/health").status, 200);
            end(&mut server);
            assert_eq!(server.wait().code(), Some(0), "{} after {name}", target.name);
            assert!(TcpStream::connect(address).is_err(), "{} after {name}", target.name);
        }
    }
}

#[test]
fn an_idle_connection_does_not_keep_the_server() {
    // One thread each, since a framework may wait a while for its clients to leave.
    thread::scope(|scope| {
        for target in TARGETS {
            scope.spawn(|| {
                let mut server = Server::start(target);
                let mut client = server.connect();
                assert_eq!(client.get("/health").status, 200);
                let begun = Instant::now();
                assert_eq!(server.command(SHUTDOWN), Reply::Stopping);
                assert_eq!(server.wait().code(), Some(0), "{}", target.name);
                assert!(begun.elapsed() < Duration::from_secs(10), "{}", target.name);
                assert!(client.ended(), "{}", target.name);
            });
        }
    });
}

#[test]
fn a_request_in_flight_is_answered_before_the_end() {
    for target in frameworks() {
        for (name, end) in ENDS {
            answered_before_the_end(target, name, end);
        }
    }
}

fn answered_before_the_end(target: &Target, name: &str, end: End) {
    let mut server = Server::start(target);
    let mut client = server.connect();
    client.send(b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 6\r\nexpect: 100-continue\r\n\r\n");
    // The interim answer shows that the handler waits for the body.
    assert_eq!(client.answer().status, 100, "{}", target.name);
    end(&mut server);
    client.send(b"abcdef");
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (200, "abcdef"), "{} after {name}", target.name);
    drop(client);
    assert_eq!(server.wait().code(), Some(0), "{} after {name}", target.name);
}

/// Targets whose framework has no deadline for heads.
const WITHOUT_DEADLINE: [&str; 2] = ["axum-stock", "floor"];

#[test]
fn a_head_that_is_late_is_cut_by_the_server_or_the_option_refused() {
    for target in TARGETS {
        let option = ["--head-deadline", "200"];
        if WITHOUT_DEADLINE.contains(&target.name) {
            let ended = run(target, &option);
            assert!(ended.code == Some(1) && ended.stderr.contains("deadline"), "{}: {}", target.name, ended.stderr);
            continue;
        }
        let server = Server::start_with(target, &[&["--workers", "1"], &option[..]].concat());
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let begun = Instant::now();
        client.write_all(b"GET /plaintext HTTP/1.1\r\nHost: ").unwrap();
        let mut said = Vec::new();
        client.read_to_end(&mut said).unwrap_or_else(|error| panic!("{}: {error}", target.name));
        let said = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{}: {said}", target.name);
        assert!(begun.elapsed() >= Duration::from_millis(150), "{} cut a head at once", target.name);
    }
}
