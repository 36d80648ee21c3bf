//! JSON in and out.
//!
//! Errors are explained in a second reading of the body, so that the first does not keep track of where it is. With the
//! feature `simd-json` the first reading is that crate's (`simd.rs`) and the second decides.

use std::future::Future;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::media;
use crate::{
    buffer,
    extract::{FromRequest, Rejection, ViaBody},
    http::StatusCode,
    respond::{IntoResponse, MediaType, Response},
    service::Request,
};

#[cfg(feature = "simd-json")]
mod simd;

/// A body of JSON: of the request as the last argument of a handler, of the response as its result.
///
/// The content type of a request is `application/json`, or one that ends in `+json` (RFC 6839 §3.1), with any parameters.
///
/// ```
/// use armature_core::{Json, Router, post};
///
/// #[derive(serde::Deserialize, serde::Serialize)]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
///
/// async fn mirror(Json(point): Json<Point>) -> Json<Point> {
///     Json(Point { x: point.y, y: point.x })
/// }
///
/// let app: Router = Router::new().route("/mirror", post(mirror));
/// ```
///
/// # Rejections
/// - 400: the body is not JSON, or nested deeper than 128 levels where the type looks; with line and column, from 1 and in
///   bytes. Or the body could not be read.
/// - 413: the body is too large.
/// - 415: the content type is another, or missing. `Option<Json<T>>` is `None` when there is no body either.
/// - 422: the body is JSON of another shape than the type; with line, column, and the path of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<S, T: DeserializeOwned + 'static> FromRequest<S, ViaBody> for Json<T> {
    type Rejection = Rejection;

    fn from_request(
        request: Request<'_>,
        _: &S,
    ) -> impl Future<Output = Result<Self, Rejection>> + 'static + use<S, T> {
        let expected = media::expect(&request, "application/json", is_json).map(drop);
        let body = request.body;
        async move {
            expected?;
            parse(body.collect().await?).map(Self)
        }
    }
}

fn parse<T: DeserializeOwned>(body: Bytes) -> Result<T, Rejection> {
    #[cfg(feature = "simd-json")]
    let body = match simd::parse(body) {
        Ok(value) => return Ok(value),
        Err(body) => body,
    };
    serde_json::from_slice(&body).map_err(|error| explain::<T>(&body, &error))
}

/// Says what is wrong with a body, and where.
#[cold]
fn explain<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> Rejection {
    if !error.is_data() {
        return Rejection::quoting(StatusCode::BAD_REQUEST, format_args!("the body is not JSON: {error}"));
    }
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let again = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(body));
    match again.err().map(|error| error.path().to_string()) {
        Some(path) if path != "." => {
            Rejection::quoting(status, format_args!("the JSON body does not fit: `{path}`: {error}"))
        }
        _ => Rejection::quoting(status, format_args!("the JSON body does not fit: {error}")),
    }
}

fn is_json(essence: &str) -> bool {
    essence.split_once('/').is_some_and(|(kind, subtype)| {
        let suffix =
            subtype.rsplit_once('+').filter(|(name, _)| !name.is_empty()).map_or(subtype, |(_, suffix)| suffix);
        kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
    })
}

impl<T: Serialize> IntoResponse for Json<T> {
    #[inline]
    fn into_response(self) -> Response {
        let mut body = buffer::take();
        match serde_json::to_writer(&mut *body, &self.0) {
            Ok(()) => Response::new(MediaType::JSON, body),
            Err(error) => unserializable(&error),
        }
    }
}

/// A map with keys that are no strings, or a Serialize of the program's own that failed.
#[cold]
fn unserializable(error: &serde_json::Error) -> Response {
    Response::new(MediaType::TEXT, format!("the answer is not JSON: {error}"))
        .with_status(StatusCode::INTERNAL_SERVER_ERROR)
}
