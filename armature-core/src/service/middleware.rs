//! What stands between a router and its handlers, and the three ways to write it: hooks before and after, an async function
//! around, or the call itself.
//!
//! A stack of middlewares is one type, put together when the routes are: what it calls is known to the compiler down to the
//! handler. What waits is wrapped in the connection's [`Slot`], so that nothing is boxed for it. Concrete middlewares are in
//! `../middleware/`.

use std::{
    future::{Future, poll_fn},
    rc::Rc,
    task::{Context, Poll},
};

use super::{OwnedRequest, Request, Service, Slot};
use crate::respond::{IntoResponse, Response};

/// What stands between the router and a handler: sees each request before it, each response after it, and may answer in its
/// place.
///
/// Most need less than this: [`Hooks`] for what only looks and changes, [`from_fn`] for what waits. This is for what drives
/// the handler itself, such as a timeout.
///
/// ```
/// use armature_core::{Response, Router, StatusCode, get, middleware::Middleware, test::TestClient};
/// use armature_core::service::{Request, Service, Slot};
/// use std::{rc::Rc, task::{Context, Poll}};
///
/// /// Has a second look where the first has found nothing.
/// #[derive(Clone)]
/// struct Elsewhere(&'static str);
///
/// impl Middleware for Elsewhere {
///     fn call<S: Service>(&self, request: Request<'_>, next: &Rc<S>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
///         match next.call(request, slot, cx) {
///             Poll::Ready(answer) if answer.status_code() == 404 => Poll::Ready(Response::new(armature_core::MediaType::TEXT, self.0)),
///             answer => answer,
///         }
///     }
/// }
///
/// let app = Router::new().route("/", get(async || StatusCode::NOT_FOUND)).layer(Elsewhere("found"));
/// assert_eq!(TestClient::in_process(app)?.get("/").send()?.text(), "found");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a middleware",
    note = "a middleware implements `Middleware` or `Hooks`, or is an async function in `from_fn`"
)]
pub trait Middleware: Clone + 'static {
    /// Answers a request, usually by calling `next` and changing what it says. What waits is left in `slot`;
    /// [`Slot::wrap`] puts a future around it.
    fn call<S: Service>(
        &self,
        request: Request<'_>,
        next: &Rc<S>,
        slot: &mut Slot,
        cx: &mut Context<'_>,
    ) -> Poll<Response>;
}

/// A middleware that looks at requests before their handlers and at responses after them.
///
/// ```
/// use armature_core::{Response, http::{HeaderValue, header}, middleware::Hooks, service::Request};
///
/// /// Has browsers forget what they were sent.
/// #[derive(Clone)]
/// struct NoStore;
///
/// impl Hooks for NoStore {
///     type Kept = ();
///
///     fn before(&self, _: &mut Request<'_>) -> Result<(), Response> {
///         Ok(())
///     }
///
///     fn after(&self, (): (), response: &mut Response) {
///         response.insert_header(&header::CACHE_CONTROL, &HeaderValue::from_static("no-store"));
///     }
/// }
/// # use armature_core::{Router, get};
/// # let _: Router = Router::new().route("/", get(async || "secret")).layer(NoStore);
/// ```
pub trait Hooks: Clone + 'static {
    /// What is kept from before to after. It is dropped if the handler is.
    type Kept: 'static;

    /// Looks at a request and says what to keep.
    ///
    /// # Errors
    /// The response that answers it in the handler's place; [`after`](Self::after) is not called then.
    fn before(&self, request: &mut Request<'_>) -> Result<Self::Kept, Response>;

    /// Looks at the response. By default it is left as it is.
    ///
    /// ```
    /// use armature_core::{Response, Router, get, http::{HeaderValue, header}, middleware::Hooks, service::Request};
    /// use armature_core::test::TestClient;
    ///
    /// #[derive(Clone)]
    /// struct AgeOf(u32);
    ///
    /// impl Hooks for AgeOf {
    ///     type Kept = u32;
    ///
    ///     fn before(&self, _: &mut Request<'_>) -> Result<u32, Response> {
    ///         Ok(self.0)
    ///     }
    ///
    ///     fn after(&self, kept: u32, response: &mut Response) {
    ///         response.insert_header(&header::AGE, &HeaderValue::from(kept));
    ///     }
    /// }
    ///
    /// let mut client = TestClient::in_process(Router::new().route("/", get(async || ()).layer(AgeOf(7))))?;
    /// assert_eq!(client.get("/").send()?.header("age"), Some("7"));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    fn after(&self, kept: Self::Kept, response: &mut Response) {
        let _ = (kept, response);
    }
}

