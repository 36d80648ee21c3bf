//! The extractor of the query string (`application/x-www-form-urlencoded`, as URLs use it).

use serde::de::DeserializeOwned;

use crate::{
    extract::{FromHead, Rejection},
    http::StatusCode,
    service::RequestHead,
};

/// The query string as a struct. Without a query all fields must be optional or have defaults; otherwise 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<S, T: DeserializeOwned> FromHead<S> for Query<T> {
    type Rejection = Rejection;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Rejection> {
        serde_urlencoded::from_str(head.query().unwrap_or_default())
            .map(Self)
            .map_err(|error| Rejection::new(StatusCode::BAD_REQUEST, format!("the query string does not fit: {error}")))
    }
}
