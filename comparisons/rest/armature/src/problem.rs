//! Errors as the contract wants them, also those that armature answers by itself.

use std::result;

use armature_core::{
    IntoResponse, Json, Path, Response, StatusCode,
    extract::{FromHead, Rejection},
    http::{
        HeaderValue,
        header::{CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    middleware::Hooks,
    service::{Request, RequestHead},
};
use rest_service::{
    Problem,
    problem::{CHALLENGE, MEDIA_TYPE},
};

pub(crate) type Result<T> = result::Result<T, Failure>;

/// An error as an answer.
#[derive(Debug)]
pub(crate) struct Failure(Response);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let challenge = [(WWW_AUTHENTICATE, CHALLENGE)];
        let challenge = (status == StatusCode::UNAUTHORIZED).then_some(challenge);
        let media_type = [(CONTENT_TYPE, MEDIA_TYPE)];
        Self((status, challenge, media_type, Json(problem)).into_response())
    }
}

/// [`Problems`] makes a problem of it.
impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self(rejection.into_response())
    }
}

/// Says what armature says in a sentence of plain text, or by the status alone, as a problem.
#[derive(Clone)]
pub(crate) struct Problems;

impl Hooks for Problems {
    type Kept = ();

    fn before(&self, _: &mut Request<'_>) -> result::Result<(), Response> {
        Ok(())
    }

    fn after(&self, (): (), response: &mut Response) {
        let status = response.status_code();
        let is_error = status.is_client_error() || status.is_server_error();
        if !is_error || response.header(&CONTENT_TYPE) == Some(MEDIA_TYPE.as_bytes()) {
            return;
        }
        let problem = match status {
            StatusCode::NOT_FOUND => Problem::not_found(),
            StatusCode::METHOD_NOT_ALLOWED => Problem::method_not_allowed(),
            StatusCode::REQUEST_TIMEOUT => Problem::timeout(),
            _ => Problem::new(status.as_u16(), String::from_utf8_lossy(response.body().as_slice())),
        };
        response.set_body(Json(problem).into_response().take_body());
        response.set_header(&CONTENT_TYPE, &HeaderValue::from_static(MEDIA_TYPE));
    }
}

/// The id of a note in a path. A note whose id is no number is not there.
pub(crate) struct Id(pub(crate) u64);

impl<S> FromHead<S> for Id {
    type Rejection = Failure;

    fn from_head(head: &RequestHead<'_>, state: &S) -> Result<Self> {
        Path::from_head(head, state).map(|Path(id)| Self(id)).map_err(|_| Problem::not_found().into())
    }
}
