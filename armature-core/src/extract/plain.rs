//! Extractors that are types of the vocabulary: method, header map, raw body as bytes, text or stream.

use std::{convert::Infallible, future::Future};

use bytes::Bytes;

use crate::{
    body::{BodyError, RequestBody},
    extract::{FromHead, FromRequest, Rejection, ViaBody},
    http::{HeaderMap, Method, StatusCode, Version},
    service::{Disconnect, EarlyHints, Request, RequestHead},
};

impl<S> FromHead<S> for Method {
    type Rejection = Infallible;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
        Ok(head.method())
    }
}

impl<S> FromHead<S> for Version {
    type Rejection = Infallible;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
        Ok(head.version())
    }
}

impl<S> FromHead<S> for Disconnect {
    type Rejection = Infallible;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(head.connection()))
    }
}

impl<S> FromHead<S> for EarlyHints {
    type Rejection = Infallible;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(head.connection(), head.version() == Version::Http11))
    }
}

impl<S> FromHead<S> for HeaderMap {
    type Rejection = Infallible;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Infallible> {
        Ok(head.header_map())
    }
}

/// The body as it comes, to be read piece by piece.
impl<S> FromRequest<S, ViaBody> for RequestBody {
    type Rejection = Infallible;

    fn from_request(request: Request<'_>, _: &S) -> impl Future<Output = Result<Self, Infallible>> + 'static + use<S> {
        std::future::ready(Ok(request.body))
    }
}

/// The whole body.
impl<S> FromRequest<S, ViaBody> for Bytes {
    type Rejection = BodyError;

    fn from_request(request: Request<'_>, _: &S) -> impl Future<Output = Result<Self, BodyError>> + 'static + use<S> {
        request.body.collect()
    }
}

/// The whole body, which must be UTF-8.
impl<S> FromRequest<S, ViaBody> for String {
    type Rejection = Rejection;

    fn from_request(request: Request<'_>, _: &S) -> impl Future<Output = Result<Self, Rejection>> + 'static + use<S> {
        let body = request.body;
        async move {
            Self::from_utf8(body.collect().await?.into())
                .map_err(|_| Rejection::new(StatusCode::BAD_REQUEST, "the body is not UTF-8"))
        }
    }
}
