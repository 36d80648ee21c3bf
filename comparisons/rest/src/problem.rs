//! What an error says: the JSON of RFC 9457, with the fields that are to blame.

use http::StatusCode;
use serde::Serialize;

/// The media type of a problem (RFC 9457 section 6.1).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What a 401 asks for (RFC 6750 section 3).
pub const CHALLENGE: &str = "Bearer realm=\"notes\"";

/// An error as its body tells it. Its type is `about:blank`, which is what an absent one means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The status code of the answer.
    pub status: u16,
    /// The status code in words.
    pub title: &'static str,
    /// What went wrong this time.
    pub detail: String,
    /// The fields that are to blame, if it is about fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The name that the client gave it.
    pub field: &'static str,
    /// What it must be.
    pub message: &'static str,
}

impl FieldError {
    pub(crate) fn unless(holds: bool, field: &'static str, message: &'static str) -> Option<Self> {
        (!holds).then_some(Self { field, message })
    }
}

impl Problem {
    /// An error with this status code.
    #[must_use]
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        let code = StatusCode::from_u16(status).ok();
        let title = code.and_then(|code| code.canonical_reason()).unwrap_or("Error");
        Self { status, title, detail: detail.into(), errors: Vec::new() }
    }

    /// A 422 for one field.
    #[must_use]
    pub fn field(field: &'static str, message: &'static str) -> Self {
        Self { errors: vec![FieldError { field, message }], ..Self::new(422, format!("{field} {message}")) }
    }

    /// A 401: the request has no token, or one that was not given out here.
    #[must_use]
    pub fn no_token() -> Self {
        Self::new(401, "a bearer token from POST /login is needed")
    }

    /// A 404 for a path that leads to nothing.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(404, "there is nothing here")
    }

    /// A 405 for a method that the resource does not have.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(405, "this method is not for this resource; the field Allow names those that are")
    }

    /// A 408 for a request that took too long.
    #[must_use]
    pub fn timeout() -> Self {
        Self::new(408, "the request took too long")
    }

    /// A 413 for an attachment above [`crate::ATTACHMENT_BYTES_MAX`].
    #[must_use]
    pub fn attachment_too_large() -> Self {
        Self::new(413, "an attachment must have at most 1 MiB")
    }

    /// A 422 for the fields that are to blame, if there are any.
    pub(crate) fn unless_empty(errors: impl IntoIterator<Item = Option<FieldError>>) -> Result<(), Self> {
        let errors: Vec<FieldError> = errors.into_iter().flatten().collect();
        if errors.is_empty() { Ok(()) } else { Err(Self { errors, ..Self::new(422, "some fields are out of bounds") }) }
    }
}
