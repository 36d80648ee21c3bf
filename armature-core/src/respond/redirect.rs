//! Redirects (RFC 9110 §15.4): a status, and where to go instead.

use std::{error, fmt};

use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::{Failure, IntoResponse, Response};
use crate::http::{HeaderValue, StatusCode, header};

/// What no URI holds as it is (RFC 3986 §2), `%` apart: a target that is encoded already stays as it is. Browsers take a
/// backslash for a slash, so it must not stay one.
const ENCODED: &AsciiSet = &AsciiSet::EMPTY
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A redirect.
///
/// Characters that a URI cannot hold, those outside ASCII among them, are percent-encoded; what is encoded already stays as
/// it is. A target that comes from a request should be checked before it gets here: where it leads is not looked at.
///
/// ```
/// use armature_core::{Failure, StatusCode, respond::Redirect};
///
/// async fn sign_in(name: String) -> Result<Redirect, Failure> {
///     if name.contains('/') {
///         return Err(Failure::new(StatusCode::BAD_REQUEST, "a name has no slash"));
///     }
///     Ok(Redirect::see_other(format!("/users/{name}"))?)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    status: StatusCode,
    location: HeaderValue,
}

/// The target of a redirect has control characters: it is no part of a URI, and may be an attempt at a header of its own.
/// As a response it is 500.
///
/// ```
/// use armature_core::{Redirect, respond::BadTarget};
///
/// assert_eq!(Redirect::found("/a\r\nset-cookie: b=c"), Err(BadTarget));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadTarget;

macro_rules! redirects {
    ($($name:ident $status:ident $number:literal $doc:literal)*) => {
        impl Redirect {
            $(
                #[doc = concat!($number, ": ", $doc)]
                ///
                /// # Errors
                /// [`BadTarget`] when the target has control characters.
                ///
                /// ```
                /// use armature_core::{IntoResponse, Redirect};
                ///
                #[doc = concat!("let response = Redirect::", stringify!($name), "(\"/notes/7\")?.into_response();")]
                #[doc = concat!("assert_eq!(response.status_code(), ", $number, ");")]
                /// # Ok::<(), armature_core::respond::BadTarget>(())
                /// ```
                pub fn $name(target: impl AsRef<str>) -> Result<Self, BadTarget> {
                    Self::new(StatusCode::$status, target.as_ref())
                }
            )*
        }
    };
}

redirects! {
    moved_permanently MOVED_PERMANENTLY 301 "it is elsewhere for good. A POST may come back as GET."
    found FOUND 302 "it is elsewhere for now. A POST may come back as GET."
    see_other SEE_OTHER 303 "what came of the request is to be fetched there, by GET. The answer to a form."
    temporary TEMPORARY_REDIRECT 307 "the same request is to be sent there, this time."
    permanent PERMANENT_REDIRECT 308 "the same request is to be sent there, from now on."
}

impl Redirect {
    fn new(status: StatusCode, target: &str) -> Result<Self, BadTarget> {
        if target.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(BadTarget);
        }
        let location = utf8_percent_encode(target, ENCODED).to_string();
        Ok(Self { status, location: HeaderValue::try_from(location).map_err(|_| BadTarget)? })
    }
}

impl IntoResponse for Redirect {
    fn into_response(self) -> Response {
        let mut response = Response::status(self.status);
        response.insert_header(&header::LOCATION, &self.location);
        response
    }
}

impl fmt::Display for BadTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the target of a redirect has control characters")
    }
}

impl error::Error for BadTarget {}

impl IntoResponse for BadTarget {
    fn into_response(self) -> Response {
        Failure::from(self).into_response()
    }
}
