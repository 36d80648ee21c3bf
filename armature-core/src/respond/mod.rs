//! Responses: the one type that is written, and what becomes one.
//!
//! Header fields are kept as they go on the wire, so that writing them is a copy. Framing and connection fields are not
//! among them: those follow from the body and from `h1`. Read next: `into.rs` (what becomes a response), `parts.rs` (what adds
//! to one), `failure.rs` (errors), `redirect.rs`, `condition.rs` and `range.rs` (what a client has already),
//! `../h1/encode.rs`.

mod condition;
mod failure;
mod into;
mod parts;
mod range;
mod redirect;

use std::{error, fmt, future::Future};

use crate::{
    body::Body,
    buffer::{self, Buffer},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    upgrade::{Switch, Upgraded},
};

pub(crate) use condition::content_range;
pub use condition::{Conditions, EntityTag, Validators};
pub use failure::Failure;
pub use into::{Html, IntoResponse, NoContent};
pub use parts::IntoResponseParts;
pub use range::{RangeOf, byte_range};
pub use redirect::{BadTarget, Redirect};

/// The value of Content-Type, known when the program is compiled.
///
/// ```
/// use armature_core::{MediaType, Response};
///
/// const CSV: MediaType = MediaType::from_static("text/csv; charset=utf-8");
///
/// async fn export() -> Response {
///     Response::new(CSV, "name,age\nada,36\n")
/// }
/// # let _ = export;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaType(&'static str);

impl MediaType {
    /// `text/plain; charset=utf-8`, the type of strings.
    pub const TEXT: Self = Self::from_static("text/plain; charset=utf-8");
    /// `text/html; charset=utf-8`, the type of [`Html`].
    pub const HTML: Self = Self::from_static("text/html; charset=utf-8");
    /// `application/json`, the type of [`Json`](crate::extract::Json).
    pub const JSON: Self = Self::from_static("application/json");
    /// `application/octet-stream`, the type of bytes.
    pub const BYTES: Self = Self::from_static("application/octet-stream");

    /// A type by its name, with parameters if it has any.
    ///
    /// # Panics
    /// When a character is not printable ASCII; in a constant, that is an error of the compiler.
    ///
    /// ```
    /// use armature_core::MediaType;
    ///
    /// const PNG: MediaType = MediaType::from_static("image/png");
    /// assert_eq!(PNG.as_str(), "image/png");
    /// ```
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            assert!(matches!(bytes[at], b' '..=b'~'), "a media type is printable ASCII");
            at += 1;
        }
        Self(name)
    }

    /// The name, as it goes on the wire.
    ///
    /// ```
    /// use armature_core::MediaType;
    ///
    /// assert_eq!(MediaType::TEXT.as_str(), "text/plain; charset=utf-8");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// A response.
///
/// ```
/// use armature_core::{MediaType, Response, StatusCode, http::{HeaderValue, header}};
///
/// let response = Response::new(MediaType::TEXT, "made")
///     .with_status(StatusCode::CREATED)
///     .with_header(header::LOCATION, HeaderValue::from_static("/notes/1"));
/// assert_eq!(response.header(&header::LOCATION), Some(&b"/notes/1"[..]));
/// ```
pub struct Response {
    pub(crate) status: StatusCode,
    /// Whether the connection is to end after it.
    pub(crate) close: bool,
    pub(crate) content_type: &'static str,
    /// `name: value` lines, each with its CR LF.
    pub(crate) fields: Buffer,
    pub(crate) body: Body,
    pub(crate) rare: Option<Box<Rare>>,
}

/// What most responses do not have.
#[derive(Default)]
pub(crate) struct Rare {
    /// Content-Length as the handler declared it.
    pub(crate) declared_length: Option<u64>,
    /// What runs on the connection after a response of 101.
    pub(crate) upgrade: Option<Switch>,
    /// Why it is no better response; for the log.
    cause: Option<Box<dyn error::Error>>,
}

