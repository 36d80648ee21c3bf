//! Reads responses (RFC 9112 §4, §6, §7) for tests.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::fault;
use crate::{
    error::{Error, ErrorKind},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
};

/// Fields for which there is room in a response.
const FIELDS_MAX: usize = 128;

/// A response, read to its end.
///
/// ```
/// use armature_core::{Router, get, test::TestClient};
///
/// let mut client = TestClient::in_process(Router::new().route("/", get(async || "hello")))?;
/// let answer = client.get("/").send()?;
/// assert_eq!((answer.status().as_u16(), answer.text()), (200, "hello"));
/// assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TestResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    trailers: HeaderMap,
    interim: Vec<(StatusCode, HeaderMap)>,
}

impl TestResponse {
    /// The status.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, test::TestClient};
    ///
    /// assert_eq!(TestClient::in_process(Router::new())?.get("/").send()?.status(), StatusCode::NOT_FOUND);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The fields.
    ///
    /// ```
    /// use armature_core::{Router, get, http::header, test::TestClient};
    ///
    /// let answer = TestClient::in_process(Router::new().route("/", get(async || "hello")))?.get("/").send()?;
    /// assert_eq!(answer.headers()[header::CONTENT_LENGTH], "5");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The value of the first field of this name, where it is text.
    ///
    /// ```
    /// use armature_core::{Router, get, test::TestClient};
    ///
    /// let answer = TestClient::in_process(Router::new().route("/", get(async || "hello")))?.get("/").send()?;
    /// assert_eq!((answer.header("content-length"), answer.header("etag")), (Some("5"), None));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, its transfer coding removed.
    ///
    /// ```
    /// use armature_core::{Router, get, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || vec![1_u8, 2])))?;
    /// assert_eq!(client.get("/").send()?.body(), &[1, 2][..]);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as text; what is not UTF-8 is an empty text.
    ///
    /// ```
    /// use armature_core::{Router, get, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || "hello")))?;
    /// assert_eq!(client.get("/").send()?.text(), "hello");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }

    /// The body as a value of JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Test`] when it is not JSON or does not fit.
    ///
    /// ```
    /// use armature_core::{Json, Router, get, test::TestClient};
    ///
    /// let answer = TestClient::in_process(Router::new().route("/", get(async || Json([1, 2]))))?.get("/").send()?;
    /// assert_eq!(answer.json::<Vec<u32>>()?, [1, 2]);
    /// assert!(answer.json::<String>().is_err());
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| fault("the response is not JSON that fits", error))
    }

    /// The trailer fields.
    ///
    /// ```
    /// use armature_core::{Router, get, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || "hello")))?;
    /// assert!(client.get("/").send()?.trailers().is_empty()); // What is not streamed has none.
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn trailers(&self) -> &HeaderMap {
        &self.trailers
    }

    /// The interim responses before it (RFC 9110 §15.2).
    ///
    /// ```
    /// use armature_core::{Router, get, http::{HeaderMap, HeaderValue, header}, service::EarlyHints, test::TestClient};
    ///
    /// let page = async |hints: EarlyHints| {
    ///     let link = HeaderValue::from_static("</style.css>; rel=preload; as=style");
    ///     hints.send(&HeaderMap::from_iter([(header::LINK, link)]));
    /// };
    /// let answer = TestClient::in_process(Router::new().route("/", get(page)))?.get("/").send()?;
    /// let (status, fields) = &answer.interim()[0];
    /// assert_eq!((status.as_u16(), fields[header::LINK].to_str().unwrap()), (103, "</style.css>; rel=preload; as=style"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn interim(&self) -> &[(StatusCode, HeaderMap)] {
        &self.interim
    }
}

/// What the bytes so far are.
pub(super) enum Read {
    /// A response, its length in bytes, and whether the connection goes on.
    Whole(Box<TestResponse>, usize, bool),
    /// The beginning of one.
    Partial,
}

/// Reads a response from the start of `bytes`, of which there will be no more if `at_end`.
pub(super) fn read(bytes: &[u8], is_head: bool, at_end: bool) -> Result<Read, Error> {
    let (mut at, mut interim) = (0, Vec::new());
    loop {
        let Some((status, headers, len)) = read_head(&bytes[at..])? else {
            return if at_end { Err(too_short()) } else { Ok(Read::Partial) };
        };
        at += len;
        if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
            interim.push((status, headers));
            continue;
        }
        let Some(body) = read_body(&bytes[at..], is_head, status, &headers, at_end)? else {
            return if at_end { Err(too_short()) } else { Ok(Read::Partial) };
        };
        let keeps_alive = !body.ends_connection
            && headers.get(header::CONNECTION).is_none_or(|value| !value.as_bytes().eq_ignore_ascii_case(b"close"));
        let response = TestResponse { status, headers, body: body.bytes.into(), trailers: body.trailers, interim };
        return Ok(Read::Whole(Box::new(response), at + body.len, keeps_alive));
    }
}

