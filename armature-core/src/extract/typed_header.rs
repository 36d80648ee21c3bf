//! The extractor of a header field as a type of the `headers` crate, which is also a part of responses.

use headers::Header;

use crate::{
    extract::{FromHead, Rejection},
    http::{HeaderValue, StatusCode},
    respond::{IntoResponseParts, Response},
    service::RequestHead,
};

/// A header field, read as a type of the [`headers`](crate::headers) crate; before a response's body, one that is set.
///
/// ```
/// use armature_core::{Router, extract::TypedHeader, get, headers::{Authorization, ETag, authorization::Bearer}};
///
/// async fn secret(TypedHeader(token): TypedHeader<Authorization<Bearer>>) -> String {
///     token.token().to_owned()
/// }
///
/// async fn tagged() -> (TypedHeader<ETag>, &'static str) {
///     (TypedHeader("\"1\"".parse().expect("an entity tag")), "tagged")
/// }
///
/// let app: Router = Router::new().route("/secret", get(secret)).route("/tagged", get(tagged));
/// ```
///
/// # Rejections
/// - 400: the field is missing, or malformed; it is named. `Option<TypedHeader<T>>` is `None` when it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypedHeader<T>(pub T);

impl<S, T: Header> FromHead<S> for TypedHeader<T> {
    type Rejection = Rejection;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Rejection> {
        let name = T::name().as_str();
        let sent = head.headers().filter(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        // The parser lets no value pass that the conversion would refuse.
        let values: Vec<_> = sent.filter_map(|(_, value)| HeaderValue::from_bytes(value).ok()).collect();
        T::decode(&mut values.iter()).map(Self).map_err(|error| {
            let rejection =
                |what| Rejection::quoting(StatusCode::BAD_REQUEST, format_args!("the field {name} is {what}"));
            if values.is_empty() { rejection("missing").of_absence() } else { rejection("malformed").because(error) }
        })
    }
}

impl<T: Header> IntoResponseParts for TypedHeader<T> {
    fn add_to(self, response: &mut Response) {
        let mut values = Vec::new();
        self.0.encode(&mut values);
        for value in values {
            response.insert_header(T::name(), &value);
        }
    }
}
