//! Errors as the contract wants them, also those of actix's own extractors.

use actix_multipart::MultipartError;
use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    error::{Error, JsonPayloadError, PathError, PayloadError},
    http::{StatusCode, header::WWW_AUTHENTICATE},
};
use rest_service::{
    Problem,
    problem::{CHALLENGE, MEDIA_TYPE},
};

/// A problem as an answer.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Problem);

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.detail)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, CHALLENGE));
        }
        response.content_type(MEDIA_TYPE).json(&self.0)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

pub(crate) fn of_json(error: JsonPayloadError, _: &HttpRequest) -> Error {
    let status = match &error {
        JsonPayloadError::ContentType => 415,
        JsonPayloadError::Deserialize(error) if error.is_data() => 422,
        other => other.status_code().as_u16(),
    };
    Failure(Problem::new(status, error.to_string())).into()
}

/// A note whose id is no number is not there.
pub(crate) fn of_path(_: PathError, _: &HttpRequest) -> Error {
    Failure(Problem::not_found()).into()
}

/// Asked for by the handler: `MultipartFormConfig::error_handler` does not see a body that is no form.
pub(crate) fn of_form(error: &Error) -> Failure {
    Failure(match error.as_error() {
        Some(MultipartError::MissingField(_)) => Problem::field("file", "is missing"),
        Some(MultipartError::Payload(PayloadError::Overflow)) => Problem::attachment_too_large(),
        _ => Problem::new(error.as_response_error().status_code().as_u16(), error.to_string()),
    })
}