fn too_short() -> Error {
    Error::new(ErrorKind::Test, "the connection ended inside the response")
}

fn read_head(bytes: &[u8]) -> Result<Option<(StatusCode, HeaderMap, usize)>, Error> {
    let mut room = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Response::new(&mut room);
    let parsed = head.parse(bytes).map_err(|error| fault("the response is malformed", error))?;
    let httparse::Status::Complete(len) = parsed else { return Ok(None) };
    let status = StatusCode::from_u16(head.code.unwrap_or_default()).map_err(|error| fault("no status", error))?;
    Ok(Some((status, header_map(head.headers)?, len)))
}

fn header_map(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, Error> {
    let pairs = fields.iter().map(|field| {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|error| fault("no field name", error))?;
        let value = HeaderValue::from_bytes(field.value).map_err(|error| fault("no field value", error))?;
        Ok((name, value))
    });
    let mut map = HeaderMap::new();
    for pair in pairs {
        let (name, value) = pair?;
        map.append(name, value);
    }
    Ok(map)
}

/// A body as far as it is framed.
#[derive(Default)]
struct Framed {
    bytes: Vec<u8>,
    trailers: HeaderMap,
    /// Bytes on the wire.
    len: usize,
    ends_connection: bool,
}

fn read_body(
    bytes: &[u8],
    is_head: bool,
    status: StatusCode,
    headers: &HeaderMap,
    at_end: bool,
) -> Result<Option<Framed>, Error> {
    let is_bodyless = is_head || status.is_informational() || matches!(status.as_u16(), 204 | 304);
    if is_bodyless {
        return Ok(Some(Framed::default()));
    }
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return read_chunks(bytes);
    }
    let Some(length) = headers.get(header::CONTENT_LENGTH) else {
        // The body ends with the connection.
        let framed = Framed { bytes: bytes.to_vec(), len: bytes.len(), ends_connection: true, ..Framed::default() };
        return Ok(at_end.then_some(framed));
    };
    let length = length.to_str().ok().and_then(|length| length.parse::<usize>().ok());
    let length = length.ok_or_else(|| Error::new(ErrorKind::Test, "Content-Length is not a number"))?;
    Ok(bytes.get(..length).map(|body| Framed { bytes: body.to_vec(), len: length, ..Framed::default() }))
}

fn read_chunks(bytes: &[u8]) -> Result<Option<Framed>, Error> {
    let mut framed = Framed::default();
    loop {
        let rest = &bytes[framed.len..];
        let size = httparse::parse_chunk_size(rest);
        let size = size.map_err(|_| Error::new(ErrorKind::Test, "a chunk of the response is malformed"))?;
        let httparse::Status::Complete((line, size)) = size else { return Ok(None) };
        if size == 0 {
            let mut room = [httparse::EMPTY_HEADER; FIELDS_MAX];
            let trailers = httparse::parse_headers(&rest[line..], &mut room);
            let trailers = trailers.map_err(|error| fault("the trailers are malformed", error))?;
            let httparse::Status::Complete((len, fields)) = trailers else { return Ok(None) };
            framed.trailers = header_map(fields)?;
            framed.len += line + len;
            return Ok(Some(framed));
        }
        let size = usize::try_from(size).map_err(|error| fault("a chunk of the response is too large", error))?;
        let Some(data) = rest.get(line..line + size + 2) else { return Ok(None) };
        if !data.ends_with(b"\r\n") {
            return Err(Error::new(ErrorKind::Test, "a chunk of the response is longer than its size"));
        }
        framed.bytes.extend_from_slice(&data[..size]);
        framed.len += line + size + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_read_the_same_cut_anywhere() {
        let cases: [(&str, bool, &str, bool); 6] = [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", false, "ok", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", true, "", true),
            ("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", false, "", false),
            (
                "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na",
                false,
                "a",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nsum: 6\r\n\r\n",
                false,
                "abc",
                true,
            ),
            ("HTTP/1.1 200 OK\r\n\r\nto the end", false, "to the end", false),
        ];
        for (text, is_head, body, keeps_alive) in cases {
            for cut in 0..text.len() {
                assert!(matches!(read(&text.as_bytes()[..cut], is_head, false), Ok(Read::Partial)), "{text} at {cut}");
            }
            let Ok(Read::Whole(response, len, alive)) = read(text.as_bytes(), is_head, true) else { panic!("{text}") };
            assert_eq!((response.text(), len, alive), (body, text.len(), keeps_alive), "{text}");
        }
    }
}
