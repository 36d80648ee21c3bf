//! Parses a request line in one pass (RFC 9112 §3): method, target, version, and the CR LF behind it.
//!
//! Every byte of the target is looked at once, for its own sake and for the `?`. Leaves the target's form to `target.rs`
//! and the fields to `head.rs`.

use super::{framing::is_token_byte, refusal::Refusal};
use crate::http::{Method, Version};

/// A request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLine {
    /// The method.
    pub method: Method,
    /// Bytes of the method's token; the target begins one byte after it.
    pub method_len: usize,
    /// The end of the target.
    pub target_end: usize,
    /// The first `?` in the target.
    pub query_mark: Option<usize>,
    /// The version that the request is served as.
    pub version: Version,
    /// The length of the line, its CR LF included.
    pub len: usize,
}

/// Bytes of `HTTP/1.1` and the CR LF.
const VERSION_LEN: usize = 10;

/// Parses the line at the start of `bytes`; `None` means that its end is not there yet.
///
/// # Errors
/// The first rule that the line breaks.
#[inline]
pub fn parse(bytes: &[u8]) -> Result<Option<RequestLine>, Refusal> {
    let Some((method, method_len)) = method(bytes)? else { return Ok(None) };
    let target_start = method_len + 1;
    let mut query_mark = None;
    let mut end = target_start;
    loop {
        // The loop over plain bytes is kept tight; the few others leave it.
        let rest = bytes.get(end..).unwrap_or_default();
        end += rest.iter().take_while(|byte| TARGET_BYTES[**byte as usize] == PLAIN).count();
        match bytes.get(end) {
            None => return Ok(None),
            Some(b' ') => break,
            Some(b'?') => query_mark = query_mark.or(Some(end)),
            Some(_) => return Err(Refusal::Target),
        }
        end += 1;
    }
    if end == target_start {
        return Err(Refusal::Target);
    }
    let Some(version) = version(&bytes[end + 1..])? else { return Ok(None) };
    Ok(Some(RequestLine { method, method_len, target_end: end, query_mark, version, len: end + 1 + VERSION_LEN }))
}

#[inline]
fn method(bytes: &[u8]) -> Result<Option<(Method, usize)>, Refusal> {
    match bytes {
        [b'G', b'E', b'T', b' ', ..] => Ok(Some((Method::Get, 3))),
        [b'P', b'O', b'S', b'T', b' ', ..] => Ok(Some((Method::Post, 4))),
        _ => other_method(bytes),
    }
}

fn other_method(bytes: &[u8]) -> Result<Option<(Method, usize)>, Refusal> {
    let len = bytes.iter().take_while(|byte| is_token_byte(**byte)).count();
    match bytes.get(len) {
        None => Ok(None),
        Some(b' ') if len > 0 => Ok(Some((Method::from_token(super::ascii::text(&bytes[..len])), len))),
        Some(_) => Err(Refusal::Method),
    }
}

/// Reads the version and the CR LF behind it (RFC 9112 §2.3).
#[inline]
fn version(bytes: &[u8]) -> Result<Option<Version>, Refusal> {
    // An array is compared in two words; a pattern byte by byte.
    if bytes.first_chunk() == Some(b"HTTP/1.1\r\n") { Ok(Some(Version::Http11)) } else { other_version(bytes) }
}

#[cold]
fn other_version(bytes: &[u8]) -> Result<Option<Version>, Refusal> {
    // Wait for the line's end, unless what is there cannot become a version any more.
    let Some(line_end) = memchr::memchr(b'\n', bytes) else {
        return if bytes.len() < VERSION_LEN { Ok(None) } else { Err(Refusal::Version) };
    };
    let line = bytes[..line_end].strip_suffix(b"\r").ok_or(Refusal::LineEnd)?;
    match line {
        // Later minor versions of 1 are served as 1.1.
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9'] => {
            Ok(Some(if *minor == b'0' { Version::Http10 } else { Version::Http11 }))
        }
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Refusal::VersionUnsupported),
        // A space before the version that is not the only one belongs to no target.
        _ if line.contains(&b' ') || line.is_empty() => Err(Refusal::Target),
        _ => Err(Refusal::Version),
    }
}

const OTHER: u8 = 0;
const PLAIN: u8 = 1;

/// Printable ASCII but `#`, which is refused, and `?`, which is noted. RFC 3986 also leaves out `"<>\^{|}` and the backtick; they are let through because browsers
/// and scripts do send them raw, and nothing here gives them a meaning.
static TARGET_BYTES: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = PLAIN;
        byte += 1;
    }
    table[b'#' as usize] = OTHER;
    table[b'?' as usize] = OTHER;
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_parsed_at_any_cut() {
        let line = b"PATCH /a?b?c HTTP/1.0\r\n";
        let expected = RequestLine {
            method: Method::Patch,
            method_len: 5,
            target_end: 12,
            query_mark: Some(8),
            version: Version::Http10,
            len: line.len(),
        };
        for end in 0..line.len() {
            assert_eq!(parse(&line[..end]), Ok(None), "{end}");
        }
        assert_eq!(parse(line), Ok(Some(expected)));
    }

    #[test]
    fn lines_that_are_refused() {
        let cases = [
            ("G@T / HTTP/1.1\r\n", Refusal::Method),
            (" GET / HTTP/1.1\r\n", Refusal::Method),
            ("GET\t/ HTTP/1.1\r\n", Refusal::Method),
            ("GET  HTTP/1.1\r\n", Refusal::Target),
            ("GET /\r\n", Refusal::Target),
            ("GET /# HTTP/1.1\r\n", Refusal::Target),
            ("GET /\u{e9} HTTP/1.1\r\n", Refusal::Target),
            ("GET /a b HTTP/1.1\r\n", Refusal::Target),
            ("GET /  HTTP/1.1\r\n", Refusal::Target),
            ("GET / HTTP/1.1 \r\n", Refusal::Target),
            ("GET / \r\n", Refusal::Target),
            ("GET / HTTP/1.10\r\n", Refusal::Version),
            ("GET / HTTP/1\r\n", Refusal::Version),
            ("GET / http/1.1\r\n", Refusal::Version),
            ("GET / HTTP/1.1\n", Refusal::LineEnd),
            ("GET / HTTP/2.0\r\n", Refusal::VersionUnsupported),
            ("GET / HTTP/0.9\r\n", Refusal::VersionUnsupported),
            ("GET / endless-nonsense", Refusal::Version),
        ];
        for (line, refusal) in cases {
            assert_eq!(parse(line.as_bytes()), Err(refusal), "{line:?}");
        }
    }
}
