//! The extractor of what the program keeps beside its requests.

use std::convert::Infallible;

use crate::{
    extract::FromHead,
    respond::{IntoResponse, Response},
    service::RequestHead,
};

/// What [`Router::with_state`](crate::Router::with_state) was given, or a part of it.
///
/// ```
/// use armature_core::{Router, State, extract::FromRef, get};
/// use std::{cell::Cell, rc::Rc};
///
/// #[derive(Clone)]
/// struct App {
///     name: &'static str,
///     visits: Rc<Cell<u32>>, // of this worker; what all share is in an Arc
/// }
///
/// impl FromRef<App> for Rc<Cell<u32>> {
///     fn from_ref(app: &App) -> Self {
///         app.visits.clone()
///     }
/// }
///
/// async fn count(State(visits): State<Rc<Cell<u32>>>) -> String {
///     visits.set(visits.get() + 1);
///     visits.get().to_string()
/// }
///
/// async fn name(State(app): State<App>) -> &'static str {
///     app.name
/// }
///
/// let app = App { name: "counter", visits: Rc::default() };
/// let router: Router = Router::new().route("/", get(count)).route("/name", get(name)).with_state(app);
/// # let _ = router;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State<T>(pub T);

/// A part of a state that handlers may ask for by itself.
///
/// ```
/// use armature_core::{Router, State, extract::FromRef, get, test::TestClient};
///
/// #[derive(Clone)]
/// struct App {
///     name: &'static str,
/// }
///
/// impl FromRef<App> for &'static str {
///     fn from_ref(app: &App) -> Self {
///         app.name
///     }
/// }
///
/// let app = Router::new().route("/", get(async |State(name): State<&'static str>| name)).with_state(App { name: "ada" });
/// assert_eq!(TestClient::in_process(app)?.get("/").send()?.text(), "ada");
/// # Ok::<(), armature_core::Error>(())
/// ```
pub trait FromRef<S> {
    /// Takes the part, usually by a clone that is cheap.
    fn from_ref(state: &S) -> Self;
}

impl<T: Clone> FromRef<T> for T {
    fn from_ref(state: &T) -> T {
        state.clone()
    }
}

impl<S, T: FromRef<S>> FromHead<S> for State<T> {
    type Rejection = Infallible;

    #[inline]
    fn from_head(_: &RequestHead<'_>, state: &S) -> Result<Self, Infallible> {
        Ok(Self(T::from_ref(state)))
    }
}

impl IntoResponse for Infallible {
    fn into_response(self) -> Response {
        match self {}
    }
}
