//! Extractors of extractors: `Option` for what need not be there, `Result` for handlers that answer rejections themselves.

use std::{convert::Infallible, future::Future};

use crate::{
    extract::{FromHead, FromRequest, Rejection, ViaBody},
    service::{Request, RequestHead},
};

/// `None` where nothing was sent ([`Rejection::is_absence`]); what was sent and does not fit is still rejected.
impl<S, T: FromHead<S, Rejection = Rejection>> FromHead<S> for Option<T> {
    type Rejection = Rejection;

    fn from_head(head: &RequestHead<'_>, state: &S) -> Result<Self, Rejection> {
        unless_absent(T::from_head(head, state))
    }
}

/// As for extractors of the head.
impl<S, T: FromRequest<S, ViaBody, Rejection = Rejection> + 'static> FromRequest<S, ViaBody> for Option<T> {
    type Rejection = Rejection;

    fn from_request(
        request: Request<'_>,
        state: &S,
    ) -> impl Future<Output = Result<Self, Rejection>> + 'static + use<S, T> {
        let value = T::from_request(request, state);
        async move { unless_absent(value.await) }
    }
}

fn unless_absent<T>(extracted: Result<T, Rejection>) -> Result<Option<T>, Rejection> {
    match extracted {
        Ok(value) => Ok(Some(value)),
        Err(rejection) if rejection.is_absence() => Ok(None),
        Err(rejection) => Err(rejection),
    }
}

/// The rejection is the handler's to answer.
impl<S, T: FromHead<S>> FromHead<S> for Result<T, T::Rejection> {
    type Rejection = Infallible;

    fn from_head(head: &RequestHead<'_>, state: &S) -> Result<Self, Infallible> {
        Ok(T::from_head(head, state))
    }
}

/// The rejection is the handler's to answer. A body that is known to be too large before it is read is
/// answered with 413 before that.
impl<S, T: FromRequest<S, ViaBody> + 'static> FromRequest<S, ViaBody> for Result<T, T::Rejection> {
    type Rejection = Infallible;

    fn from_request(
        request: Request<'_>,
        state: &S,
    ) -> impl Future<Output = Result<Self, Infallible>> + 'static + use<S, T> {
        let value = T::from_request(request, state);
        async move { Ok(value.await) }
    }
}
