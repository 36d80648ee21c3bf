//! JSON in and out.

use std::future::Future;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    buffer,
    extract::{FromRequest, Rejection, ViaBody},
    http::StatusCode,
    respond::{IntoResponse, MediaType, Response},
    service::{Request, RequestHead},
};

/// A body of JSON: of the request as the last argument of a handler, of the response as its result.
///
/// A request without a JSON content type gets 415, malformed JSON 400 with its position, JSON of another shape 422.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<S, T: DeserializeOwned + 'static> FromRequest<S, ViaBody> for Json<T> {
    type Rejection = Rejection;

    fn from_request(
        request: Request<'_>,
        _: &S,
    ) -> impl Future<Output = Result<Self, Rejection>> + 'static + use<S, T> {
        let is_json = is_json(&request.head);
        let body = request.body;
        async move {
            if !is_json {
                return Err(Rejection::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "a body of type application/json is expected",
                ));
            }
            parse(&body.collect().await?).map(Self)
        }
    }
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Rejection> {
    serde_json::from_slice(body).map_err(|error| {
        let status = if error.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
        Rejection::new(status, format!("the JSON body does not fit: {error}"))
    })
}

/// `application/json`, or a subtype that ends in `+json` (RFC 6839 §3.1), with any parameters.
fn is_json(head: &RequestHead<'_>) -> bool {
    let Some(value) = head.header("content-type") else { return false };
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let Some(subtype) =
        essence.get(..12).filter(|start| start.eq_ignore_ascii_case(b"application/")).map(|_| &essence[12..])
    else {
        return false;
    };
    subtype.eq_ignore_ascii_case(b"json")
        || subtype.len() > 5 && subtype[subtype.len() - 5..].eq_ignore_ascii_case(b"+json")
}

impl<T: Serialize> IntoResponse for Json<T> {
    #[inline]
    fn into_response(self) -> Response {
        let mut body = buffer::take();
        match serde_json::to_writer(&mut body, &self.0) {
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
