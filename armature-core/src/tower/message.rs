//! Requests and responses of this crate as those of the `http` crate, and the other way round.
//!
//! A foreign head is written as HTTP/1.1 and parsed, so that no rule has a second reading. Leaves bodies to `body.rs`.

use std::{borrow::Cow, error::Error, rc::Rc};

use http::{Uri, header, request::Parts};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::body::{request_body, response_body};
use crate::{
    body::{Body, BodyError, StreamError},
    h1::Refusal,
    http::{HeaderName, HeaderValue, Method, StatusCode, Version},
    limits::Limits,
    respond::{Failure, IntoResponse, Response},
    service::{ConnectionInfo, OwnedRequest, RequestHead},
};

/// Characters that a target may hold here and a [`Uri`] may not; encoded, they mean the same (RFC 3986 §6.2.2.2).
const NOT_IN_URI: &AsciiSet =
    &CONTROLS.add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// The head of a foreign request as it goes on the wire in HTTP/1.1.
///
/// The target's authority becomes Host and wins over one that is there (RFC 9112 §3.2.2, RFC 9113 §8.3.1); cookies that
/// HTTP/2 has split are put together again (RFC 9113 §8.2.3).
fn text_of(parts: &Parts) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    let mut line = |pieces: [&[u8]; 4]| pieces.iter().for_each(|piece| head.extend_from_slice(piece));
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let version: &[u8] = match parts.version {
        http::Version::HTTP_09 | http::Version::HTTP_10 => b" HTTP/1.0\r\n",
        _ => b" HTTP/1.1\r\n",
    };
    let target = match (authority, parts.uri.query()) {
        (Some(authority), _) if parts.method == http::Method::CONNECT => Cow::Borrowed(authority),
        (_, Some(query)) => Cow::Owned(format!("{}?{query}", parts.uri.path())),
        (_, None) => Cow::Borrowed(parts.uri.path()),
    };
    line([parts.method.as_str().as_bytes(), b" ", target.as_bytes(), version]);
    if let Some(authority) = authority {
        line([b"host", b": ", authority.as_bytes(), b"\r\n"]);
    }
    for (name, value) in &parts.headers {
        if *name != header::COOKIE && (*name != header::HOST || authority.is_none()) {
            line([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
        }
    }
    let cookies: Vec<_> = parts.headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if !cookies.is_empty() {
        line([b"cookie", b": ", &cookies.join(&b"; "[..]), b"\r\n"]);
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// A foreign request within these limits. What was put into its extensions becomes one extension of the type
/// [`http::Extensions`]; a [`SocketAddr`](std::net::SocketAddr) among them is the peer.
pub(crate) fn request_from<B>(request: http::Request<B>, limits: &Limits) -> Result<OwnedRequest, Refusal>
where
    B: http_body::Body<Error: Into<StreamError>> + 'static,
{
    let (parts, body) = request.into_parts();
    let body = request_body(body, limits.body_bytes_max);
    let mut request = OwnedRequest::parse_within(text_of(&parts), limits, body)?;
    if let Some(peer) = parts.extensions.get() {
        let is_secure = parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        request.set_connection(Rc::new(ConnectionInfo::new(*peer, is_secure)));
    }
    if !parts.extensions.is_empty() {
        request.insert(parts.extensions);
    }
    Ok(request)
}

/// A request of the `http` crate as a server with default limits takes it.
impl<B> TryFrom<http::Request<B>> for OwnedRequest
where
    B: http_body::Body<Error: Into<StreamError>> + 'static,
{
    type Error = Refusal;

    fn try_from(request: http::Request<B>) -> Result<Self, Refusal> {
        request_from(request, &Limits::default())
    }
}

/// The head of a request with a body, for services of tower. `path` stands in for its own path, where it is given.
pub(super) fn request_to<B>(head: &RequestHead<'_>, path: Option<&str>, body: B) -> Result<http::Request<B>, Refusal> {
    let target = match (path.unwrap_or(head.path()), head.query()) {
        (path, Some(query)) => Cow::Owned(format!("{path}?{query}")),
        (path, None) => Cow::Borrowed(path),
    };
    let uri = Uri::try_from(&*target)
        .or_else(|_| Uri::try_from(utf8_percent_encode(&target, NOT_IN_URI).to_string()))
        .map_err(|_| Refusal::Target)?;
    let mut request = http::Request::new(body);
    *request.uri_mut() = uri;
    *request.method_mut() = http::Method::from_bytes(head.method_token().as_bytes()).map_err(|_| Refusal::Method)?;
    *request.version_mut() = match head.version() {
        Version::Http10 => http::Version::HTTP_10,
        Version::Http11 => http::Version::HTTP_11,
        Version::Http2 => http::Version::HTTP_2,
    };
    *request.headers_mut() = head.header_map();
    // That of an absolute target, which is not in the URI, is to be put in the place of Host's (RFC 9112 §3.2.2).
    if let Some(authority) = head.authority().and_then(|authority| HeaderValue::from_str(authority).ok()) {
        request.headers_mut().insert(header::HOST, authority);
    }
    if let Some(peer) = head.connection().peer() {
        request.extensions_mut().insert(peer);
    }
    Ok(request)
}

/// A refusal as an answer of a service.
pub(crate) fn refused(refusal: Refusal) -> Response {
    Failure::new(refusal.status(), refusal.reason()).into_response()
}

/// What a failed service is answered with: 500, or what the request's body has failed with, where that was the cause.
pub(super) fn failed(error: StreamError) -> Response {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&*error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<BodyError>() {
            return error.into_response();
        }
        cause = error.source();
    }
    let error: Box<dyn Error> = error;
    Response::status(StatusCode::INTERNAL_SERVER_ERROR).with_cause(error)
}

/// A response of the `http` crate, for handlers that return one. Its extensions are lost.
impl<B> From<http::Response<B>> for Response
where
    B: http_body::Body<Error: Into<StreamError>> + 'static,
{
    fn from(response: http::Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        let mut response = Self::status(parts.status).with_body(response_body(body));
        for (name, value) in &parts.headers {
            response.insert_header(name, value);
        }
        response
    }
}

impl<B> IntoResponse for http::Response<B>
where
    B: http_body::Body<Error: Into<StreamError>> + 'static,
{
    fn into_response(self) -> Response {
        self.into()
    }
}

/// The response as one of the `http` crate. The length of a stream, where it is known, is in Content-Length; an upgrade has no
/// counterpart there and becomes the bare 101.
impl From<Response> for http::Response<Body> {
    fn from(response: Response) -> Self {
        let mut headers = response.header_map();
        if response.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let stream_length = matches!(response.body, Body::Stream(_)).then(|| response.body.length()).flatten();
        if let Some(length) = response.declared_length().or(stream_length) {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        let mut converted = http::Response::new(response.body);
        *converted.status_mut() = response.status;
        *converted.headers_mut() = headers;
        converted
    }
}

/// A response to HEAD, or with a status that has no body, without its body and with the length that it would have had.
pub(crate) fn without_body(response: &mut Response, method: Method) {
    let code = response.status.as_u16();
    let has_none = code < 200 || code == 204 || code == 304;
    if method != Method::Head && !has_none {
        return;
    }
    let length = response.take_body().length();
    if let (false, None, Some(length)) = (has_none, response.declared_length(), length) {
        response.insert_header(&HeaderName::from_static("content-length"), &length.into());
    }
}