impl<H: Hooks> Middleware for H {
    #[inline]
    fn call<S: Service>(
        &self,
        mut request: Request<'_>,
        next: &Rc<S>,
        slot: &mut Slot,
        cx: &mut Context<'_>,
    ) -> Poll<Response> {
        let kept = match self.before(&mut request) {
            Ok(kept) => kept,
            Err(response) => return Poll::Ready(response),
        };
        match next.call(request, slot, cx) {
            Poll::Ready(mut response) => {
                self.after(kept, &mut response);
                Poll::Ready(response)
            }
            Poll::Pending => {
                let hooks = self.clone();
                slot.wrap(|inner| async move {
                    let mut response = inner.await;
                    hooks.after(kept, &mut response);
                    response
                });
                Poll::Pending
            }
        }
    }
}

/// A middleware around a service.
///
/// ```
/// use armature_core::{Router, Routes, StatusCode, post, middleware::{BodyLimit, Layered, Stack}, test::TestClient};
///
/// let routes = Router::new().route("/", post(async |text: String| text)).build()?;
/// let limited: Layered<BodyLimit, Routes> = BodyLimit(3).around(routes);
/// let mut client = TestClient::in_process(Router::new().route_service("/", limited))?;
/// assert_eq!(client.post("/").body("four").send()?.status(), StatusCode::PAYLOAD_TOO_LARGE);
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Layered<M, S> {
    middleware: M,
    next: Rc<S>,
}

impl<M: Middleware, S: Service> Layered<M, S> {
    /// Puts `middleware` around `next`.
    pub(crate) fn new(middleware: M, next: S) -> Self {
        Self { middleware, next: Rc::new(next) }
    }
}

impl<M: Middleware, S: Service> Service for Layered<M, S> {
    #[inline]
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        self.middleware.call(request, &self.next, slot, cx)
    }
}

/// What can be put around a service: a middleware, a layer of tower, or a tuple of up to eight of which the first is outermost.
///
/// ```
/// use armature_core::{Router, StatusCode, get, middleware::{BodyLimit, Stack, Timeout}, test::TestClient};
/// use std::time::Duration;
///
/// fn usual() -> impl Stack {
///     (Timeout::new(Duration::from_secs(10)), BodyLimit(1_000))
/// }
///
/// let app = Router::new().route("/", get(async || "hello")).layer(usual());
/// assert_eq!(TestClient::in_process(app)?.get("/").send()?.status(), StatusCode::OK);
/// # Ok::<(), armature_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a middleware",
    note = "a middleware implements `Middleware` or `Hooks`, or is an async function in `from_fn`; several go into a tuple"
)]
pub trait Stack: Clone + 'static {
    /// A service with this around it.
    type Around<S: Service>: Service;

    /// Puts itself around a service.
    fn around<S: Service>(self, next: S) -> Self::Around<S>;
}

impl<M: Middleware> Stack for M {
    type Around<S: Service> = Layered<M, S>;

    fn around<S: Service>(self, next: S) -> Layered<M, S> {
        Layered::new(self, next)
    }
}

macro_rules! stack {
    ($($outer:ident)*; $inner:ident) => {
        impl<$($outer: Stack,)* $inner: Stack> Stack for ($($outer,)* $inner,)
        where
            ($($outer,)*): Stack,
        {
            type Around<S: Service> = <($($outer,)*) as Stack>::Around<$inner::Around<S>>;

            #[allow(non_snake_case, reason = "the macro names each middleware like its type")]
            fn around<S: Service>(self, next: S) -> Self::Around<S> {
                let ($($outer,)* $inner,) = self;
                ($($outer,)*).around($inner.around(next))
            }
        }
    };
}

/// No middleware.
impl Stack for () {
    type Around<S: Service> = S;

    fn around<S: Service>(self, next: S) -> S {
        next
    }
}

stack!(; A);
stack!(A; B);
stack!(A B; C);
stack!(A B C; D);
stack!(A B C D; E);
stack!(A B C D E; F);
stack!(A B C D E F; G);
stack!(A B C D E F G; H);

