//! Request heads: what is accepted is what the plain reading accepts, and means the same there and to httparse.
//!
//! Input: a head as it comes off the wire. Read next: `headers.rs`.

use armature_core::{
    Limits,
    h1::{
        framing::Framing,
        head::{self, HeadIndex},
        scan::LineScan,
    },
    http::Version,
};

use crate::reference::{self, Bounds, Length, find};

/// Low enough for the fuzzer to reach.
pub(crate) const BOUNDS: Bounds = Bounds { head_bytes: 1_024, fields: 24, target_bytes: 200 };

/// The server's limits by the same numbers.
pub(crate) fn limits() -> Limits {
    Limits {
        head_bytes_max: BOUNDS.head_bytes,
        head_fields_max: BOUNDS.fields,
        target_bytes_max: BOUNDS.target_bytes,
        ..Limits::default()
    }
}

/// Parses the head and compares.
pub fn run(bytes: &[u8]) {
    let limits = limits();
    // Used before, as indices are in a server.
    let mut index = HeadIndex::default();
    let before =
        b"OPTIONS http://before/x?y HTTP/1.0\r\nHost: h\r\nConnection: upgrade, close\r\nContent-Length: 7\r\n\r\n";
    assert_eq!(head::parse(before, &limits, &mut index), Ok(true));
    let parsed = head::parse(bytes, &limits, &mut index);
    let expected = reference::head(bytes, BOUNDS);
    match (parsed, &expected) {
        (Ok(true), Some(expected)) => accepted(bytes, &limits, &index, expected),
        (Ok(false), None) => assert!(find(bytes, b"\r\n\r\n").is_none(), "a whole head is taken for a part of one"),
        (Err(_), None) => {
            let longer = [bytes, b"x"].concat();
            assert!(head::parse(&longer, &limits, &mut index).is_err(), "more bytes make a wrong head right");
        }
        (parsed, expected) => panic!("{parsed:?} where {expected:?} was expected"),
    }
}

fn accepted(bytes: &[u8], limits: &Limits, index: &HeadIndex, expected: &reference::Head<'_>) {
    matches_reference(bytes, index, expected);
    matches_httparse(&bytes[..index.len], expected);
    let mut scan = LineScan::default();
    for end in 0..index.len {
        let part = &bytes[..end];
        assert_eq!(head::parse(part, limits, &mut HeadIndex::default()), Ok(false), "cut at {end}");
        assert_eq!(scan.find_end(part), Ok(None), "cut at {end}");
    }
    assert_eq!(scan.find_end(&bytes[..index.len]), Ok(Some(index.len)));
    let mut alone = HeadIndex::default();
    assert_eq!(head::parse(&bytes[..index.len], limits, &mut alone), Ok(true));
    matches_reference(bytes, &alone, expected);
}

/// Whether the index says what the plain reading found.
pub(crate) fn matches_reference(bytes: &[u8], index: &HeadIndex, expected: &reference::Head<'_>) {
    assert_eq!(index.len, expected.len);
    assert_eq!(index.method_token.of(bytes), expected.method);
    let named = index.method.as_str().as_bytes();
    assert!(named.is_empty() || named == expected.method);
    // The slash before an authority stands for the empty path, wherever it is.
    assert_eq!(index.target.path.of(bytes), expected.target.path);
    assert_eq!(index.target.query.map(|span| span.of(bytes)), expected.target.query);
    assert_eq!(index.target.authority.map(|span| span.of(bytes)), expected.target.authority);
    let fields: Vec<_> = index.fields.iter().map(|field| (field.name.of(bytes), field.value.of(bytes))).collect();
    assert_eq!(fields, expected.fields);
    let host = reference::values(&expected.fields, "host").first().copied();
    assert_eq!(index.host.map(|span| span.of(bytes)), host);
    assert_eq!(index.version == Version::Http10, expected.minor == b'0');
    let body = match index.framing {
        Framing::None => Length::None,
        Framing::Length(length) => Length::Bytes(length),
        Framing::Chunked => Length::Chunked,
    };
    assert_eq!(body, expected.body);
    assert_eq!(index.keeps_alive(), expected.keeps_alive);
    assert_eq!(index.connection.upgrade, expected.upgrade);
    assert_eq!(index.expects_continue, expected.expects_continue);
}

fn matches_httparse(head: &[u8], expected: &reference::Head<'_>) {
    let mut head = head.to_vec();
    // httparse knows no minor version but 0 and 1; later ones are served as 1.
    let line_end = find(&head, b"\r\n").unwrap_or_default();
    let minor = expected.minor.min(b'1');
    head[line_end - 1] = minor;
    let mut room = [httparse::EMPTY_HEADER; BOUNDS.fields];
    let mut request = httparse::Request::new(&mut room);
    assert_eq!(request.parse(&head), Ok(httparse::Status::Complete(head.len())));
    assert_eq!(request.method.map(str::as_bytes), Some(expected.method));
    assert_eq!(request.version, Some(minor - b'0'));
    let fields: Vec<_> = request.headers.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
    assert_eq!(fields, expected.fields);
}
