//! What becomes a response: the types of the vocabulary and of the standard library that handlers return.
//!
//! Leaves types with a file of their own to it: JSON, redirects, errors, tuples.

use std::borrow::Cow;

use bytes::Bytes;

use super::{MediaType, Response};
use crate::{body::Body, collections::SmallString, http::StatusCode};

/// What a handler may return.
///
/// ```
/// use armature_core::{IntoResponse, Response, StatusCode};
///
/// enum Outcome {
///     Made,
///     Known,
/// }
///
/// impl IntoResponse for Outcome {
///     fn into_response(self) -> Response {
///         match self {
///             Self::Made => StatusCode::CREATED.into_response(),
///             Self::Known => "it was there already".into_response(),
///         }
///     }
/// }
///
/// assert_eq!(Outcome::Made.into_response().status_code(), StatusCode::CREATED);
/// # assert_eq!(Outcome::Known.into_response().status_code(), StatusCode::OK);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a response",
    label = "not a response, nor a `Result` of two",
    note = "text, bytes, `Json`, `Html`, a status and a `Response` are, and tuples of a status, fields and one of these"
)]
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

/// 204: done, and nothing to say about it.
///
/// ```
/// use armature_core::{Router, delete, respond::NoContent};
///
/// let router: Router = Router::new().route("/cache", delete(async || NoContent));
/// # router.build().unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoContent;

impl IntoResponse for NoContent {
    #[inline]
    fn into_response(self) -> Response {
        Response::status(StatusCode::NO_CONTENT)
    }
}

/// 404 where there is nothing.
///
/// ```
/// use armature_core::{Json, Path, Router, get};
///
/// async fn square(Path(number): Path<u32>) -> Option<Json<u32>> {
///     number.checked_mul(number).map(Json)
/// }
/// # let _: Router = Router::new().route("/{number}", get(square));
/// ```
impl<T: IntoResponse> IntoResponse for Option<T> {
    fn into_response(self) -> Response {
        match self {
            Some(value) => value.into_response(),
            None => Response::status(StatusCode::NOT_FOUND),
        }
    }
}

impl IntoResponse for &'static str {
    #[inline]
    fn into_response(self) -> Response {
        Response::new(MediaType::TEXT, self)
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::new(MediaType::TEXT, self)
    }
}

impl IntoResponse for Box<str> {
    fn into_response(self) -> Response {
        self.into_string().into_response()
    }
}

impl IntoResponse for Cow<'static, str> {
    fn into_response(self) -> Response {
        match self {
            Self::Borrowed(text) => text.into_response(),
            Self::Owned(text) => text.into_response(),
        }
    }
}

impl IntoResponse for SmallString {
    #[inline]
    fn into_response(self) -> Response {
        Response::new(MediaType::TEXT, self)
    }
}

impl IntoResponse for &'static [u8] {
    fn into_response(self) -> Response {
        Response::new(MediaType::BYTES, self)
    }
}

impl<const N: usize> IntoResponse for &'static [u8; N] {
    fn into_response(self) -> Response {
        self.as_slice().into_response()
    }
}

impl IntoResponse for Cow<'static, [u8]> {
    fn into_response(self) -> Response {
        match self {
            Self::Borrowed(bytes) => bytes.into_response(),
            Self::Owned(bytes) => bytes.into_response(),
        }
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Response::new(MediaType::BYTES, self)
    }
}

impl IntoResponse for Bytes {
    fn into_response(self) -> Response {
        Response::new(MediaType::BYTES, self)
    }
}

impl IntoResponse for Body {
    fn into_response(self) -> Response {
        Response::status(StatusCode::OK).with_body(self)
    }
}

/// HTML text.
///
/// ```
/// use armature_core::{Html, IntoResponse, http::header};
///
/// let response = Html("<h1>Notes</h1>").into_response();
/// assert_eq!(response.header(&header::CONTENT_TYPE), Some(&b"text/html; charset=utf-8"[..]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Html<T>(pub T);

impl<T: Into<Body>> IntoResponse for Html<T> {
    fn into_response(self) -> Response {
        Response::new(MediaType::HTML, self.0)
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
