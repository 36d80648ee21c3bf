//! One HTTP/1.1 connection that shows every byte of an answer. It knows what the contract needs: a status line, header
//! fields, and bodies framed by `content-length`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long a server may keep a test waiting.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case, in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    /// Bytes of the head, the empty line included.
    pub(crate) head_bytes: usize,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes());
        self.answer()
    }

    pub(crate) fn post(&mut self, target: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head = format!("POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
        self.send(head.as_bytes());
        self.send(body);
        self.answer()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the server reads");
    }

    /// The next answer. An interim one, status 1xx, has no body.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut head_bytes = 0;
        let mut line = || {
            let mut line = String::new();
            head_bytes += self.stream.read_line(&mut line).expect("an answer in time");
            assert!(line.ends_with("\r\n"), "the connection ended within a head, at {line:?}");
            line.truncate(line.len() - 2);
            line
        };
        let status = line();
        let status = status.strip_prefix("HTTP/1.1 ").expect("an HTTP/1.1 answer")[..3].parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let field = line();
            let Some((name, value)) = field.split_once(':') else {
                assert!(field.is_empty(), "not a header field: {field:?}");
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, head_bytes, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        answer.body.resize(length, 0);
        self.stream.read_exact(&mut answer.body).expect("as many bytes as content-length says");
        answer
    }

    /// Whether the server has closed the connection without another byte.
    pub(crate) fn ended(&mut self) -> bool {
        self.stream.fill_buf().is_ok_and(<[u8]>::is_empty)
    }
}

impl Answer {
    /// The value of the only field of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(each, _)| each == name);
        let value = values.next();
        assert!(values.next().is_none(), "{name} comes twice: {:?}", self.headers);
        value.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// The body as JSON rows of `world`: id and number, both in range. A single row counts as a list of one.
    pub(crate) fn worlds(&self) -> Vec<(u64, u64)> {
        let json: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
        let rows = json.as_array().cloned().unwrap_or_else(|| vec![json]);
        let row = |row: &serde_json::Value| {
            assert_eq!(row.as_object().expect("an object").len(), 2, "{row}");
            let (id, number) = (row["id"].as_u64().unwrap(), row["randomNumber"].as_u64().unwrap());
            assert!((1..=10_000).contains(&id) && (1..=10_000).contains(&number), "{row}");
            (id, number)
        };
        rows.iter().map(row).collect()
    }
}
