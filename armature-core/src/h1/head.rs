//! Parses a request head into a table of offsets (RFC 9112 §2–§5): httparse underneath, strict rules on top.
//!
//! The table holds no bytes, so it stays true when the head moves to another buffer. Leaves the target's parts to
//! `target.rs`, the body's length to `framing.rs`, and waiting for the rest of a head to `scan.rs`.

use super::{
    framing::{Codings, ConnectionOptions, Framing, content_length},
    line::{self, RequestLine},
    refusal::Refusal,
    target::{self, Span, Target},
};
use crate::{
    http::{Method, Version, is_name as is},
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
    /// The last Host value that was found good; clients send the same one again and again.
    good_host: Vec<u8>,
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
            good_host: Vec::new(),
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

/// Fields for which there is room on the first attempt; a head with more is parsed once more.
const FIELDS_AT_FIRST: usize = 16;

/// Parses the head at the start of `bytes` into `index`; `false` means that its end is not there yet.
///
/// Empty lines must have been skipped before. On `false` and on an error the index holds nothing of use.
///
/// # Errors
/// The first rule that the head breaks.
#[inline]
pub fn parse(bytes: &[u8], limits: &Limits, index: &mut HeadIndex) -> Result<bool, Refusal> {
    let Some(line) = line::parse(bytes)? else { return Ok(false) };
    let at_first = FIELDS_AT_FIRST.min(limits.head_fields_max);
    let mut room = [httparse::EMPTY_HEADER; FIELDS_AT_FIRST];
    match httparse::parse_headers(&bytes[line.len..], &mut room[..at_first]) {
        Ok(httparse::Status::Complete((len, fields))) => {
            index.len = line.len + len;
            finish(bytes, &line, fields, limits, index)?;
            Ok(true)
        }
        Ok(httparse::Status::Partial) => Ok(false),
        Err(httparse::Error::TooManyHeaders) => parse_many(bytes, &line, limits, index),
        Err(error) => Err(refusal(error)),
    }
}

#[cold]
fn parse_many(bytes: &[u8], line: &RequestLine, limits: &Limits, index: &mut HeadIndex) -> Result<bool, Refusal> {
    let mut room = [httparse::EMPTY_HEADER; HEAD_FIELDS_CEILING];
    let room = &mut room[..limits.head_fields_max.min(HEAD_FIELDS_CEILING)];
    match httparse::parse_headers(&bytes[line.len..], room) {
        Ok(httparse::Status::Complete((len, fields))) => {
            index.len = line.len + len;
            finish(bytes, line, fields, limits, index)?;
            Ok(true)
        }
        Ok(httparse::Status::Partial) => Ok(false),
        Err(error) => Err(refusal(error)),
    }
}

fn refusal(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::HeaderValue => Refusal::FieldValue,
        httparse::Error::NewLine => Refusal::LineEnd,
        httparse::Error::TooManyHeaders => Refusal::TooManyFields,
        _ => Refusal::Field,
    }
}

/// Whether a target of so many bytes is over its limit.
#[inline]
pub(super) fn is_target_too_long(bytes: usize, limits: &Limits) -> bool {
    bytes > limits.target_bytes_max
}

/// Checks a head that is there as a whole, and fills in its index.
#[inline]
fn finish(
    bytes: &[u8],
    line: &RequestLine,
    fields: &[httparse::Header<'_>],
    limits: &Limits,
    index: &mut HeadIndex,
) -> Result<(), Refusal> {
    let target_start = line.method_len + 1;
    if is_target_too_long(line.target_end - target_start, limits) {
        return Err(Refusal::TargetTooLong);
    }
    if index.len > limits.head_bytes_max {
        return Err(Refusal::HeadTooLarge);
    }
    index.method = line.method;
    index.method_token = Span::new(0, line.method_len);
    index.version = line.version;
    index.target = target::split(bytes, line)?;
    index.host = None;
    index.connection = ConnectionOptions::default();
    index.expects_continue = false;
    index.fields.clear();
    index.fields.reserve(fields.len());
    let framing = interpret(bytes, line, fields, index)?;
    index.framing = framing;
    Ok(())
}

/// Goes through the fields once: notes where they are, checks that each line ends in CR LF (httparse lets a bare LF
/// pass), and reads those that decide about framing, host and connection.
#[inline]
fn interpret(
    bytes: &[u8],
    line: &RequestLine,
    fields: &[httparse::Header<'_>],
    index: &mut HeadIndex,
) -> Result<Framing, Refusal> {
    let base = bytes.as_ptr().addr();
    // The first field follows the request line at once; behind each value there is white space and one CR LF.
    let mut line_end = line.len;
    let mut length = None;
    let mut codings = Codings::default();
    for &httparse::Header { name, value } in fields {
        let name = name.as_bytes();
        let name_start = name.as_ptr().addr() - base;
        let value_start = value.as_ptr().addr() - base;
        check_line_end(bytes, line_end, name_start)?;
        line_end = value_start + value.len();
        index.fields.push(Field {
            name: Span::new(name_start, name_start + name.len()),
            value: Span::new(value_start, line_end),
        });
        // The lengths of the names that matter here; most fields end the comparison there.
        match name.len() {
            4 if is(name, b"host") => {
                if index.host.replace(Span::new(value_start, line_end)).is_some() {
                    return Err(Refusal::HostRepeated);
                }
                if value != index.good_host {
                    target::check_host(value)?;
                    index.good_host.clear();
                    index.good_host.extend_from_slice(value);
                }
            }
            // HTTP/1.0 knows no expectations, so they are not looked at (RFC 9110 §10.1.1).
            6 if index.version == Version::Http11 && is(name, b"expect") => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Refusal::Expectation);
                }
                index.expects_continue = true;
            }
            10 if is(name, b"connection") => index.connection.add(value),
            14 if is(name, b"content-length") => {
                if length.is_some() {
                    return Err(Refusal::LengthRepeated);
                }
                length = Some(content_length(value)?);
            }
            17 if is(name, b"transfer-encoding") => codings.add(value)?,
            _ => {}
        }
    }
    if fields.is_empty() {
        line_end = line.len - 2;
    }
    if bytes[index.len - 2] != b'\r' {
        return Err(Refusal::LineEnd);
    }
    check_line_end(bytes, line_end, index.len - 2)?;
    if index.host.is_none() && index.version == Version::Http11 {
        return Err(Refusal::HostMissing);
    }
    match (length, codings.any()) {
        (Some(_), true) => Err(Refusal::LengthAndCoding),
        (None, true) if index.version == Version::Http10 => Err(Refusal::CodingOn10),
        (None, true) => codings.framing(),
        (Some(0) | None, false) => Ok(Framing::None),
        (Some(length), false) => Ok(Framing::Length(length)),
    }
}

/// Between the end of a value and the next line there is white space and one CR LF.
#[inline]
fn check_line_end(bytes: &[u8], end: usize, next: usize) -> Result<(), Refusal> {
    match bytes.get(end..next) {
        // Right behind the request line, whose own end was checked.
        Some([.., b'\r', b'\n'] | []) => Ok(()),
        _ => Err(Refusal::LineEnd),
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
