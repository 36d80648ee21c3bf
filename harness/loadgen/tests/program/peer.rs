//! What the tests put around the generator: small servers on threads of the standard library, and the program itself
//! driven over its standard input and output.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{Histogram, serialization::Deserializer};
use probe::load::{Body, Event, Expect, Mode, Outcome, Pick, Plan, Request};

/// No step of a test takes as long; one that does has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// One connection as a test's server sees it.
pub(crate) struct Peer {
    reader: BufReader<TcpStream>,
}

impl Peer {
    /// Reads one request without a body; `None` when the generator has closed the connection.
    pub(crate) fn request(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        Some(head)
    }

    /// Sends bytes as they are; `false` when the generator has closed the connection.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.reader.get_mut().write_all(bytes).is_ok()
    }

    /// Answers every request with `text` until the generator closes the connection.
    pub(crate) fn answer_all(&mut self, text: &str) {
        while self.request().is_some() && self.send(text.as_bytes()) {}
    }
}

/// Starts a server that hands each connection to `serve` on a thread of its own; it lives as long as the test.
pub(crate) fn server(serve: impl Fn(&mut Peer) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            let serve = serve.clone();
            thread::spawn(move || {
                let reader = BufReader::new(stream);
                serve(&mut Peer { reader });
            });
        }
    });
    address
}

/// A 200 answer with this body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A short closed loop against `address`, one connection, expecting `body`.
pub(crate) fn plan(address: SocketAddr, body: Body) -> Plan {
    Plan {
        address,
        connections: 1,
        pipeline: 1,
        threads: 1,
        cpus: Vec::new(),
        mode: Mode::Closed,
        warmup_s: 0.05,
        duration_s: 0.2,
        timeout_s: 5.0,
        requests: vec![Request {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body: None,
            expect: Expect { status: 200, body },
        }],
        pick: Pick::Cycle,
        verify_every: 1,
        reconnect_every: None,
    }
}

/// The generator's program.
pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
}

/// The generator, driven as the lab drives it.
pub(crate) struct Generator {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
}

impl Generator {
    /// Starts it and writes `line` as its plan.
    pub(crate) fn start(line: &str) -> Self {
        let mut child = program().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut generator = Self { stdin: child.stdin.take(), child, lines };
        generator.say(line);
        generator
    }

    /// Writes a line to its standard input.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next event.
    pub(crate) fn event(&self) -> Event {
        let line = self.lines.recv_timeout(DEADLINE).expect("an event in time");
        serde_json::from_str(&line).expect("an event")
    }

    /// Closes its standard input.
    pub(crate) fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end; how it ended and how long that took.
    pub(crate) fn end(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, began.elapsed());
            }
            assert!(began.elapsed() < DEADLINE, "the generator goes on");
            thread::yield_now();
        }
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs so many windows of `plan`, calling `at_pause` between warm-up and the first of them.
pub(crate) fn run_windows(plan: &Plan, windows: usize, at_pause: impl FnOnce()) -> Vec<Outcome> {
    let mut generator = Generator::start(&serde_json::to_string(plan).unwrap());
    let event = generator.event();
    assert_eq!(event, Event::Warm);
    at_pause();
    let outcomes = (0..windows).map(|_| {
        generator.say(r#"{"command":"go"}"#);
        match generator.event() {
            Event::Done(outcome) => outcome,
            other => panic!("{other:?} instead of an outcome"),
        }
    });
    let outcomes = outcomes.collect();
    generator.hang_up();
    assert!(generator.end().0.success());
    outcomes
}

/// Runs one window of `plan`, calling `at_pause` between warm-up and window.
pub(crate) fn run_with(plan: &Plan, at_pause: impl FnOnce()) -> Outcome {
    run_windows(plan, 1, at_pause).remove(0)
}

/// Runs `plan` to its end.
pub(crate) fn run(plan: &Plan) -> Outcome {
    run_with(plan, || {})
}

/// Reads a histogram of an outcome.
pub(crate) fn histogram(text: &str) -> Histogram<u64> {
    let bytes = STANDARD.decode(text).unwrap();
    Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap()
}