impl Response {
    /// An empty response with this status. It can be a constant, and takes no memory beside its own.
    ///
    /// ```
    /// use armature_core::{Response, StatusCode};
    ///
    /// const GONE: Response = Response::status(StatusCode::GONE);
    /// # assert_eq!(GONE.status_code(), 410);
    /// ```
    #[must_use]
    #[inline]
    pub const fn status(status: StatusCode) -> Self {
        Self { status, close: false, content_type: "", fields: Buffer::new(), body: Body::Empty, rare: None }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// 200 with a body of this type.
    ///
    /// ```
    /// use armature_core::{MediaType, Response, http::header};
    ///
    /// let response = Response::new(MediaType::JSON, "[1, 2]");
    /// assert_eq!(response.header(&header::CONTENT_TYPE), Some(&b"application/json"[..]));
    /// ```
    #[must_use]
    #[inline]
    pub fn new(media_type: MediaType, body: impl Into<Body>) -> Self {
        Self { content_type: media_type.0, body: body.into(), ..Self::status(StatusCode::OK) }
    }

    /// 101, after which `run` has the connection for itself and speaks `protocol` on it.
    ///
    /// A client that did not ask for it (`Connection: upgrade` and this protocol in Upgrade, on HTTP/1.1) gets 426 in its
    /// place.
    ///
    /// ```
    /// use armature_core::{Response, Router, StatusCode, get, http::HeaderValue, test::TestClient};
    ///
    /// let greet = async || {
    ///     Response::upgrade(HeaderValue::from_static("greeting"), async |mut connection| {
    ///         let _ = connection.write_all(b"hello").await;
    ///     })
    /// };
    /// let mut client = TestClient::in_process(Router::new().route("/", get(greet)))?;
    /// assert_eq!(client.get("/").send()?.status(), StatusCode::UPGRADE_REQUIRED); // It did not ask for it.
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn upgrade<F, Fut>(protocol: HeaderValue, run: F) -> Self
    where
        F: FnOnce(Upgraded) -> Fut + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let mut response = Self::status(StatusCode::SWITCHING_PROTOCOLS);
        response.insert_header(&header::UPGRADE, &protocol);
        response.rare().upgrade = Some(Switch { protocol, run: Box::new(|upgraded| Box::pin(run(upgraded))) });
        response
    }

