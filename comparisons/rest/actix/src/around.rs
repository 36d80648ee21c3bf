//! What happens around every handler.
//!
//! An error that a middleware returns passes the outer ones as an error, not as an answer.

use std::time::Duration;

use actix_web::{
    Error, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::header::{ALLOW, HeaderName, HeaderValue},
    middleware::{ErrorHandlerResponse, Next},
    web,
};
use actix_web_httpauth::extractors::bearer::BearerAuth;
use rest_service::{Notes, Problem};
use tokio::time;
use uuid::Uuid;

use crate::problem::Failure;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a request may take until it is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeout(pub(crate) Duration);

pub(crate) async fn request_id(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = match request.headers().get(REQUEST_ID) {
        Some(id) => id.clone(),
        None => HeaderValue::try_from(Uuid::new_v4().to_string())?,
    };
    match next.call(request).await {
        Ok(mut response) => {
            response.headers_mut().insert(REQUEST_ID, id);
            Ok(response)
        }
        Err(error) => {
            let mut response = error.error_response();
            response.headers_mut().insert(REQUEST_ID, id);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

pub(crate) async fn give_up_in_time(
    timeout: web::Data<Timeout>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    match time::timeout(timeout.0, next.call(request)).await {
        Ok(answered) => answered,
        Err(_) => Err(Failure(Problem::timeout()).into()),
    }
}

/// Gives actix's own 405 a body; it has `Allow` and nothing else.
pub(crate) fn explain_method<B>(bare: ServiceResponse<B>) -> Result<ErrorHandlerResponse<B>, Error> {
    let (request, bare) = bare.into_parts();
    let mut response = Failure(Problem::method_not_allowed()).error_response();
    if let Some(allow) = bare.headers().get(ALLOW) {
        response.headers_mut().insert(ALLOW, allow.clone());
    }
    Ok(ErrorHandlerResponse::Response(ServiceResponse::new(request, response).map_into_right_body()))
}

pub(crate) async fn require_token(
    request: ServiceRequest,
    bearer: Option<BearerAuth>,
) -> Result<ServiceRequest, (Error, ServiceRequest)> {
    let store = request.app_data::<web::Data<Notes>>().expect("every worker has the store");
    match store.admit(bearer.as_ref().map(BearerAuth::token)) {
        Ok(()) => Ok(request),
        Err(problem) => Err((Failure(problem).into(), request)),
    }
}
