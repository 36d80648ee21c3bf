//! Writes response heads and chunk frames (RFC 9112 §4, §6, §7.1).
//!
//! Everything is appended to a buffer that the caller owns; the Date is handed in. Leaves the decision how a response is
//! framed to `connection.rs`. Read next: `connection.rs`.

use http::{HeaderMap, HeaderName, StatusCode, header};

/// How the end of a response is made known, as far as its head says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyHead {
    /// No field: 1xx, 204, 304, or a body that ends with the connection.
    Silent,
    /// Content-Length.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
}

/// What Connection field a response carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// None: HTTP/1.1 goes on by itself.
    Implicit,
    /// `keep-alive`, for HTTP/1.0 clients that asked for it.
    KeepAlive,
    /// `close`.
    Close,
    /// `upgrade`.
    Upgrade,
}

/// All that a response head says.
#[derive(Debug, Clone, Copy)]
pub struct ResponseHead<'a> {
    /// The status.
    pub status: StatusCode,
    /// The value of Content-Type; empty for none.
    pub content_type: &'a str,
    /// How the end is made known.
    pub body: BodyHead,
    /// Whether the connection goes on.
    pub persistence: Persistence,
    /// Further fields as they go on the wire, each with its CR LF.
    pub fields: &'a [u8],
    /// Server and Date as they go on the wire.
    pub stamp: &'a [u8],
}

/// The interim response that invites a body (RFC 9110 §15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Appends a response head, its empty line included.
#[inline]
pub fn response_head(out: &mut Vec<u8>, head: &ResponseHead<'_>) {
    // The fixed parts below stay under 192 bytes, the reason phrase included.
    out.reserve(192 + head.content_type.len() + head.fields.len() + head.stamp.len());
    if head.status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        status_line(out, head.status);
    }
    out.extend_from_slice(head.stamp);
    if !head.content_type.is_empty() {
        out.extend_from_slice(b"Content-Type: ");
        out.extend_from_slice(head.content_type.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if head.persistence != Persistence::Implicit || !head.fields.is_empty() {
        further_fields(out, head);
    }
    match head.body {
        BodyHead::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n\r\n");
        }
        BodyHead::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n"),
        BodyHead::Silent => out.extend_from_slice(b"\r\n"),
    }
}

fn further_fields(out: &mut Vec<u8>, head: &ResponseHead<'_>) {
    out.extend_from_slice(match head.persistence {
        Persistence::Implicit => b"",
        Persistence::KeepAlive => b"Connection: keep-alive\r\n",
        Persistence::Close => b"Connection: close\r\n",
        Persistence::Upgrade => b"Connection: upgrade\r\n",
    });
    out.extend_from_slice(head.fields);
}

fn status_line(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends an interim response (RFC 9110 §15.2) with these fields, but for those about a body or the connection.
pub fn interim_head(out: &mut Vec<u8>, status: StatusCode, fields: &HeaderMap) {
    status_line(out, status);
    fields_of(out, fields, &[]);
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk with trailer fields, but for those that a trailer section must not have.
pub fn last_chunk_with(out: &mut Vec<u8>, trailers: &HeaderMap) {
    out.extend_from_slice(b"0\r\n");
    fields_of(out, trailers, &OF_THE_START);
    out.extend_from_slice(b"\r\n");
}

/// Fields that frame a message, route it or say how it is to be treated: they have no place before or behind the response
/// that they would be about (RFC 9110 §6.5.1).
const OF_THE_HEAD: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::DATE,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::TRAILER,
];

/// Fields that a recipient acts on before it reads the body: authentication, caching, where to go (RFC 9110 §6.5.1).
const OF_THE_START: [HeaderName; 12] = [
    header::AGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::EXPIRES,
    header::LOCATION,
    header::PROXY_AUTHENTICATE,
    header::RETRY_AFTER,
    header::SET_COOKIE,
    header::TE,
    header::UPGRADE,
    header::VARY,
    header::WWW_AUTHENTICATE,
];

fn fields_of(out: &mut Vec<u8>, fields: &HeaderMap, but: &[HeaderName]) {
    for (name, value) in fields.iter().filter(|(name, _)| !OF_THE_HEAD.contains(name) && !but.contains(name)) {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the size line of a chunk of `length` bytes, which must not be 0: that would end the body.
pub fn chunk_head(out: &mut Vec<u8>, length: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut line = [0_u8; 16];
    let mut at = line.len();
    let mut left = length;
    while left > 0 {
        at -= 1;
        line[at] = DIGITS[left & 15];
        left >>= 4;
    }
    out.extend_from_slice(&line[at..]);
    out.extend_from_slice(b"\r\n");
}

/// What follows the data of each chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// What ends a chunked body without trailers, after the last chunk's [`CHUNK_END`].
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, body: BodyHead, persistence: Persistence) -> String {
        let mut out = Vec::new();
        let head = ResponseHead {
            status: StatusCode::from_u16(status).unwrap(),
            content_type: "text/plain",
            body,
            persistence,
            fields: b"A: b\r\n",
            stamp: b"Server: s\r\n",
        };
        response_head(&mut out, &head);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn heads_as_they_go_on_the_wire() {
        let cases = [
            (
                head(200, BodyHead::Length(13), Persistence::Implicit),
                "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Type: text/plain\r\nA: b\r\nContent-Length: 13\r\n\r\n",
            ),
            (
                head(404, BodyHead::Chunked, Persistence::Close),
                "HTTP/1.1 404 Not Found\r\nServer: s\r\nContent-Type: text/plain\r\nConnection: close\r\nA: b\r\n\
                 Transfer-Encoding: chunked\r\n\r\n",
            ),
            (
                head(799, BodyHead::Silent, Persistence::KeepAlive),
                "HTTP/1.1 799 \r\nServer: s\r\nContent-Type: text/plain\r\nConnection: keep-alive\r\nA: b\r\n\r\n",
            ),
        ];
        for (got, expected) in cases {
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn chunk_sizes_are_hexadecimal() {
        for length in [1, 9, 10, 15, 16, 255, 256, 65_536, usize::MAX] {
            let mut out = Vec::new();
            chunk_head(&mut out, length);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{length:x}\r\n"));
        }
    }
}
