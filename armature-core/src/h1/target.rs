//! Splits and checks a request target and the host it is meant for (RFC 9112 §3.2, RFC 9110 §4.2, §7.2).
//!
//! Leaves percent-decoding to the extractors, which see one segment at a time. Read next: `framing.rs`.

use super::{line::RequestLine, refusal::Refusal};
use crate::http::Method;

/// A stretch of the head, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Length.
    pub len: u32,
}

impl Span {
    /// The stretch from `start` to `end`, which a limit keeps under 32 bits.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && u32::try_from(end).is_ok());
        Self { start: start as u32, len: (end - start) as u32 }
    }

    /// The bytes of the stretch, or none if `bytes` is not what the stretch was measured in.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        bytes.get(start..start + self.len as usize).unwrap_or_default()
    }
}

/// Where the parts of a request target are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Target {
    /// From the path's `/`, or the `*` of `OPTIONS *`, to before `?`.
    pub path: Span,
    /// After `?`.
    pub query: Option<Span>,
    /// `host[:port]` of an absolute-form target; it wins over Host (RFC 9112 §3.2.2).
    pub authority: Option<Span>,
}

/// Says where the parts of the target of `line` are, whose bytes are known to be good ones.
///
/// # Errors
/// [`Refusal::Target`] for a form that the method does not have; [`Refusal::Host`] for a malformed authority;
/// [`Refusal::Connect`] for CONNECT.
#[inline]
pub fn split(bytes: &[u8], line: &RequestLine) -> Result<Target, Refusal> {
    let start = line.method_len + 1;
    let path_end = line.query_mark.unwrap_or(line.target_end);
    if line.method != Method::Connect && bytes.get(start) == Some(&b'/') {
        return Ok(Target {
            path: Span::new(start, path_end),
            query: line.query_mark.map(|mark| Span::new(mark + 1, line.target_end)),
            authority: None,
        });
    }
    other_form(bytes, line, start, path_end)
}

#[cold]
fn other_form(bytes: &[u8], line: &RequestLine, start: usize, path_end: usize) -> Result<Target, Refusal> {
    let target = bytes.get(start..line.target_end).ok_or(Refusal::Target)?;
    match line.method {
        Method::Connect => return Err(Refusal::Connect),
        Method::Options if target == b"*" => {
            return Ok(Target { path: Span::new(start, start + 1), query: None, authority: None });
        }
        _ => {}
    }
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        .ok_or(Refusal::Target)?;
    let host = start + scheme.len();
    if host >= path_end {
        return Err(Refusal::Target);
    }
    let host_end = memchr::memchr(b'/', &bytes[host..path_end]).map_or(path_end, |slash| host + slash);
    if host == host_end {
        return Err(Refusal::Target);
    }
    check_host(&bytes[host..host_end])?;
    // An empty path means `/` (RFC 9110 §4.2.3); the slash before the authority lends itself.
    let path = if host_end == path_end { Span::new(host - 1, host) } else { Span::new(host_end, path_end) };
    let query = line.query_mark.map(|mark| Span::new(mark + 1, line.target_end));
    Ok(Target { path, query, authority: Some(Span::new(host, host_end)) })
}

const REFUSED: u8 = 0;
const HOST_BYTE: u8 = 1;
const PERCENT: u8 = 2;
const COLON: u8 = 3;

/// unreserved and sub-delims of RFC 3986 §2, with `%` and `:` marked.
static HOST_BYTES: [u8; 256] = {
    let mut table = [REFUSED; 256];
    let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=";
    let mut at = 0;
    while at < letters.len() {
        table[letters[at] as usize] = HOST_BYTE;
        at += 1;
    }
    table[b'%' as usize] = PERCENT;
    table[b':' as usize] = COLON;
    table
};

/// Checks a Host value or an authority: `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2). Empty is allowed.
///
/// # Errors
/// [`Refusal::Host`] when it is anything else, user information included.
#[inline]
pub fn check_host(value: &[u8]) -> Result<(), Refusal> {
    let name = value.iter().take_while(|byte| HOST_BYTES[**byte as usize] == HOST_BYTE).count();
    match value[name..] {
        [] => Ok(()),
        [b':', ref port @ ..] if name > 0 => check_port(port),
        _ => check_other_host(value),
    }
}