/// A middleware of an async function, which gets the request and what comes next.
///
/// The request is a copy then, so that the function can wait before it hands it on; the handler's extractors run when it
/// does, and find what the function has added to it.
///
/// ```
/// use armature_core::{Response, Router, StatusCode, extract::Extension, get};
/// use armature_core::middleware::{Next, from_fn};
/// use armature_core::service::OwnedRequest;
///
/// #[derive(Clone)]
/// struct User(String);
///
/// async fn look_up(token: &str) -> Option<User> {
///     (token == "Bearer secret").then(|| User("ada".into()))
/// }
///
/// async fn authenticate(mut request: OwnedRequest, next: Next) -> Result<Response, StatusCode> {
///     let head = request.head();
///     let token = head.header_text("authorization").ok_or(StatusCode::UNAUTHORIZED)?;
///     let user = look_up(token).await.ok_or(StatusCode::UNAUTHORIZED)?;
///     request.insert(user);
///     Ok(next.run(request).await)
/// }
///
/// let router: Router = Router::new()
///     .route("/me", get(async |Extension(User(name)): Extension<User>| name))
///     .layer(from_fn(authenticate));
/// # router.build().unwrap();
/// ```
pub fn from_fn<F, Fut, R>(function: F) -> FromFn<F>
where
    F: Fn(OwnedRequest, Next) -> Fut + Clone + 'static,
    Fut: Future<Output = R> + 'static,
    R: IntoResponse,
{
    FromFn(function)
}

/// See [`from_fn`].
///
/// ```
/// use armature_core::{Response, Router, get, middleware::{FromFn, Next, from_fn}, service::OwnedRequest, test::TestClient};
///
/// async fn pass(request: OwnedRequest, next: Next) -> Response {
///     next.run(request).await
/// }
///
/// let passing: FromFn<_> = from_fn(pass);
/// let app = Router::new().route("/", get(async || "hello").layer(passing));
/// assert_eq!(TestClient::in_process(app)?.get("/").send()?.text(), "hello");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct FromFn<F>(F);

impl<F, Fut, R> Middleware for FromFn<F>
where
    F: Fn(OwnedRequest, Next) -> Fut + Clone + 'static,
    Fut: Future<Output = R> + 'static,
    R: IntoResponse,
{
    fn call<S: Service>(
        &self,
        request: Request<'_>,
        next: &Rc<S>,
        slot: &mut Slot,
        cx: &mut Context<'_>,
    ) -> Poll<Response> {
        let response = (self.0)(OwnedRequest::from(request), Next(next.clone()));
        slot.run(async move { response.await.into_response() }, cx)
    }
}

/// What comes behind a middleware: the next one, or the handler.
///
/// ```
/// use armature_core::{Response, Router, StatusCode, get, middleware::{Next, from_fn}, service::OwnedRequest, test::TestClient};
///
/// async fn closed_to_bots(request: OwnedRequest, next: Next) -> Result<Response, StatusCode> {
///     match request.head().header("user-agent") {
///         Some(_) => Ok(next.run(request).await),
///         None => Err(StatusCode::FORBIDDEN), // `next` is dropped, and the handler never called.
///     }
/// }
///
/// let app = Router::new().route("/", get(async || "hello")).layer(from_fn(closed_to_bots));
/// assert_eq!(TestClient::in_process(app)?.get("/").send()?.status(), StatusCode::FORBIDDEN);
/// # Ok::<(), armature_core::Error>(())
/// ```
pub struct Next(Rc<dyn Service>);

impl Next {
    /// Answers the request.
    ///
    /// ```
    /// use armature_core::{Response, Router, get, middleware::{Next, from_fn}, service::OwnedRequest, test::TestClient};
    ///
    /// async fn doubled(request: OwnedRequest, next: Next) -> Response {
    ///     let answer = next.run(request).await;
    ///     let twice = answer.body().as_slice().repeat(2);
    ///     answer.with_body(twice)
    /// }
    ///
    /// let app = Router::new().route("/", get(async || "ab").layer(from_fn(doubled)));
    /// assert_eq!(TestClient::in_process(app)?.get("/").send()?.text(), "abab");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    pub async fn run(self, mut request: OwnedRequest) -> Response {
        let mut slot = Slot::default();
        let first = poll_fn(|cx| Poll::Ready(request.lend(|request| self.0.call(request, &mut slot, cx)))).await;
        match first {
            Poll::Ready(response) => response,
            Poll::Pending => slot.await,
        }
    }
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Next")
    }
}

/// Allows bodies of so many bytes, in place of the server's [`body_bytes_max`](crate::Limits::body_bytes_max). The innermost
/// decides.
///
/// ```
/// use armature_core::{Router, StatusCode, middleware::BodyLimit, post, test::TestClient};
///
/// let app = Router::new().route("/", post(async |text: String| text)).layer(BodyLimit(3));
/// let mut client = TestClient::in_process(app)?;
/// assert_eq!(client.post("/").body("abc").send()?.text(), "abc");
/// assert_eq!(client.post("/").body("abcd").send()?.status(), StatusCode::PAYLOAD_TOO_LARGE);
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit(pub u64);

impl Hooks for BodyLimit {
    type Kept = ();

    #[inline]
    fn before(&self, request: &mut Request<'_>) -> Result<(), Response> {
        request.body.set_limit(self.0);
        Ok(())
    }
}
