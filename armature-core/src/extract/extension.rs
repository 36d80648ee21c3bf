//! The extractor of what middleware has added to a request.

use std::any::type_name;

use crate::{
    extract::{FromHead, Rejection},
    http::StatusCode,
    service::RequestHead,
};

/// What middleware has added to the request, by its type.
///
/// # Rejections
/// - 500: no middleware has. `Option<Extension<T>>` is `None` then.
///
/// ```
/// use armature_core::{Router, extract::Extension, get, middleware::{Next, from_fn}, service::OwnedRequest, test::TestClient};
///
/// #[derive(Clone)]
/// struct Tenant(&'static str);
///
/// let router: Router = Router::new()
///     .route("/", get(async |Extension(Tenant(name)): Extension<Tenant>| name))
///     .layer(from_fn(async |mut request: OwnedRequest, next: Next| {
///         request.insert(Tenant("acme"));
///         next.run(request).await
///     }));
/// assert_eq!(TestClient::in_process(router)?.get("/").send()?.text(), "acme");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<T>(pub T);

impl<S, T: Clone + 'static> FromHead<S> for Extension<T> {
    type Rejection = Rejection;

    fn from_head(head: &RequestHead<'_>, _: &S) -> Result<Self, Rejection> {
        head.extensions().get::<T>().cloned().map(Self).ok_or_else(missing::<T>)
    }
}

#[cold]
fn missing<T>() -> Rejection {
    let source = std::io::Error::other(format!("no middleware has added a {}", type_name::<T>()));
    Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "the server has failed").because(source).of_absence()
}