    /// The same response with another status.
    ///
    /// ```
    /// use armature_core::{MediaType, Response, StatusCode};
    ///
    /// let response = Response::new(MediaType::TEXT, "made").with_status(StatusCode::CREATED);
    /// assert_eq!(response.status_code(), StatusCode::CREATED);
    /// ```
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same response with another body.
    ///
    /// ```
    /// use armature_core::{MediaType, Response};
    ///
    /// let response = Response::new(MediaType::TEXT, "one").with_body("another");
    /// assert_eq!(response.body().as_slice(), b"another");
    /// ```
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The same response with one more field.
    ///
    /// Content-Type replaces the type. Date and Server are the server's own and not taken. Content-Length declares the length
    /// of a streamed or HEAD response and is held to.
    /// Of Connection only `close` is heeded, and Transfer-Encoding is not: they follow from the request and the body.
    ///
    /// ```
    /// use armature_core::{Response, StatusCode, http::{HeaderValue, header}};
    ///
    /// let response = Response::status(StatusCode::OK)
    ///     .with_header(header::ALLOW, HeaderValue::from_static("GET"))
    ///     .with_header(header::DATE, HeaderValue::from_static("today")); // Not taken.
    /// assert_eq!(response.header_map().len(), 1);
    /// ```
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.insert_header(&name, &value);
        self
    }

    /// As [`with_header`](Self::with_header), in place.
    ///
    /// ```
    /// use armature_core::{Response, StatusCode, http::{HeaderValue, header}};
    ///
    /// let mut response = Response::status(StatusCode::OK);
    /// response.insert_header(&header::VARY, &HeaderValue::from_static("accept"));
    /// response.insert_header(&header::VARY, &HeaderValue::from_static("origin"));
    /// assert_eq!(response.header_map().get_all(header::VARY).iter().count(), 2);
    /// ```
    pub fn insert_header(&mut self, name: &HeaderName, value: &HeaderValue) {
        if *name == header::CONNECTION {
            self.close |= value
                .as_bytes()
                .split(|byte| *byte == b',')
                .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
        } else if *name == header::CONTENT_LENGTH {
            self.rare().declared_length = crate::h1::framing::content_length(value.as_bytes()).ok();
        } else if ![header::TRANSFER_ENCODING, header::DATE, header::SERVER].contains(name) {
            if *name == header::CONTENT_TYPE {
                self.content_type = "";
                self.remove_lines(name);
            }
            self.append_line(name, value.as_bytes());
        }
    }

    /// Sets a field that is not one of those above, to a value that is known to be one.
    pub(crate) fn set_line(&mut self, name: &HeaderName, value: &[u8]) {
        self.remove_lines(name);
        self.append_line(name, value);
    }

    fn append_line(&mut self, name: &HeaderName, value: &[u8]) {
        if self.fields.capacity() == 0 {
            self.fields = buffer::take();
        }
        self.fields.extend_from_slice(name.as_str().as_bytes());
        self.fields.extend_from_slice(b": ");
        self.fields.extend_from_slice(value);
        self.fields.extend_from_slice(b"\r\n");
    }

    /// Forgets the length that the handler declared: the body is another now.
    pub(crate) fn forget_length(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.declared_length = None;
        }
    }

    /// Sets a field in place of all of this name; a field that follows from the body or the connection is treated as by
    /// [`with_header`](Self::with_header).
    ///
    /// ```
    /// use armature_core::{Response, StatusCode, http::{HeaderValue, header}};
    ///
    /// let mut response = Response::status(StatusCode::OK);
    /// response.set_header(&header::AGE, &HeaderValue::from(1));
    /// response.set_header(&header::AGE, &HeaderValue::from(2));
    /// assert_eq!(response.header_map().get_all(header::AGE).iter().collect::<Vec<_>>(), ["2"]);
    /// ```
    pub fn set_header(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.remove_lines(name);
        self.insert_header(name, value);
    }

    /// Takes a field out, with all its lines.
    ///
    /// ```
    /// use armature_core::{MediaType, Response, http::header};
    ///
    /// let mut response = Response::new(MediaType::TEXT, "text");
    /// response.remove_header(&header::CONTENT_TYPE);
    /// assert!(response.header_map().is_empty());
    /// ```
    pub fn remove_header(&mut self, name: &HeaderName) {
        if *name == header::CONTENT_TYPE {
            self.content_type = "";
        }
        self.remove_lines(name);
    }

    /// The value of the first line of a field that the handler has set, the content type included.
    ///
    /// ```
    /// use armature_core::{MediaType, Response, http::header};
    ///
    /// let response = Response::new(MediaType::HTML, "<p>");
    /// assert_eq!(response.header(&header::CONTENT_TYPE), Some(&b"text/html; charset=utf-8"[..]));
    /// assert_eq!(response.header(&header::ETAG), None);
    /// ```
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&[u8]> {
        if *name == header::CONTENT_TYPE && !self.content_type.is_empty() {
            return Some(self.content_type.as_bytes());
        }
        self.lines().find(|(candidate, _)| *candidate == name.as_str().as_bytes()).map(|(_, value)| value)
    }

    /// Names and values of the lines.
    fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        // A value holds no line end, so each line is one field; it ends in CR LF, and a colon and a space part it.
        self.fields.split_inclusive(|byte| *byte == b'\n').filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            Some((&line[..colon], line.get(colon + 2..line.len() - 2)?))
        })
    }

    /// Takes out every line of a field.
    fn remove_lines(&mut self, name: &HeaderName) {
        // Most are not there, and looking is less than copying the rest.
        if !self.lines().any(|(candidate, _)| candidate == name.as_str().as_bytes()) {
            return;
        }
        let lines = std::mem::replace(&mut self.fields, buffer::take());
        // A value holds no line end, so each line is one field.
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let is_this = line.strip_prefix(name.as_str().as_bytes()).is_some_and(|rest| rest.starts_with(b":"));
            if !is_this {
                self.fields.extend_from_slice(line);
            }
        }
    }

    /// The same response, after which the connection ends.
    ///
    /// ```
    /// use armature_core::{Response, Router, StatusCode, get, test::TestClient};
    ///
    /// let handler = async || Response::status(StatusCode::OK).with_close();
    /// let mut client = TestClient::in_process(Router::new().route("/", get(handler)))?;
    /// assert_eq!(client.get("/").send()?.header("connection"), Some("close"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// The status.
    ///
    /// ```
    /// use armature_core::{IntoResponse, StatusCode};
    ///
    /// assert_eq!("text".into_response().status_code(), StatusCode::OK);
    /// ```
    #[must_use]
    pub fn status_code(&self) -> StatusCode {
        self.status
    }

    /// The body.
    ///
    /// ```
    /// use armature_core::IntoResponse;
    ///
    /// assert_eq!("text".into_response().body().length(), Some(4));
    /// ```
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Takes the body out, to put another in its place.
    ///
    /// ```
    /// use armature_core::IntoResponse;
    ///
    /// let mut response = "text".into_response();
    /// assert_eq!(response.take_body().as_slice(), b"text");
    /// assert_eq!(response.body().length(), Some(0));
    /// ```
    pub fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }

    /// Puts another body in the place of this one.
    ///
    /// ```
    /// use armature_core::IntoResponse;
    ///
    /// let mut response = "text".into_response();
    /// response.set_body("another");
    /// assert_eq!(response.body().as_slice(), b"another");
    /// ```
    pub fn set_body(&mut self, body: impl Into<Body>) {
        self.body = body.into();
    }

    /// Sets the status.
    ///
    /// ```
    /// use armature_core::{IntoResponse, StatusCode};
    ///
    /// let mut response = "later".into_response();
    /// response.set_status(StatusCode::ACCEPTED);
    /// assert_eq!(response.status_code(), StatusCode::ACCEPTED);
    /// ```
    pub fn set_status(&mut self, status: StatusCode) {
        self.status = status;
    }

    /// The same response, with the reason why it is no better one. The client does not see it; the access log does.
    ///
    /// ```
    /// use armature_core::{Response, StatusCode};
    ///
    /// let response = Response::status(StatusCode::BAD_GATEWAY).with_cause("the other server has no disk left");
    /// assert_eq!(response.cause().unwrap().to_string(), "the other server has no disk left");
    /// ```
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Box<dyn error::Error>>) -> Self {
        self.rare().cause = Some(cause.into());
        self
    }

    /// Why it is no better response.
    ///
    /// ```
    /// use armature_core::{Failure, IntoResponse, StatusCode};
    ///
    /// let failure = Failure::new(StatusCode::CONFLICT, "there is one already").because("row 7");
    /// assert_eq!(failure.into_response().cause().unwrap().to_string(), "row 7");
    /// assert!("text".into_response().cause().is_none());
    /// ```
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn error::Error + 'static)> {
        self.rare.as_ref()?.cause.as_deref()
    }

    /// The length that the handler declared by Content-Length.
    pub(crate) fn declared_length(&self) -> Option<u64> {
        self.rare.as_ref()?.declared_length
    }

    /// The fields that the handler set, the content type included, as a map of the `http` crate.
    ///
    /// ```
    /// use armature_core::{IntoResponse, http::header};
    ///
    /// assert_eq!("text".into_response().header_map()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    /// ```
    #[must_use]
    pub fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        if !self.content_type.is_empty() {
            map.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        for (name, value) in self.lines() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_split_a_response_cannot_be_built() {
        for value in ["a\r\nb: c", "a\nb", "a\rb", "a\0b"] {
            assert!(HeaderValue::from_str(value).is_err(), "{value:?}");
            assert!(HeaderName::from_bytes(value.as_bytes()).is_err(), "{value:?}");
            assert!(std::panic::catch_unwind(|| MediaType::from_static(value)).is_err(), "{value:?}");
        }
    }

    #[test]
    fn fields_are_kept_as_they_were_set_but_for_framing() {
        let value = HeaderValue::from_static;
        let response = Response::new(MediaType::TEXT, "a")
            .with_header(header::ETAG, value("\"1\""))
            .with_header(header::SET_COOKIE, value("a=b"))
            .with_header(header::SET_COOKIE, value(""))
            .with_header(header::TRANSFER_ENCODING, value("gzip"))
            .with_header(header::CONTENT_LENGTH, value("7"))
            .with_header(header::CONNECTION, value("close"))
            .with_header(header::CONTENT_TYPE, value("text/css"));
        let map = response.header_map();
        assert_eq!(map.get_all(header::SET_COOKIE).iter().collect::<Vec<_>>(), ["a=b", ""]);
        assert_eq!(
            (map.len(), &map[header::CONTENT_TYPE], &map[header::ETAG]),
            (4, &value("text/css"), &value("\"1\""))
        );
        assert!(response.close);
    }
}
