//! Parses a request head into a table of offsets (RFC 9112 §2–§5): httparse underneath, strict rules on top.
//!
//! The table holds no bytes, so it stays true when the head moves to another buffer. Leaves the target's parts to
//! `target.rs`, the body's length to `framing.rs`, and waiting for the rest of a head to `scan.rs`.

use std::mem::MaybeUninit;

use super::{
    framing::{Codings, ConnectionOptions, Framing, content_length},
    refusal::Refusal,
    target::{self, Span, Target},
};
use crate::{
    http::{Method, Version},
    limits::{HEAD_FIELDS_CEILING, Limits},
};

/// Where one header field is in the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name, in the case in which it was sent.
    pub name: Span,
    /// Its value, without white space around it.
    pub value: Span,
}

/// Where everything is in a request head, and what its framing fields mean.
#[derive(Debug, Clone)]
pub struct HeadIndex {
    /// Bytes of the head, the empty line included.
    pub len: usize,
    /// The method.
    pub method: Method,
    /// The method's token.
    pub method_token: Span,
    /// The version it is served as.
    pub version: Version,
    /// The parts of the target.
    pub target: Target,
    /// The value of Host.
    pub host: Option<Span>,
    /// The fields, in order.
    pub fields: Vec<Field>,
    /// How long the body is.
    pub framing: Framing,
    /// What Connection listed.
    pub connection: ConnectionOptions,
    /// Whether `Expect: 100-continue` was sent, on HTTP/1.1.
    pub expects_continue: bool,
}

impl Default for HeadIndex {
    fn default() -> Self {
        Self {
            len: 0,
            method: Method::Other,
            method_token: Span::default(),
            version: Version::Http11,
            target: Target::default(),
            host: None,
            fields: Vec::new(),
            framing: Framing::None,
            connection: ConnectionOptions::default(),
            expects_continue: false,
        }
    }
}

impl HeadIndex {
    /// Whether the client allows the connection to go on after this request (RFC 9112 §9.3).
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        !self.connection.close && (self.version == Version::Http11 || self.connection.keep_alive)
    }
}

/// Parses the head at the start of `bytes` into `index`; `false` means that its end is not there yet.
///
/// Empty lines must have been skipped before. On `false` and on an error the index holds nothing of use.
///
/// # Errors
/// The first rule that the head breaks.
pub fn parse(bytes: &[u8], limits: &Limits, index: &mut HeadIndex) -> Result<bool, Refusal> {
    let mut room = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; HEAD_FIELDS_CEILING];
    let room = &mut room[..limits.head_fields_max.min(HEAD_FIELDS_CEILING)];
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(bytes, room) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(false),
        Err(httparse::Error::Version) => return parse_other_version(bytes, limits, index),
        Err(error) => return Err(refusal(error, bytes)),
    };
    // On completion httparse has filled in all three.
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(Refusal::Method);
    };
    index.len = len;
    index.method = Method::from_token(method);
    index.method_token = Span::new(0, method.len());
    index.version = if version == 0 { Version::Http10 } else { Version::Http11 };

    let target_start = method.len() + 1;
    // One space, then the eight bytes of the version.
    let line_end = target_start + target.len() + 9;
    if target.len() > limits.target_bytes_max {
        return Err(Refusal::TargetTooLong);
    }
    if len > limits.head_bytes_max {
        return Err(Refusal::HeadTooLarge);
    }
    index.target = target::split(index.method, target.as_bytes(), target_start)?;
    collect_fields(bytes, line_end, request.headers, index)?;
    interpret(bytes, index)?;
    Ok(true)
}

