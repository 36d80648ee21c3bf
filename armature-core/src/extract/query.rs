//! The extractor of the query string. Leaves reading it to `pairs.rs`, which forms share.

use serde::de::DeserializeOwned;

use super::pairs;
use crate::{
    extract::{FromHead, Rejection},
    service::RequestHead,
};

/// Fields that are listed without an allocation.
const INLINE: usize = 8;

/// The query string, percent- and plus-decoded: a struct or map by names, or a sequence of pairs.
///
/// A repeated name makes a sequence. Without a query string all fields must be optional or have defaults, or the extractor
/// must be `Option<Query<T>>`. Pairs whose names are not known beforehand are best kept in [`SmallPairs`](crate::SmallPairs).
///
/// ```
/// use armature_core::{Query, Router, get};
///
/// #[derive(serde::Deserialize)]
/// struct Search {
///     text: String,
///     page: Option<u32>,
///     #[serde(default)]
///     tag: Vec<String>,
/// }
///
/// // /search?text=two+words&tag=a&tag=b
/// async fn search(Query(search): Query<Search>) -> String {
///     format!("{:?} page {:?} of {}", search.tag, search.page, search.text)
/// }
///
/// let app: Router = Router::new().route("/search", get(search));
/// ```
///
/// # Rejections
/// - 400: a field is missing, does not fit its type, or is repeated where one value is asked for; the percent-encoding of any
///   field is malformed, or its text is not UTF-8. The field is named.
///
/// A target that is too long gets 414 before that (`Limits::target_bytes_max`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<S, T: DeserializeOwned> FromHead<S> for Query<T> {
    type Rejection = Rejection;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Rejection> {
        let query = head.query();
        pairs::read::<T, INLINE>(query.unwrap_or_default()).map(Self).map_err(|error| {
            let rejection = error.reject("the query string");
            if query.is_none() { rejection.of_absence() } else { rejection }
        })
    }
}
