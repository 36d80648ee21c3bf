//! The extractor of a form in the body. Leaves reading it to `pairs.rs`, and forms with files to `multipart/`.

use std::future::Future;

use serde::de::DeserializeOwned;

use super::{media, pairs};
use crate::{
    extract::{FromRequest, Rejection, ViaBody},
    http::StatusCode,
    service::Request,
};

/// Fields that are listed without an allocation.
const INLINE: usize = 16;

/// A body of `application/x-www-form-urlencoded`: a struct or map by names, or a sequence of pairs.
///
/// A repeated name makes a sequence. The number of fields is bounded by the size of the body only, which the route sets.
///
/// ```
/// use armature_core::{Router, extract::Form, post};
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     article: u32,
///     #[serde(default)]
///     option: Vec<String>,
/// }
///
/// async fn order(Form(order): Form<Order>) -> String {
///     format!("article {} with {:?}", order.article, order.option)
/// }
///
/// let app: Router = Router::new().route("/orders", post(order).body_bytes_max(10_000));
/// ```
///
/// # Rejections
/// - 400: as for [`Query`](crate::extract::Query); or the body could not be read.
/// - 413: the body is too large.
/// - 415: the content type is another, or missing. `Option<Form<T>>` is `None` when there is no body either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form<T>(pub T);

impl<S, T: DeserializeOwned + 'static> FromRequest<S, ViaBody> for Form<T> {
    type Rejection = Rejection;

    fn from_request(
        request: Request<'_>,
        _: &S,
    ) -> impl Future<Output = Result<Self, Rejection>> + 'static + use<S, T> {
        let expected = media::expect(&request, "application/x-www-form-urlencoded", |essence| {
            essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        let expected = expected.map(drop);
        let body = request.body;
        async move {
            expected?;
            let body = body.collect().await?;
            let text = std::str::from_utf8(&body)
                .map_err(|_| Rejection::new(StatusCode::BAD_REQUEST, "the form does not fit: it is not UTF-8"))?;
            pairs::read::<T, INLINE>(text).map(Self).map_err(|error| error.reject("the form"))
        }
    }
}
