//! Reads the head of an answer, and remembers the last one: a head that repeats it byte for byte, the value of Date
//! apart, means the same and is not parsed again. Leaves the body to `answer.rs`.

use std::{ops::Range, str};

/// How the end of a body is known (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes.
    Length(u64),
    /// Chunked coding.
    Chunked,
    /// The end of the connection.
    Close,
}

/// What the generator has to know of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Status code.
    pub(crate) status: u16,
    /// How the body ends.
    pub(crate) framing: Framing,
    /// The server will close the connection after this answer (RFC 9112 §9.6).
    pub(crate) close: bool,
    /// Bytes up to and including the empty line.
    pub(crate) length_bytes: usize,
}

/// The largest head that is read, bytes; common servers refuse to send or to forward more than 8 to 16 KiB.
pub(crate) const HEAD_BYTES_MAX: usize = 32 * 1024;

/// The most header fields that are read.
const FIELDS_MAX: usize = 100;

/// The last head that was parsed.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    bytes: Vec<u8>,
    date: Range<usize>,
    head: Option<Head>,
}

impl Memory {
    /// Reads the head at the front of `bytes`; `None` if it is not all there yet.
    ///
    /// # Errors
    /// In words, when the bytes are no head of an HTTP/1.1 answer.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Option<Head>, String> {
        if let Some(head) = self.recall(bytes) {
            return Ok(Some(head));
        }
        let Some((head, date)) = parse(bytes)? else {
            return Ok(None);
        };
        self.bytes.clear();
        self.bytes.extend_from_slice(&bytes[..head.length_bytes]);
        self.date = date;
        self.head = Some(head);
        Ok(Some(head))
    }

    /// The remembered head, if `bytes` begin with it.
    ///
    /// Only the value of the first Date field may differ, and only in characters that cannot end a field, so that
    /// parsing would give the remembered result again.
    fn recall(&self, bytes: &[u8]) -> Option<Head> {
        let head = self.head?;
        let bytes = bytes.get(..self.bytes.len())?;
        let Range { start, end } = self.date;
        let same = bytes[..start] == self.bytes[..start]
            && bytes[end..] == self.bytes[end..]
            && bytes[start..end].iter().all(|byte| (b' '..=b'~').contains(byte));
        same.then_some(head)
    }
}

/// Parses a head; gives what it says and where its Date stands (an empty range if nowhere).
fn parse(bytes: &[u8]) -> Result<Option<(Head, Range<usize>)>, String> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let length_bytes = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length_bytes)) => length_bytes,
        Ok(httparse::Status::Partial) if bytes.len() > HEAD_BYTES_MAX => {
            return Err(format!("a head of more than {HEAD_BYTES_MAX} bytes"));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("not an HTTP/1.1 answer: {error}")),
    };
    let mut length = None;
    let mut coding = None;
    let mut close = response.version == Some(0);
    let mut date = 0..0;
    for field in response.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            let value = content_length(field.value)?;
            if length.is_some_and(|before| before != value) {
                return Err("two different Content-Length fields".to_owned());
            }
            length = Some(value);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            coding = Some(if last_token_is(field.value, "chunked") { Framing::Chunked } else { Framing::Close });
        } else if field.name.eq_ignore_ascii_case("connection") {
            close = (close && !has_token(field.value, "keep-alive")) || has_token(field.value, "close");
        } else if field.name.eq_ignore_ascii_case("date") && date.is_empty() {
            let start = field.value.as_ptr().addr() - bytes.as_ptr().addr();
            date = start..start + field.value.len();
        }
    }
    let head = Head {
        status: response.code.unwrap_or(0),
        framing: coding.or(length.map(Framing::Length)).unwrap_or(Framing::Close),
        close,
        length_bytes,
    };
    Ok(Some((head, date)))
}

fn content_length(value: &[u8]) -> Result<u64, String> {
    str::from_utf8(value)
        .ok()
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("Content-Length {:?} is no length", String::from_utf8_lossy(value)))
}

fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

fn has_token(value: &[u8], token: &str) -> bool {
    tokens(value).any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
}

fn last_token_is(value: &[u8], token: &str) -> bool {
    tokens(value).last().is_some_and(|found| found.eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{Framing, HEAD_BYTES_MAX, Memory};

    #[test]
    fn framing_follows_rfc_9112_section_6_3() {
        let cases: &[(&str, Framing, bool)] = &[
            ("Content-Length: 5\r\n", Framing::Length(5), false),
            ("content-length: 5\r\nContent-Length: 5\r\n", Framing::Length(5), false),
            ("Transfer-Encoding: chunked\r\n", Framing::Chunked, false),
            ("Transfer-Encoding: gzip, Chunked\r\n", Framing::Chunked, false),
            ("Transfer-Encoding: gzip\r\n", Framing::Close, false),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Framing::Chunked, false),
            ("Content-Length: 5\r\nConnection: x, Close\r\n", Framing::Length(5), true),
            ("Content-Length: 5\r\nConnection: keep-alive\r\n", Framing::Length(5), false),
            ("Server: x\r\n", Framing::Close, false),
        ];
        for (fields, framing, close) in cases {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            let head = Memory::default().read(text.as_bytes()).unwrap().unwrap();
            assert_eq!((head.framing, head.close), (*framing, *close), "{fields}");
            assert_eq!(head.length_bytes, text.len());
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD_BYTES_MAX));
        let cases = [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            &long,
        ];
        for text in cases {
            assert!(Memory::default().read(text.as_bytes()).is_err(), "{text:.60}");
        }
    }

    /// A head after a remembered one must read exactly as it would alone.
    #[test]
    fn memory_never_changes_what_is_read() {
        let first = "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 06:00:00 GMT\r\nContent-Length: 5\r\n\r\n";
        let next = [
            first.replace("06:00:00", "06:00:01"),
            first.replace("200 OK", "404 No"),
            first.replace("Length: 5", "Length: 6"),
            first.replace("GMT", "G\r\n"),
            first.replace("Nov 2026 06:00:00 GMT", "\r\nContent-Length: 777"),
            first.replace("Mon, 23 Nov 2026", "Mon, 23\u{0} Nov 202"),
            first.replace("06:00:00", "6:00"),
            first[..first.len() - 1].to_owned(),
            format!("{first}HTTP/1.1 "),
        ];
        for text in next {
            let mut memory = Memory::default();
            memory.read(first.as_bytes()).unwrap().unwrap();
            let alone = Memory::default().read(text.as_bytes());
            assert_eq!(memory.read(text.as_bytes()), alone, "{text:?}");
        }
        let mut without_date = Memory::default();
        let text = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(without_date.read(text), without_date.read(text));
    }
}