/// Turns httparse's slices into offsets, and checks that every line ends in CR LF: httparse lets a bare LF pass.
#[inline]
fn collect_fields(
    bytes: &[u8],
    line_end: usize,
    headers: &[httparse::Header<'_>],
    index: &mut HeadIndex,
) -> Result<(), Refusal> {
    let base = bytes.as_ptr().addr();
    index.fields.clear();
    index.fields.reserve(headers.len());
    let mut previous_end = line_end;
    for header in headers {
        let name_start = header.name.as_ptr().addr() - base;
        let value_start = header.value.as_ptr().addr() - base;
        check_line_end(bytes, previous_end, name_start)?;
        previous_end = value_start + header.value.len();
        index.fields.push(Field {
            name: Span::new(name_start, name_start + header.name.len()),
            value: Span::new(value_start, previous_end),
        });
    }
    check_line_end(bytes, previous_end, index.len - 2)?;
    if bytes[index.len - 2] == b'\r' { Ok(()) } else { Err(Refusal::LineEnd) }
}

/// Between the end of a value (or of the request line) and the next line there is white space and one CR LF.
#[inline]
fn check_line_end(bytes: &[u8], end: usize, next: usize) -> Result<(), Refusal> {
    match bytes.get(end..next) {
        Some([.., b'\r', b'\n']) => Ok(()),
        _ => Err(Refusal::LineEnd),
    }
}

/// Reads the fields that decide about framing, host and connection.
fn interpret(bytes: &[u8], index: &mut HeadIndex) -> Result<(), Refusal> {
    index.host = None;
    index.connection = ConnectionOptions::default();
    index.expects_continue = false;
    let mut length = None;
    let mut codings = Codings::default();
    for field in &index.fields {
        // The lengths of the names that matter here; most fields end the comparison there.
        match field.name.len {
            4 if is(bytes, field, b"host") => {
                if index.host.replace(field.value).is_some() {
                    return Err(Refusal::HostRepeated);
                }
                target::check_host(field.value.of(bytes))?;
            }
            // HTTP/1.0 knows no expectations, so they are not looked at (RFC 9110 §10.1.1).
            6 if index.version == Version::Http11 && is(bytes, field, b"expect") => {
                if !field.value.of(bytes).eq_ignore_ascii_case(b"100-continue") {
                    return Err(Refusal::Expectation);
                }
                index.expects_continue = true;
            }
            10 if is(bytes, field, b"connection") => index.connection.add(field.value.of(bytes)),
            14 if is(bytes, field, b"content-length") => {
                if length.is_some() {
                    return Err(Refusal::LengthRepeated);
                }
                length = Some(content_length(field.value.of(bytes))?);
            }
            17 if is(bytes, field, b"transfer-encoding") => codings.add(field.value.of(bytes))?,
            _ => {}
        }
    }
    if index.host.is_none() && index.version == Version::Http11 {
        return Err(Refusal::HostMissing);
    }
    index.framing = match (length, codings.any()) {
        (Some(_), true) => return Err(Refusal::LengthAndCoding),
        (None, true) if index.version == Version::Http10 => return Err(Refusal::CodingOn10),
        (None, true) => codings.framing()?,
        (Some(0) | None, false) => Framing::None,
        (Some(length), false) => Framing::Length(length),
    };
    Ok(())
}

#[inline]
fn is(bytes: &[u8], field: &Field, name: &[u8]) -> bool {
    field.name.of(bytes).eq_ignore_ascii_case(name)
}

/// httparse knows 1.0 and 1.1 only. Later minor versions of 1 are served as 1.1 (RFC 9112 §2.3).
#[cold]
fn parse_other_version(bytes: &[u8], limits: &Limits, index: &mut HeadIndex) -> Result<bool, Refusal> {
    let Some(line_end) = memchr::memchr(b'\n', bytes) else {
        return Ok(false);
    };
    let line = &bytes[..line_end];
    let line = line.strip_suffix(b"\r").ok_or(Refusal::LineEnd)?;
    let space = memchr::memrchr(b' ', line).ok_or(Refusal::Version)?;
    let [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] = line[space + 1..] else {
        return Err(Refusal::Version);
    };
    match (major, minor) {
        // The version is a good one, so the space before it was not the only one.
        (b'1', b'0' | b'1') => Err(Refusal::Target),
        (b'1', _) => {
            let mut served_as = bytes.to_vec();
            served_as[space + 8] = b'1';
            parse(&served_as, limits, index)
        }
        _ => Err(Refusal::VersionUnsupported),
    }
}

#[cold]
fn refusal(error: httparse::Error, bytes: &[u8]) -> Refusal {
    match error {
        httparse::Error::HeaderName => Refusal::Field,
        httparse::Error::HeaderValue => Refusal::FieldValue,
        httparse::Error::NewLine => Refusal::LineEnd,
        httparse::Error::TooManyHeaders => Refusal::TooManyFields,
        // A token error is the method's until its space is there, and the target's after it.
        _ => {
            let method = bytes.iter().take_while(|byte| super::framing::is_token_byte(**byte)).count();
            if method > 0 && bytes.get(method) == Some(&b' ') { Refusal::Target } else { Refusal::Method }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str) -> Result<bool, Refusal> {
        parse(head.as_bytes(), &Limits::default(), &mut HeadIndex::default())
    }

    #[test]
    fn a_table_of_heads() {
        let cases = [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Ok(true)),
            ("GET / HTTP/1.1\r\nHost: a\r\n", Ok(false)),
            ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", Ok(true)),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Err(Refusal::VersionUnsupported)),
            ("GET / HTTP/1.x\r\nHost: a\r\n\r\n", Err(Refusal::Version)),
            ("GET / http/1.1\r\nHost: a\r\n\r\n", Err(Refusal::Version)),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Err(Refusal::Target)),
            ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", Err(Refusal::Target)),
            ("GET /\r\n\r\n", Err(Refusal::Target)),
            ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", Err(Refusal::Method)),
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", Err(Refusal::LineEnd)),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", Err(Refusal::LineEnd)),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", Err(Refusal::LineEnd)),
            ("GET / HTTP/1.1\r\nHost: a\r\nB: \n\r\n", Err(Refusal::LineEnd)),
            ("GET / HTTP/1.0\n\n", Err(Refusal::LineEnd)),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Err(Refusal::Field)),
            ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Err(Refusal::Field)),
            ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", Err(Refusal::Field)),
            ("GET / HTTP/1.1\r\nHost: a\r\nB: c\0d\r\n\r\n", Err(Refusal::FieldValue)),
            ("GET / HTTP/1.1\r\nHost: a\r\nB: \r\nC:\r\nD: e \t\r\n\r\n", Ok(true)),
            ("GET / HTTP/1.1\r\n\r\n", Err(Refusal::HostMissing)),
            ("GET / HTTP/1.0\r\n\r\n", Ok(true)),
        ];
        for (head, expected) in cases {
            assert_eq!(check(head), expected, "{head:?}");
        }
    }

    #[test]
    fn the_index_points_at_what_was_sent() {
        let head = b"POST http://h/p?q HTTP/1.1\r\nHost:\t x \r\nContent-Length: 5\r\nE:\r\n\r\nrest";
        let mut index = HeadIndex::default();
        assert_eq!(parse(head, &Limits::default(), &mut index), Ok(true));
        let fields: Vec<_> = index
            .fields
            .iter()
            .map(|field| {
                (field.name.of(head).escape_ascii().to_string(), field.value.of(head).escape_ascii().to_string())
            })
            .collect();
        let expected = [("Host", "x"), ("Content-Length", "5"), ("E", "")];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!((index.target.path.of(head), index.len), (&b"/p"[..], head.len() - 4));
        assert_eq!((index.framing, index.keeps_alive()), (Framing::Length(5), true));
    }
}
