//! What is answered when an extractor cannot make its value: a status and a sentence.

use std::{borrow::Cow, error, fmt};

use crate::{
    body::BodyError,
    http::StatusCode,
    respond::{IntoResponse, MediaType, Response},
};

/// A status and a sentence for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    status: StatusCode,
    reason: Cow<'static, str>,
    /// Whether the connection cannot go on: what is left of the body is too much, or cannot be told from a request.
    close: bool,
}

impl Rejection {
    /// A rejection with this status and sentence.
    #[must_use]
    pub fn new(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into(), close: false }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl error::Error for Rejection {}

impl From<BodyError> for Rejection {
    fn from(error: BodyError) -> Self {
        Self { close: true, ..Self::new(error.status(), error.reason()) }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let response = match self.reason {
            Cow::Borrowed(reason) => Response::new(MediaType::TEXT, reason),
            Cow::Owned(reason) => Response::new(MediaType::TEXT, reason),
        };
        let response = response.with_status(self.status);
        if self.close { response.with_close() } else { response }
    }
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        Rejection::from(self).into_response()
    }
}
