//! The error of handlers: what the client is told, and what only the log is.

use std::{any::Any, borrow::Cow, error, fmt};

use crate::{
    body::BodyError,
    extract::Rejection,
    http::StatusCode,
    respond::{IntoResponse, MediaType, Response},
};

/// Why a handler has no better answer: a status and a sentence for the client, and a source for the log.
///
/// Every error becomes one by `?`. The client learns nothing of it but that the server has failed (500); a [`Rejection`] and
/// a [`BodyError`] keep their status and sentence, which are meant for it. The source is the response's
/// [`cause`](Response::cause), which the access log writes.
///
/// ```
/// use armature_core::{Failure, StatusCode};
///
/// async fn read() -> Result<String, Failure> {
///     let number: u32 = std::fs::read_to_string("/number")?.trim().parse()?;
///     if number > 9 {
///         return Err(Failure::new(StatusCode::CONFLICT, "the number has more than one digit"));
///     }
///     Ok(number.to_string())
/// }
/// ```
pub struct Failure {
    status: StatusCode,
    message: Cow<'static, str>,
    source: Option<Box<dyn error::Error>>,
    /// Whether the connection cannot go on, as the body has not been read.
    close: bool,
}

impl Failure {
    /// A failure with what the client is to know of it.
    ///
    /// ```
    /// use armature_core::{Failure, IntoResponse, StatusCode};
    ///
    /// let response = Failure::new(StatusCode::CONFLICT, "there is one already").into_response();
    /// assert_eq!(response.body().as_slice(), b"there is one already");
    /// ```
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), source: None, close: false }
    }

    /// The same failure with the error behind it, which the client is not told.
    ///
    /// ```
    /// use armature_core::{Failure, IntoResponse, StatusCode};
    ///
    /// let failure = Failure::new(StatusCode::CONFLICT, "there is one already").because("row 7");
    /// assert_eq!(failure.source().unwrap().to_string(), "row 7");
    /// assert_eq!(failure.into_response().body().as_slice(), b"there is one already");
    /// ```
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn error::Error>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// The status.
    ///
    /// ```
    /// use armature_core::{Failure, StatusCode};
    ///
    /// let failure = Failure::from(std::io::Error::other("no disk left"));
    /// assert_eq!(failure.status(), StatusCode::INTERNAL_SERVER_ERROR);
    /// ```
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What the client is told.
    ///
    /// ```
    /// use armature_core::Failure;
    ///
    /// let failure = Failure::from(std::io::Error::other("no disk left"));
    /// assert_eq!(failure.message(), "the server has failed");
    /// ```
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The error behind it.
    ///
    /// ```
    /// use armature_core::{Failure, StatusCode};
    ///
    /// let failure = Failure::from(std::io::Error::other("no disk left"));
    /// assert_eq!(failure.source().unwrap().to_string(), "no disk left");
    /// assert!(Failure::new(StatusCode::CONFLICT, "there is one already").source().is_none());
    /// ```
    #[must_use]
    pub fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref()
    }
}

impl<E: error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let any: &dyn Any = &error;
        let told = if let Some(error) = any.downcast_ref::<BodyError>() {
            Self { close: true, ..Self::new(error.status(), error.reason()) }
        } else if let Some(rejection) = any.downcast_ref::<Rejection>() {
            let close = rejection.closes();
            Self { close, ..Self::new(rejection.status(), rejection.reason().to_owned()) }
        } else {
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server has failed")
        };
        told.because(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let response = match self.message {
            Cow::Borrowed(message) => Response::new(MediaType::TEXT, message),
            Cow::Owned(message) => Response::new(MediaType::TEXT, message),
        };
        let response = response.with_status(self.status);
        let response = if self.close { response.with_close() } else { response };
        match self.source {
            Some(source) => response.with_cause(source),
            None => response,
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("status", &self.status)
            .field("message", &self.message)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
