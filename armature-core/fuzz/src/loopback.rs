//! A real server on the loopback device for the targets that need one, and a client that reads its answers strictly.
//!
//! The server runs in a thread of this process, so that the fuzzer sees which of its code an input reaches. One worker
//! serves all connections in turn: an answer on one says that what came earlier on another has been read.

mod app;

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

use armature_core::{Counters, Handle, Limits, Server};

pub(crate) use app::{Shape, Wanted};

use crate::reference::{find, is_token, trim};

/// How long a client waits; an answer that takes longer is a finding.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lower than a server's defaults, for the fuzzer to reach.
pub(crate) fn limits() -> Limits {
    Limits {
        body_bytes_max: 2_048,
        chunk_extension_bytes_max: 32,
        trailer_bytes_max: 128,
        ..crate::request_head::limits()
    }
}

struct Running {
    address: SocketAddr,
    handle: Handle,
}

/// The one server of this process.
fn server() -> &'static Running {
    static SERVER: OnceLock<Running> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::bind("127.0.0.1:0").unwrap().workers(1).limits(limits());
        let (address, handle) = (server.local_addr(), server.handle());
        let (ready, is_ready) = mpsc::channel();
        let server = server.on_ready(move || ready.send(()).unwrap());
        thread::spawn(move || server.serve(|_| app::app()).unwrap());
        is_ready.recv().unwrap();
        Running { address, handle }
    })
}

/// What the server has counted; an input that makes a handler panic is a finding also where that becomes a 500.
pub(crate) fn counters() -> Counters {
    server().handle.counters()
}

/// One connection to the server.
pub(crate) struct Client {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Client {
    pub(crate) fn connect() -> Self {
        let stream = loop {
            match TcpStream::connect(server().address) {
                Ok(stream) => break stream,
                // All ports are in the state in which a closed connection waits for late segments; some soon are not.
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => thread::sleep(Duration::from_millis(100)),
                Err(error) => panic!("{error}"),
            }
        };
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, held: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes no more");
    }

    /// Says that no more comes, and reads everything that the server still has to say.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let ended = self.stream.shutdown(Shutdown::Write).and_then(|()| self.stream.read_to_end(&mut self.held));
        // A response that cannot be finished ends in a reset where something was unread.
        let is_reset =
            |error: &std::io::Error| matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::NotConnected);
        assert!(ended.as_ref().err().is_none_or(is_reset), "the server does not close: {ended:?}");
        self.held
    }

    /// Reads one answer; more must not have come.
    pub(crate) fn answer(&mut self) -> Answer {
        loop {
            if let Some((answer, after)) = read(&self.held, false) {
                assert!(after.is_empty(), "more than one answer: {}", self.held.escape_ascii());
                self.held.clear();
                return answer;
            }
            let mut room = [0; 4_096];
            let count = match self.stream.read(&mut room) {
                Ok(count) => count,
                // libFuzzer watches the time by a signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => panic!("no answer: {error}"),
            };
            assert!(count > 0, "closed inside an answer: {}", self.held.escape_ascii());
            self.held.extend_from_slice(&room[..count]);
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Without Date; names in lower case.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_slice())
    }

    pub(crate) fn closes(&self) -> bool {
        self.field("connection") == Some(b"close")
    }
}

/// Reads one answer from the start of `bytes`, which is to a HEAD request or not; `None` when it is not all there.
///
/// An answer that ends with its connection is all there when no more can come: then `bytes` is all of it.
pub(crate) fn read(bytes: &[u8], to_head: bool) -> Option<(Answer, &[u8])> {
    let end = find(bytes, b"\r\n\r\n")? + 4;
    let mut room = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut room);
    let parsed = response.parse(&bytes[..end]);
    assert_eq!(parsed, Ok(httparse::Status::Complete(end)), "{}", bytes[..end].escape_ascii());
    let mut fields = Vec::new();
    for field in response.headers {
        assert!(is_token(field.name.as_bytes()) && trim(field.value) == field.value, "{field:?}");
        if !field.name.eq_ignore_ascii_case("date") {
            fields.push((field.name.to_ascii_lowercase(), field.value.to_vec()));
        }
    }
    let answer = Answer { status: response.code.unwrap(), fields, body: Vec::new() };
    let after = &bytes[end..];
    let (body, after) = body(&answer, after, to_head)?;
    Some((Answer { body, ..answer }, after))
}

fn body<'a>(answer: &Answer, bytes: &'a [u8], to_head: bool) -> Option<(Vec<u8>, &'a [u8])> {
    let (length, coding) = (answer.field("content-length"), answer.field("transfer-encoding"));
    assert!(length.is_none() || coding.is_none(), "{answer:?}");
    let bodyless = answer.status < 200 || answer.status == 204;
    assert!(!bodyless || (length.is_none() && coding.is_none()), "{answer:?}");
    if bodyless || to_head || answer.status == 304 {
        return Some((Vec::new(), bytes));
    }
    if coding.is_some() {
        return chunks(bytes);
    }
    let Some(length) = length else {
        assert!(answer.closes(), "no end: {answer:?}");
        return Some((bytes.to_vec(), &[]));
    };
    let length: usize = std::str::from_utf8(length).unwrap().parse().unwrap();
    Some((bytes.get(..length)?.to_vec(), &bytes[length..]))
}

/// Chunks without extensions and trailers: all that the server sends.
fn chunks(mut bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let end = find(bytes, b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        let data = bytes.get(end + 2..end + 2 + size)?;
        let line_end = bytes.get(end + 2 + size..end + 4 + size)?;
        assert_eq!(line_end, b"\r\n");
        body.extend_from_slice(data);
        bytes = &bytes[end + 4 + size..];
        if size == 0 {
            return Some((body, bytes));
        }
    }
}
