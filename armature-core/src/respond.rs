//! Responses: the one type that is written, and what becomes one.
//!
//! Header fields are kept as they go on the wire, so that writing them is a copy. Framing and connection fields are not
//! among them: those follow from the body and from `h1`. Read next: `h1/encode.rs`.

use std::{fmt, future::Future};

use bytes::Bytes;

use crate::{
    body::Body,
    buffer,
    collections::SmallString,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    upgrade::{Run, Upgraded},
};

/// `text/plain; charset=utf-8`, the type of strings.
pub const TEXT_PLAIN: &str = "text/plain; charset=utf-8";
/// `text/html; charset=utf-8`, the type of [`Html`].
pub const TEXT_HTML: &str = "text/html; charset=utf-8";
/// `application/json`, the type of [`Json`](crate::extract::Json).
pub const APPLICATION_JSON: &str = "application/json";
/// `application/octet-stream`, the type of bytes.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// A response.
pub struct Response {
    pub(crate) status: StatusCode,
    /// Whether the connection is to end after it.
    pub(crate) close: bool,
    pub(crate) content_type: &'static str,
    /// `name: value` lines, each with its CR LF.
    pub(crate) fields: Vec<u8>,
    /// Content-Length as the handler declared it.
    pub(crate) declared_length: Option<u64>,
    pub(crate) body: Body,
    /// What runs on the connection after a response of 101.
    pub(crate) upgrade: Option<Run>,
}

impl Response {
    /// An empty response with this status.
    #[must_use]
    #[inline]
    pub const fn status(status: StatusCode) -> Self {
        Self {
            status,
            close: false,
            content_type: "",
            fields: Vec::new(),
            declared_length: None,
            body: Body::Empty,
            upgrade: None,
        }
    }

    /// 200 with a body of this type.
    #[must_use]
    #[inline]
    pub fn new(content_type: &'static str, body: impl Into<Body>) -> Self {
        Self { content_type, body: body.into(), ..Self::status(StatusCode::OK) }
    }

    /// 101, after which `run` has the connection for itself and speaks `protocol` on it.
    ///
    /// A client that did not ask for an upgrade (`Connection: upgrade`, on HTTP/1.1) gets 426 in its place.
    #[must_use]
    pub fn upgrade<F, Fut>(protocol: HeaderValue, run: F) -> Self
    where
        F: FnOnce(Upgraded) -> Fut + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let mut response = Self::status(StatusCode::SWITCHING_PROTOCOLS).with_header(header::UPGRADE, protocol);
        response.upgrade = Some(Box::new(|upgraded| Box::pin(run(upgraded))));
        response
    }

    /// The same response with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same response with another body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The same response with one more field.
    ///
    /// Content-Type replaces the type. Content-Length declares the length of a streamed or HEAD response and is held to.
    /// Of Connection only `close` is heeded, and Transfer-Encoding is not: they follow from the request and the body.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.insert_header(&name, &value);
        self
    }

    /// As [`with_header`](Self::with_header), in place.
    pub fn insert_header(&mut self, name: &HeaderName, value: &HeaderValue) {
        if *name == header::CONNECTION {
            self.close |= value.as_bytes().eq_ignore_ascii_case(b"close");
        } else if *name == header::CONTENT_LENGTH {
            self.declared_length = crate::h1::framing::content_length(value.as_bytes()).ok();
        } else if *name != header::TRANSFER_ENCODING {
            if *name == header::CONTENT_TYPE {
                self.content_type = "";
            }
            if self.fields.capacity() == 0 {
                self.fields = buffer::take();
            }
            self.fields.extend_from_slice(name.as_str().as_bytes());
            self.fields.extend_from_slice(b": ");
            self.fields.extend_from_slice(value.as_bytes());
            self.fields.extend_from_slice(b"\r\n");
        }
    }

    /// The same response, after which the connection ends.
    #[must_use]
    pub fn with_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// The status.
    #[must_use]
    pub fn status_code(&self) -> StatusCode {
        self.status
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The fields that the handler set, the content type included, as a map of the `http` crate.
    #[must_use]
    pub fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        if !self.content_type.is_empty() {
            map.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        for line in self.fields.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let (name, value) = (&line[..colon], &line[colon + 2..]);
            // Both were such types when they were inserted.
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                map.append(name, value);
            }
        }
        map
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.header_map())
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// What a handler may return.
pub trait IntoResponse {
    /// The response that it stands for.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    #[inline]
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::status(StatusCode::OK)
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        Response::status(self)
    }
}

impl IntoResponse for &'static str {
    #[inline]
    fn into_response(self) -> Response {
        Response::new(TEXT_PLAIN, self)
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::new(TEXT_PLAIN, self)
    }
}

impl IntoResponse for SmallString {
    #[inline]
    fn into_response(self) -> Response {
        Response::new(TEXT_PLAIN, self)
    }
}

impl IntoResponse for &'static [u8] {
    fn into_response(self) -> Response {
        Response::new(OCTET_STREAM, self)
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Response::new(OCTET_STREAM, self)
    }
}

impl IntoResponse for Bytes {
    fn into_response(self) -> Response {
        Response::new(OCTET_STREAM, self)
    }
}

impl IntoResponse for Body {
    fn into_response(self) -> Response {
        Response::status(StatusCode::OK).with_body(self)
    }
}

/// HTML text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Html<T>(pub T);

impl<T: Into<Body>> IntoResponse for Html<T> {
    fn into_response(self) -> Response {
        Response::new(TEXT_HTML, self.0)
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    #[inline]
    fn into_response(self) -> Response {
        match self {
            Ok(value) => value.into_response(),
            Err(error) => error.into_response(),
        }
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<T: IntoResponse, const N: usize> IntoResponse for ([(HeaderName, HeaderValue); N], T) {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        for (name, value) in &self.0 {
            response.insert_header(name, value);
        }
        response
    }
}

impl<T: IntoResponse, const N: usize> IntoResponse for (StatusCode, [(HeaderName, HeaderValue); N], T) {
    fn into_response(self) -> Response {
        (self.1, self.2).into_response().with_status(self.0)
    }
}
