//! Chunked bodies: decoded whole, byte by byte and in pieces with one result, which is also that of the plain reading.
//!
//! Input: a chunked body, and what follows it.

use armature_core::{
    Limits,
    h1::{Refusal, chunked::BodyDecoder, framing::Framing},
    http::HeaderMap,
};

use crate::{
    cut,
    reference::{find, is_token, split, trim},
};

/// Low enough for the fuzzer to reach.
const EXTENSION_BYTES: usize = 32;
const TRAILER_BYTES: usize = 128;

/// What became of the input.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    body: Vec<u8>,
    /// Bytes that were not consumed.
    left: usize,
    is_end: bool,
    trailers: Option<HeaderMap>,
}

/// Decodes the body and compares.
pub fn run(bytes: &[u8]) {
    let limits =
        Limits { chunk_extension_bytes_max: EXTENSION_BYTES, trailer_bytes_max: TRAILER_BYTES, ..Limits::default() };
    let whole = decode(std::iter::once(bytes), Framing::Chunked, &limits);
    for outcome in
        [decode(bytes.chunks(1), Framing::Chunked, &limits), decode(cut::pieces(bytes), Framing::Chunked, &limits)]
    {
        match (&whole, &outcome) {
            (Ok(whole), Ok(outcome)) => assert_eq!(whole, outcome),
            // Which of several rules is found broken first may depend on what is there.
            (Err(_), Err(_)) => {}
            _ => panic!("{whole:?} whole, {outcome:?} in pieces"),
        }
    }
    match (&whole, reference(bytes)) {
        (Err(_), Plain::Wrong) => {}
        (Ok(outcome), Plain::Part) => assert!(!outcome.is_end),
        (Ok(outcome), Plain::Whole { body, left }) => {
            assert_eq!((outcome.is_end, &outcome.body, outcome.left), (true, &body, left));
        }
        (whole, expected) => panic!("{whole:?} where {expected:?} was expected"),
    }
    let length = (bytes.len() / 2) as u64;
    if length > 0 {
        let outcome = decode(cut::pieces(bytes), Framing::Length(length), &limits).unwrap();
        assert_eq!(outcome.body, bytes[..bytes.len() / 2]);
        assert_eq!((outcome.is_end, outcome.left), (true, bytes.len() - bytes.len() / 2));
    }
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>, framing: Framing, limits: &Limits) -> Result<Outcome, Refusal> {
    let mut decoder = BodyDecoder::new(framing);
    let (mut body, mut held) = (Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        let step = decoder.decode(&mut held, limits)?;
        assert!(step.data.end <= step.consumed && step.consumed <= held.len(), "{step:?}");
        body.extend_from_slice(&held[step.data]);
        held.drain(..step.consumed);
    }
    let trailers = decoder.take_trailers().map(|trailers| *trailers);
    Ok(Outcome { body, left: held.len(), is_end: decoder.is_end(), trailers })
}

/// The plain reading.
#[derive(Debug)]
enum Plain {
    Whole { body: Vec<u8>, left: usize },
    Part,
    Wrong,
}

/// RFC 9112 §7.1 with sizes of up to 16 digits.
fn reference(mut bytes: &[u8]) -> Plain {
    let mut body = Vec::new();
    let mut extension_bytes = 0;
    loop {
        let line = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes, |end| &bytes[..end]);
        let is_ended = line.len() < bytes.len();
        let text = if is_ended {
            let Some(text) = line.strip_suffix(b"\r") else { return Plain::Wrong };
            text
        } else {
            line.strip_suffix(b"\r").unwrap_or(line)
        };
        let semicolon = text.iter().position(|byte| *byte == b';').unwrap_or(text.len());
        let (digits, extension) = text.split_at(semicolon);
        extension_bytes += extension.len();
        let is_size = digits.len() <= 16 && digits.iter().all(u8::is_ascii_hexdigit);
        let is_extension = extension.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
        // A line that ends, by CR or by a semicolon, has digits before that.
        let lacks_digits = digits.is_empty() && !line.is_empty();
        if !is_size || !is_extension || lacks_digits || extension_bytes > EXTENSION_BYTES {
            return Plain::Wrong;
        }
        if !is_ended {
            return Plain::Part;
        }
        matches_httparse(bytes, line, digits, extension);
        let size = u64::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        bytes = &bytes[line.len() + 1..];
        if size == 0 {
            return trailers(bytes, body);
        }
        let Some(data) = usize::try_from(size).ok().and_then(|size| bytes.get(..size)) else { return Plain::Part };
        body.extend_from_slice(data);
        bytes = &bytes[data.len()..];
        match bytes {
            [b'\r', b'\n', rest @ ..] => bytes = rest,
            [] | [b'\r'] => return Plain::Part,
            _ => return Plain::Wrong,
        }
    }
}

fn matches_httparse(bytes: &[u8], line: &[u8], digits: &[u8], extension: &[u8]) {
    // It takes fewer kinds of extensions.
    if extension.is_empty() {
        let size = u64::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        assert_eq!(httparse::parse_chunk_size(bytes), Ok(httparse::Status::Complete((line.len() + 1, size))));
    }
}

fn trailers(bytes: &[u8], body: Vec<u8>) -> Plain {
    if let Some(rest) = bytes.strip_prefix(b"\r\n") {
        return Plain::Whole { body, left: rest.len() };
    }
    let end = find(bytes, b"\r\n\r\n").map(|end| end + 4);
    let section = &bytes[..end.unwrap_or(bytes.len())];
    let has_bare_lf =
        section.iter().enumerate().any(|(at, byte)| *byte == b'\n' && (at == 0 || section[at - 1] != b'\r'));
    if has_bare_lf || section.len() > TRAILER_BYTES {
        return Plain::Wrong;
    }
    let Some(end) = end else { return Plain::Part };
    let lines = split(&section[..end - 4], b"\r\n");
    let is_field = |line: &&[u8]| {
        let colon = line.iter().position(|byte| *byte == b':');
        let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
        colon.is_some_and(|colon| is_token(&line[..colon]) && trim(&line[colon + 1..]).iter().all(is_text))
    };
    if lines.len() > 32 || !lines.iter().all(is_field) {
        return Plain::Wrong;
    }
    Plain::Whole { body, left: bytes.len() - end }
}
