//! A server of one worker, and a blocking client that reads strictly.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use armature_core::{Error, Handle, IntoService, Limits, Server};

use crate::answer::{self, Answer};

/// How long anything may take that should happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that is drained when it is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Running {
    pub(crate) fn start<A: IntoService>(app: impl Fn() -> A + Send + Sync + 'static) -> Self {
        Self::start_with(Limits::default(), app)
    }

    pub(crate) fn start_with<A: IntoService>(limits: Limits, app: impl Fn() -> A + Send + Sync + 'static) -> Self {
        let server = Server::bind("127.0.0.1:0").unwrap().workers(1).name("test").limits(limits);
        let (address, handle) = (server.local_addr(), server.handle());
        let (ready, is_ready) = mpsc::channel();
        let server = server.on_ready(move || ready.send(()).unwrap());
        let thread = thread::spawn(move || server.serve(move |_| app()));
        is_ready.recv().unwrap();
        Self { address, handle, thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends a request on a connection of its own; see [`Client::ask`].
    pub(crate) fn ask(&self, line: &str, fields: &[(&str, &str)], body: &str) -> Answer {
        self.connect().ask(line, fields, body)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.drain();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !thread::panicking() {
                ended.unwrap().unwrap();
            }
        }
    }
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, received: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).unwrap();
    }

    /// Resets the connection.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Sends a request: its method and target, fields beside Host and Content-Length, and body.
    pub(crate) fn send_request(&mut self, line: &str, fields: &[(&str, &str)], body: &str) {
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        self.send(&format!("{line} HTTP/1.1\r\nHost: test\r\n{fields}{length}\r\n{body}"));
    }

    /// Reads one response; `to_head` says that it answers HEAD.
    pub(crate) fn read(&mut self, to_head: bool) -> Answer {
        loop {
            if let Some((answer, rest)) = answer::read(&self.received, to_head, false).unwrap() {
                self.received = rest.to_vec();
                return answer;
            }
            let mut piece = [0; 65_536];
            let read = self.stream.read(&mut piece).unwrap();
            assert!(read > 0, "end after {:?}", self.received.escape_ascii().to_string());
            self.received.extend_from_slice(&piece[..read]);
        }
    }

    /// Reads up to and with `mark`.
    pub(crate) fn read_until(&mut self, mark: &str) {
        let mut seen = std::mem::take(&mut self.received);
        loop {
            if let Some(at) = seen.windows(mark.len()).position(|window| window == mark.as_bytes()) {
                // The line end of one mark may be the first bytes of the next.
                self.received = seen.split_off(at + mark.len() - 2);
                return;
            }
            let mut piece = [0; 4_096];
            let read = self.stream.read(&mut piece).unwrap();
            assert!(read > 0, "no {mark:?} in {:?}", seen.escape_ascii().to_string());
            seen.extend_from_slice(&piece[..read]);
        }
    }

    /// Reads until the server closes or resets the connection.
    pub(crate) fn read_to_end(mut self) -> Vec<u8> {
        let _ = self.stream.read_to_end(&mut self.received);
        self.received
    }

    /// Sends a request and reads its response.
    pub(crate) fn ask(&mut self, line: &str, fields: &[(&str, &str)], body: &str) -> Answer {
        self.send_request(line, fields, body);
        self.read(line.starts_with("HEAD "))
    }
}

/// The body as text.
pub(crate) fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}
