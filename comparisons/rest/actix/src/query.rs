//! A query whose errors name the parameter; those of `web::Query` name none.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use rest_service::Problem;
use serde::de::DeserializeOwned;

use crate::problem::Failure;

pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = form_urlencoded::parse(request.query_string().as_bytes());
        let value = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs));
        ready(value.map(Self).map_err(|error| Failure(Problem::new(400, error.to_string()))))
    }
}
