//! Splits and checks a request target and the host it is meant for (RFC 9112 §3.2, RFC 9110 §4.2, §7.2).
//!
//! Leaves percent-decoding to the extractors, which see one segment at a time. Read next: `framing.rs`.

use super::refusal::Refusal;
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

/// Checks a request target and says where its parts are, counted from `offset`.
///
/// # Errors
/// [`Refusal::Target`] for a byte outside printable ASCII, a `#`, or a form that the method does not have;
/// [`Refusal::Host`] for a malformed authority; [`Refusal::Connect`] for CONNECT.
#[inline]
pub fn split(method: Method, target: &[u8], offset: usize) -> Result<Target, Refusal> {
    if method == Method::Connect {
        return Err(Refusal::Connect);
    }
    let query = find_query(target)?;
    let path_end = query.unwrap_or(target.len());
    let query = query.map(|mark| Span::new(offset + mark + 1, offset + target.len()));
    if target.first() == Some(&b'/') {
        return Ok(Target { path: Span::new(offset, offset + path_end), query, authority: None });
    }
    if target == b"*" {
        return if method == Method::Options {
            Ok(Target { path: Span::new(offset, offset + 1), query: None, authority: None })
        } else {
            Err(Refusal::Target)
        };
    }
    absolute(target, path_end, query, offset)
}

fn absolute(target: &[u8], path_end: usize, query: Option<Span>, offset: usize) -> Result<Target, Refusal> {
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        .ok_or(Refusal::Target)?;
    let start = scheme.len();
    let end = memchr::memchr(b'/', &target[start..path_end]).map_or(path_end, |slash| start + slash);
    if start == end {
        return Err(Refusal::Target);
    }
    check_host(&target[start..end])?;
    // An empty path means `/` (RFC 9110 §4.2.3); the slash before the authority lends itself.
    let path = if end == path_end {
        Span::new(offset + start - 1, offset + start)
    } else {
        Span::new(offset + end, offset + path_end)
    };
    Ok(Target { path, query, authority: Some(Span::new(offset + start, offset + end)) })
}

/// Checks every byte of the target and finds the first `?`.
#[inline]
fn find_query(target: &[u8]) -> Result<Option<usize>, Refusal> {
    let mut query = None;
    for (at, &byte) in target.iter().enumerate() {
        match TARGET_BYTES[byte as usize] {
            PLAIN => {}
            QUERY => {
                if query.is_none() {
                    query = Some(at);
                }
            }
            _ => return Err(Refusal::Target),
        }
    }
    Ok(query)
}

const REFUSED: u8 = 0;
const PLAIN: u8 = 1;
const QUERY: u8 = 2;

/// Printable ASCII but `#`. RFC 3986 also leaves out `"<>\^{|}` and the backtick; they are let through because browsers
/// and scripts do send them raw, and nothing here gives them a meaning.
static TARGET_BYTES: [u8; 256] = {
    let mut table = [REFUSED; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = PLAIN;
        byte += 1;
    }
    table[b'#' as usize] = REFUSED;
    table[b'?' as usize] = QUERY;
    table
};

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
    let number = port.iter().try_fold(0_u32, |number, byte| {
        byte.is_ascii_digit().then(|| number.saturating_mul(10).saturating_add(u32::from(byte - b'0')))
    });
    match number {
        Some(number) if number <= u32::from(u16::MAX) => Ok(()),
        _ => Err(Refusal::Host),
    }
}

fn check_literal(value: &[u8]) -> Result<(), Refusal> {
    let close = memchr::memchr(b']', value).ok_or(Refusal::Host)?;
    let inside = &value[1..close];
    let is_ip_v6 = std::str::from_utf8(inside).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
    // IPvFuture (RFC 3986 §3.2.2): "v" hex "." and more.
    let is_future = matches!(inside, [b'v' | b'V', hex, b'.', rest @ ..]
        if hex.is_ascii_hexdigit() && !rest.is_empty()
            && rest.iter().all(|byte| matches!(HOST_BYTES[*byte as usize], HOST_BYTE | COLON)));
    if !is_ip_v6 && !is_future {
        return Err(Refusal::Host);
    }
    match &value[close + 1..] {
        [] => Ok(()),
        [b':', port @ ..] => check_port(port),
        _ => Err(Refusal::Host),
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
            let head = format!("xyz{target}");
            let text = |span: Span| String::from_utf8_lossy(span.of(head.as_bytes())).into_owned();
            let got = split(method, target.as_bytes(), 3)
                .ok()
                .map(|parts| (text(parts.path), parts.query.map(text), parts.authority.map(text)));
            let expected = expected
                .map(|(path, query, host)| (path.to_owned(), query.map(str::to_owned), host.map(str::to_owned)));
            assert_eq!(got, expected, "{target}");
        }
    }

    #[test]
    fn hosts_are_checked() {
        for host in ["", "a", "a.b:80", "127.0.0.1:8080", "a:", "[::1]", "[::1]:80", "[v1.x:y]", "a%20b", "x_y!"] {
            assert_eq!(check_host(host.as_bytes()), Ok(()), "{host}");
        }
        for host in [
            "a b", "a/b", "u@h", "a:b", "a:80:80", ":80", "[::1", "[::g]", "[::1]x", "a%2", "a%zz", "h:65536", "a\"b",
            "h:+1", "a?b", "h#f", "a\\b",
        ] {
            assert_eq!(check_host(host.as_bytes()), Err(Refusal::Host), "{host}");
        }
    }
}
