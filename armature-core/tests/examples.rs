//! Every example is run as a program, asked over its socket, and stopped by a signal.
//!
//! Cargo builds the examples before it runs tests, and puts them beside the tests' own folder.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long something is waited for that is certain to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running example; killed when dropped.
struct Example {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    address: String,
}

impl Example {
    fn start(name: &str) -> Self {
        let mut child = Command::new(programs().join(name))
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}; cargo test builds it"));
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut address = String::new();
        lines.read_line(&mut address).unwrap();
        Self { child, lines, address: address.trim().to_owned() }
    }

    /// Sends the text, with a line end for each `|`, and reads to the end of the connection.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.replace('|', "\r\n").as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Stops it by a signal; gives what else it printed.
    fn stop(mut self) -> String {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).unwrap();
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where cargo puts examples.
fn programs() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("examples")
}

/// An example, and what it is asked and answers.
type Case = (&'static str, &'static [(&'static str, &'static [&'static str])]);

/// For each example requests, and what must be in the answer to each.
const CASES: &[Case] = &[
    ("graceful_shutdown", &[("GET /slow HTTP/1.1|Host: a||", &["200 OK", "worth waiting for"])]),
    ("hello", &[("GET /ada HTTP/1.1|Host: a||", &["200 OK", "hello, ada"])]),
    (
        "middleware",
        &[(
            "GET / HTTP/1.1|Host: a|X-Request-Id: mine|Origin: http://b||",
            &["request mine", "x-request-id: mine", "access-control-allow-origin: *", "x-frame-options: DENY"],
        )],
    ),
    (
        "metrics",
        &[
            ("GET / HTTP/1.1|Host: a||", &["visit 1"]),
            ("GET /metrics HTTP/1.1|Host: a||", &["requests", "visits_total 1", "text/plain; version=0.0.4"]),
        ],
    ),
    (
        "rest_api",
        &[
            (
                "POST /notes HTTP/1.1|Host: a|Content-Type: application/json|Content-Length: 15||{\"text\":\"milk\"}",
                &["201 Created", "location: /notes/1", r#"{"id":1,"text":"milk"}"#],
            ),
            ("GET /notes/1 HTTP/1.1|Host: a||", &["200 OK", "milk"]),
            ("GET /notes/2 HTTP/1.1|Host: a||", &["404 Not Found", "there is no such note"]),
            ("GET /notes HTTP/1.1|Host: a||", &[r#"[{"id":1,"text":"milk"}]"#]),
        ],
    ),
    (
        "sse",
        &[
            ("GET / HTTP/1.1|Host: a||", &["200 OK", "new EventSource('/events')"]),
            // The stream itself has no end.
            ("HEAD /events HTTP/1.1|Host: a||", &["200 OK", "text/event-stream", "no-store"]),
        ],
    ),
    (
        "state",
        &[
            ("GET /greet/ada HTTP/1.1|Host: a||", &["hello, ada"]),
            ("POST /greeting HTTP/1.1|Host: a|Content-Length: 8||good day", &["200 OK"]),
            ("GET /greet/ada HTTP/1.1|Host: a||", &["good day, ada"]),
            ("GET /visits HTTP/1.1|Host: a||", &["ada: 2", "found: 0, made: 2"]),
        ],
    ),
    (
        "streaming",
        &[
            ("PUT /sum HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|0||", &["3 bytes, sum 294"]),
            ("GET /numbers/3 HTTP/1.1|Host: a||", &["chunked", "1\n", "2\n", "3\n"]),
        ],
    ),
    (
        "static_files",
        &[
            ("GET / HTTP/1.1|Host: a||", &["303 See Other", "location: /static_files.rs"]),
            ("GET /hello.rs HTTP/1.1|Host: a||", &["200 OK", "etag: ", "async fn hello"]),
            (
                "GET /hello.rs HTTP/1.1|Host: a|Range: bytes=0-6||",
                &["206 Partial Content", "content-range: bytes 0-6/", "//! The"],
            ),
            ("GET /../Cargo.toml HTTP/1.1|Host: a||", &["404 Not Found"]),
            ("GET /download HTTP/1.1|Host: a||", &["200 OK", "attachment", "fn main"]),
        ],
    ),
    ("tower", &[("GET /files/Cargo.toml HTTP/1.1|Host: a||", &["200 OK", "last-modified: ", "armature-core"])]),
];

#[test]
fn every_example_answers_and_stops() {
    for (name, requests) in CASES {
        let example = Example::start(name);
        for (request, expected) in *requests {
            let answer = example.ask(request);
            for part in *expected {
                assert!(answer.contains(part), "{name}: {request}: no {part:?} in {answer}");
            }
        }
        let rest = example.stop();
        assert!(*name != "graceful_shutdown" || rest == "answered 1\n", "{rest}");
    }
}

/// Examples that other tests run: this one in `transport/example.rs`, because it needs features and a certificate.
const ELSEWHERE: &[&str] = &["tls.rs"];

#[test]
fn an_example_is_short_and_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let run = CASES.iter().map(|(name, _)| format!("{name}.rs")).chain(ELSEWHERE.iter().map(|&name| name.to_owned()));
    let run: BTreeSet<String> = run.collect();
    let there: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".rs"))
        .collect();
    assert_eq!(there, run);
    for name in there {
        let lines = fs::read_to_string(folder.join(&name)).unwrap().lines().count();
        assert!(lines <= 60, "{name} has {lines} lines");
    }
}