#[cold]
fn check_other_host(value: &[u8]) -> Result<(), Refusal> {
    if value.first() == Some(&b'[') {
        return check_literal(value);
    }
    for (at, &byte) in value.iter().enumerate() {
        match HOST_BYTES[byte as usize] {
            HOST_BYTE => {}
            COLON if at > 0 => return check_port(&value[at + 1..]),
            PERCENT => {
                let digits = value.get(at + 1..at + 3).ok_or(Refusal::Host)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(Refusal::Host);
                }
            }
            _ => return Err(Refusal::Host),
        }
    }
    Ok(())
}

fn check_port(port: &[u8]) -> Result<(), Refusal> {
    let mut number = 0_u32;
    for byte in port {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Refusal::Host);
        }
        // Stays over the limit once it is, and never overflows.
        number = (number * 10 + u32::from(digit)).min(100_000);
    }
    if number <= u32::from(u16::MAX) { Ok(()) } else { Err(Refusal::Host) }
}

fn check_literal(value: &[u8]) -> Result<(), Refusal> {
    let close = memchr::memchr(b']', value).ok_or(Refusal::Host)?;
    let inside = &value[1..close];
    let is_ip_v6 = std::str::from_utf8(inside).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
    if !is_ip_v6 && !is_future_address(inside) {
        return Err(Refusal::Host);
    }
    match &value[close + 1..] {
        [] => Ok(()),
        [b':', port @ ..] => check_port(port),
        _ => Err(Refusal::Host),
    }
}

/// IPvFuture (RFC 3986 §3.2.2): `v`, hexadecimal digits, a dot, and more.
fn is_future_address(inside: &[u8]) -> bool {
    let [b'v' | b'V', rest @ ..] = inside else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    match &rest[digits..] {
        [b'.', address @ ..] => {
            let is_address_byte = |byte: &u8| matches!(HOST_BYTES[*byte as usize], HOST_BYTE | COLON);
            digits > 0 && !address.is_empty() && address.iter().all(is_address_byte)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path, query and authority.
    type Parts = (&'static str, Option<&'static str>, Option<&'static str>);

    #[test]
    fn targets_are_split_or_refused() {
        let cases: [(Method, &str, Option<Parts>); 15] = [
            (Method::Get, "/", Some(("/", None, None))),
            (Method::Get, "/a/b?c=d?e", Some(("/a/b", Some("c=d?e"), None))),
            (Method::Get, "/a?", Some(("/a", Some(""), None))),
            (Method::Get, "http://h:80/a?b", Some(("/a", Some("b"), Some("h:80")))),
            (Method::Get, "HTTP://h", Some(("/", None, Some("h")))),
            (Method::Get, "http://h?x", Some(("/", Some("x"), Some("h")))),
            (Method::Options, "*", Some(("*", None, None))),
            (Method::Get, "*", None),
            (Method::Get, "a/b", None),
            (Method::Get, "http:///a", None),
            (Method::Get, "ftp://h/a", None),
            (Method::Get, "http://u@h/a", None),
            (Method::Get, "/a#b", None),
            (Method::Get, "/\u{e9}", None),
            (Method::Connect, "h:443", None),
        ];
        for (method, target, expected) in cases {
            let head = format!("{method} {target} HTTP/1.1\r\n");
            let text = |span: Span| String::from_utf8_lossy(span.of(head.as_bytes())).into_owned();
            let got = crate::h1::line::parse(head.as_bytes())
                .and_then(|line| split(head.as_bytes(), &line.unwrap()))
                .ok()
                .map(|parts| (text(parts.path), parts.query.map(text), parts.authority.map(text)));
            let expected = expected
                .map(|(path, query, host)| (path.to_owned(), query.map(str::to_owned), host.map(str::to_owned)));
            assert_eq!(got, expected, "{target}");
        }
    }

    #[test]
    fn hosts_are_checked() {
        for host in
            ["", "a", "a.b:80", "127.0.0.1:8080", "a:", "[::1]", "[::1]:80", "[v1.x:y]", "[V1f.a]", "a%20b", "x_y!"]
        {
            assert_eq!(check_host(host.as_bytes()), Ok(()), "{host}");
        }
        for host in [
            "a b", "a/b", "u@h", "a:b", "a:80:80", ":80", "[::1", "[::g]", "[::1]x", "[v.a]", "a%2", "a%zz", "h:65536",
            "a\"b", "h:+1", "a?b", "h#f", "a\\b",
        ] {
            assert_eq!(check_host(host.as_bytes()), Err(Refusal::Host), "{host}");
        }
    }
}
