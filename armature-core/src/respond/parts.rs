//! What adds to a response: header fields, and tuples of a status, parts and what they are added to.

use crate::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    respond::{IntoResponse, Response},
};

/// Adds to a response, in a tuple before it.
///
/// ```
/// use armature_core::{IntoResponse, StatusCode, http::header};
///
/// async fn create() -> impl IntoResponse {
///     let id = 7;
///     (StatusCode::CREATED, [(header::LOCATION, format!("/notes/{id}"))], "made")
/// }
/// # let _ = create;
/// ```
pub trait IntoResponseParts {
    /// Adds to it.
    fn add_to(self, response: &mut Response);
}

/// Fields; a value that cannot be one, such as a text with a line end in it, makes the response 500 with that as its cause.
impl<V, const N: usize> IntoResponseParts for [(HeaderName, V); N]
where
    V: TryInto<HeaderValue>,
    http::Error: From<V::Error>,
{
    fn add_to(self, response: &mut Response) {
        for (name, value) in self {
            match value.try_into() {
                Ok(value) => response.insert_header(&name, &value),
                Err(error) => {
                    *response =
                        Response::status(StatusCode::INTERNAL_SERVER_ERROR).with_cause(http::Error::from(error));
                }
            }
        }
    }
}

impl IntoResponseParts for HeaderMap {
    fn add_to(self, response: &mut Response) {
        for (name, value) in &self {
            response.insert_header(name, value);
        }
    }
}

impl<P: IntoResponseParts> IntoResponseParts for Option<P> {
    fn add_to(self, response: &mut Response) {
        if let Some(parts) = self {
            parts.add_to(response);
        }
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

macro_rules! parts {
    ($($part:ident)+) => {
        impl<$($part: IntoResponseParts,)+ T: IntoResponse> IntoResponse for ($($part,)+ T) {
            #[allow(non_snake_case, reason = "the macro names each part like its type")]
            fn into_response(self) -> Response {
                let ($($part,)+ body) = self;
                let mut response = body.into_response();
                $($part.add_to(&mut response);)+
                response
            }
        }

        impl<$($part: IntoResponseParts,)+ T: IntoResponse> IntoResponse for (StatusCode, $($part,)+ T) {
            #[allow(non_snake_case, reason = "the macro names each part like its type")]
            fn into_response(self) -> Response {
                let (status, $($part,)+ body) = self;
                ($($part,)+ body).into_response().with_status(status)
            }
        }
    };
}

parts!(P1);
parts!(P1 P2);
parts!(P1 P2 P3);
parts!(P1 P2 P3 P4);
