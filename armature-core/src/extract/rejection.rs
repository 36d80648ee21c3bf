//! What is answered when an extractor cannot make its value: a status and a sentence.

use std::{borrow::Cow, error, fmt, sync::Arc};

use crate::{
    body::BodyError,
    http::StatusCode,
    respond::{Failure, IntoResponse, Response},
};

/// A sentence that quotes what was sent is cut here, in bytes: a client does not get back all that it has sent.
const QUOTING_BYTES_MAX: usize = 500;

/// A status and a sentence for the client, and the error behind it.
///
/// ```
/// use armature_core::{Path, extract::Rejection};
///
/// /// Answers in its own words where a number is no number.
/// async fn show(number: Result<Path<u32>, Rejection>) -> String {
///     match number {
///         Ok(Path(number)) => format!("number {number}"),
///         Err(rejection) => format!("{}: {}", rejection.status(), rejection.reason()),
///     }
/// }
/// # let _: armature_core::Router = armature_core::Router::new().route("/{n}", armature_core::get(show));
/// ```
#[derive(Debug, Clone)]
pub struct Rejection {
    status: StatusCode,
    reason: Cow<'static, str>,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
    /// Whether the connection cannot go on: what is left of the body is too much, or cannot be told from a request.
    close: bool,
    is_absence: bool,
}

impl Rejection {
    /// A rejection with this status and sentence.
    ///
    /// ```
    /// use armature_core::{IntoResponse, StatusCode, extract::Rejection};
    ///
    /// let response = Rejection::new(StatusCode::BAD_REQUEST, "a page is a number").into_response();
    /// assert_eq!((response.status_code(), response.body().as_slice()), (StatusCode::BAD_REQUEST, &b"a page is a number"[..]));
    /// ```
    #[must_use]
    pub fn new(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason: reason.into(), source: None, close: false, is_absence: false }
    }

    /// The same rejection with the error behind it, which the client is not told.
    ///
    /// ```
    /// use armature_core::{IntoResponse, StatusCode, extract::Rejection};
    ///
    /// let error = "x".parse::<u32>().unwrap_err();
    /// let response = Rejection::new(StatusCode::BAD_REQUEST, "a page is a number").because(error).into_response();
    /// assert_eq!(response.body().as_slice(), b"a page is a number");
    /// assert!(response.cause().is_some()); // The log has the source.
    /// ```
    #[must_use]
    pub fn because(self, source: impl error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// The same rejection, which says that nothing was sent where the extractor looks: an `Option` of the extractor is
    /// `None` then. What was sent and does not fit is no absence.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, extract::{FromHead, Rejection}, get, service::RequestHead, test::TestClient};
    ///
    /// struct Token;
    ///
    /// impl<S> FromHead<S> for Token {
    ///     type Rejection = Rejection;
    ///
    ///     fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Rejection> {
    ///         let missing = || Rejection::new(StatusCode::UNAUTHORIZED, "there is no token").of_absence();
    ///         head.header("x-token").map(|_| Self).ok_or_else(missing)
    ///     }
    /// }
    ///
    /// let app = Router::new().route("/", get(async |token: Option<Token>| if token.is_some() { "known" } else { "a guest" }));
    /// assert_eq!(TestClient::in_process(app)?.get("/").send()?.text(), "a guest");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn of_absence(self) -> Self {
        Self { is_absence: true, ..self }
    }

    /// A rejection with a sentence that quotes what was sent, of bounded length.
    pub(super) fn quoting(status: StatusCode, reason: fmt::Arguments<'_>) -> Self {
        let mut reason = reason.to_string();
        if reason.len() > QUOTING_BYTES_MAX {
            reason.truncate(reason.floor_char_boundary(QUOTING_BYTES_MAX));
            reason.push('…');
        }
        Self::new(status, reason)
    }

    /// The status.
    ///
    /// ```
    /// use armature_core::{StatusCode, extract::Rejection};
    ///
    /// assert_eq!(Rejection::new(StatusCode::NOT_FOUND, "no such page").status(), StatusCode::NOT_FOUND);
    /// ```
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence.
    ///
    /// ```
    /// use armature_core::{StatusCode, extract::Rejection};
    ///
    /// assert_eq!(Rejection::new(StatusCode::NOT_FOUND, "no such page").reason(), "no such page");
    /// ```
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether nothing was sent where the extractor looks.
    ///
    /// ```
    /// use armature_core::{StatusCode, extract::Rejection};
    ///
    /// let rejection = Rejection::new(StatusCode::BAD_REQUEST, "there is no cookie");
    /// assert!(!rejection.is_absence() && rejection.of_absence().is_absence());
    /// ```
    #[must_use]
    pub fn is_absence(&self) -> bool {
        self.is_absence
    }

    /// Whether the connection ends after it.
    pub(crate) fn closes(&self) -> bool {
        self.close
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl error::Error for Rejection {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<BodyError> for Rejection {
    fn from(error: BodyError) -> Self {
        Self { close: true, ..Self::new(error.status(), error.reason()).because(error) }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        Failure::from(self).into_response()
    }
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        Failure::from(self).into_response()
    }
}
