//! Errors as the contract wants them, also those of axum's own extractors.
//!
//! Each extractor below is axum's, with its rejection turned into a [`Failure`].

use axum::{
    extract::{
        FromRequest, FromRequestParts,
        multipart::{MultipartError, MultipartRejection},
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{
        StatusCode,
        header::{CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use rest_service::{
    Problem,
    problem::{CHALLENGE, MEDIA_TYPE},
};

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A problem as an answer.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Problem);

#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Failure))]
pub(crate) struct Json<T>(pub(crate) T);

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Failure))]
pub(crate) struct Query<T>(pub(crate) T);

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Failure))]
pub(crate) struct Path<T>(pub(crate) T);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let challenge = (status == StatusCode::UNAUTHORIZED).then_some([(WWW_AUTHENTICATE, CHALLENGE)]);
        (status, challenge, [(CONTENT_TYPE, MEDIA_TYPE)], axum::Json(self.0)).into_response()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self(Problem::new(rejection.status().as_u16(), rejection.body_text()))
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self(Problem::new(rejection.status().as_u16(), rejection.body_text()))
    }
}

impl From<PathRejection> for Failure {
    /// A note whose id is no number is not there.
    fn from(_: PathRejection) -> Self {
        Self(Problem::not_found())
    }
}

impl From<MultipartRejection> for Failure {
    /// axum tells a form without a boundary and a body that is no form by the same rejection.
    fn from(rejection: MultipartRejection) -> Self {
        Self(Problem::new(415, rejection.body_text()))
    }
}

impl From<MultipartError> for Failure {
    fn from(error: MultipartError) -> Self {
        Self(Problem::new(error.status().as_u16(), error.body_text()))
    }
}
