//! The router: routes by method and path to endpoints, and answers what has no route.
//!
//! [`Router`] is what programs write; [`Routes`] is what it becomes when it is built, immutable and looked up by every
//! request. Leaves matching to `../route/mod.rs`, calling handlers to `../handler.rs`, and
//! what stands in front of them to `middleware.rs`.

use std::{
    rc::Rc,
    task::{Context, Poll},
};

use super::{BodyLimit, Hooks, Layered, Request, Service, Slot, Stack};
use crate::{
    error::Error,
    handler::{Handler, bind},
    http::{HeaderValue, Method, StatusCode, header},
    respond::Response,
    route::{Lookup, RouteError, RouteTable},
};

/// What makes a service of a handler when its state is known, with the middlewares that were put around it.
type Bind<S> = Box<dyn FnOnce(&S) -> Rc<dyn Service>>;

fn layered<S: 'static>(bind: Bind<S>, stack: impl Stack) -> Bind<S> {
    Box::new(move |state| Rc::new(stack.around(bind(state))))
}

fn bound<S: Clone + 'static, M: 'static>(handler: impl Handler<M, S>) -> Bind<S> {
    Box::new(move |state| bind(handler, state.clone()))
}

/// Routes in the making. `S` is the state that its handlers still need; [`with_state`](Router::with_state) provides it.
///
/// ```
/// use armature_core::{Path, Router, SmallString, StatusCode, get, middleware::BodyLimit, post};
///
/// let router: Router = Router::new()
///     .route("/", get(async || "home"))
///     .group("/users", |users| {
///         users
///             .route("/{id}", get(async |Path(id): Path<SmallString>| id))
///             .route("/", post(async |name: String| (StatusCode::CREATED, name)))
///             .layer(BodyLimit(1_000))
///     })
///     .fallback(async || (StatusCode::NOT_FOUND, "no such page"));
/// for (method, pattern) in router.routes() {
///     println!("{method} {pattern}");
/// }
/// # assert_eq!(router.routes().count(), 3);
/// # router.build().unwrap();
/// ```
pub struct Router<S = ()> {
    routes: Vec<(Method, String, Bind<S>)>,
    not_found: Miss<S>,
    other_methods: Miss<S>,
}

/// What answers requests that have no route.
struct Miss<S> {
    bind: Bind<S>,
    /// Whether the program has said what it is.
    is_own: bool,
}

impl<S: 'static> Miss<S> {
    fn default_of(service: impl Service) -> Self {
        Self { bind: Box::new(move |_| Rc::new(service)), is_own: false }
    }

    fn or(self, other: Self) -> Self {
        if other.is_own && !self.is_own { other } else { self }
    }

    fn layered(self, stack: impl Stack) -> Self {
        Self { bind: layered(self.bind, stack), ..self }
    }

    fn with_state<Outer>(self, state: &S) -> Miss<Outer> {
        let service = (self.bind)(state);
        Miss { bind: Box::new(|_| service), is_own: self.is_own }
    }
}

impl<S: Clone + 'static> Default for Router<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + 'static> Router<S> {
    /// A router without routes.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, test::TestClient};
    ///
    /// let mut client = TestClient::in_process(Router::new())?;
    /// assert_eq!(client.get("/").send()?.status(), StatusCode::NOT_FOUND);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            routes: Vec::new(),
            not_found: Miss::default_of(NotFound),
            other_methods: Miss::default_of(OtherMethods { answer: None }),
        }
    }

    /// Adds the handlers of one path. `{id}` stands for one segment, `{*rest}` for the rest of the path; the whole grammar
    /// stands at [`route`](mod@crate::route).
    ///
    /// Mistakes in the pattern surface when the router is built, or with [`route!`](crate::route!) when it is compiled.
    ///
    /// ```
    /// use armature_core::{Path, Router, get, test::TestClient};
    ///
    /// let app = Router::new().route("/users/{id}", get(async |Path(id): Path<u32>| format!("user {id}")));
    /// assert_eq!(TestClient::in_process(app)?.get("/users/7").send()?.text(), "user 7");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn route(mut self, pattern: &str, methods: MethodRouter<S>) -> Self {
        self.routes.extend(methods.endpoints.into_iter().map(|(method, bind)| (method, pattern.to_owned(), bind)));
        self
    }

    /// Answers every routable method but HEAD, OPTIONS, TRACE and CONNECT on one path with a service, for example one that
    /// serves files or one of tower's.
    ///
    /// ```
    /// use armature_core::{Router, get, test::TestClient};
    ///
    /// let inner = Router::new().route("/a", get(async || "from the inner router")).build()?;
    /// let app = Router::new().route_service("/{*path}", inner);
    /// assert_eq!(TestClient::in_process(app)?.get("/a").send()?.text(), "from the inner router");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn route_service(mut self, pattern: &str, service: impl Service) -> Self {
        let service: Rc<dyn Service> = Rc::new(service);
        for method in ANY {
            let service = service.clone();
            self.routes.push((method, pattern.to_owned(), Box::new(|_| service)));
        }
        self
    }

    /// Adds all routes of another router under a prefix such as `/api`. What it answers where it has no route is not taken
    /// over.
    ///
    /// ```
    /// use armature_core::{Router, get, test::TestClient};
    ///
    /// let users = Router::new().route("/", get(async || "all")).route("/me", get(async || "me"));
    /// let mut client = TestClient::in_process(Router::new().nest("/users", users))?;
    /// assert_eq!(client.get("/users").send()?.text(), "all");
    /// assert_eq!(client.get("/users/me").send()?.text(), "me");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn nest(mut self, prefix: &str, router: Self) -> Self {
        let prefix = prefix.trim_end_matches('/');
        for (method, pattern, bind) in router.routes {
            let pattern =
                if pattern == "/" && !prefix.is_empty() { prefix.to_owned() } else { format!("{prefix}{pattern}") };
            self.routes.push((method, pattern, bind));
        }
        self
    }

    /// Adds the routes that `group` makes under a prefix. Middleware of the group is around its routes only.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, get, middleware::BodyLimit, post, test::TestClient};
    ///
    /// let app = Router::new()
    ///     .route("/", post(async |text: String| text))
    ///     .group("/small", |small| small.route("/", post(async |text: String| text)).layer(BodyLimit(3)));
    /// let mut client = TestClient::in_process(app)?;
    /// assert_eq!(client.post("/").body("abcd").send()?.status(), StatusCode::OK);
    /// assert_eq!(client.post("/small").body("abcd").send()?.status(), StatusCode::PAYLOAD_TOO_LARGE);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn group(self, prefix: &str, group: impl FnOnce(Self) -> Self) -> Self {
        self.nest(prefix, group(Self::new()))
    }

    /// Adds all routes of another router, and what it answers without a route where this one has not said so itself.
    ///
    /// ```
    /// use armature_core::{Router, get, test::TestClient};
    ///
    /// let pages = Router::new().route("/", get(async || "home")).fallback(async || "no such page");
    /// let app = Router::new().route("/health", get(async || "up")).merge(pages);
    /// let mut client = TestClient::in_process(app)?;
    /// assert_eq!(client.get("/").send()?.text(), "home");
    /// assert_eq!(client.get("/x").send()?.text(), "no such page");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn merge(mut self, router: Self) -> Self {
        self.routes.extend(router.routes);
        self.not_found = self.not_found.or(router.not_found);
        self.other_methods = self.other_methods.or(router.other_methods);
        self
    }

    /// Puts a middleware, or a tuple of them with the first outermost, around all routes so far, and around what this router
    /// answers where it has none.
    ///
    /// ```
    /// use armature_core::{Router, get, middleware::SecurityHeaders, test::TestClient};
    ///
    /// let app = Router::new()
    ///     .route("/", get(async || "inside"))
    ///     .layer(SecurityHeaders::new())
    ///     .route("/later", get(async || "outside"));
    /// let mut client = TestClient::in_process(app)?;
    /// assert_eq!(client.get("/").send()?.header("x-frame-options"), Some("DENY"));
    /// assert_eq!(client.get("/later").send()?.header("x-frame-options"), None);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn layer(self, stack: impl Stack) -> Self {
        let routes = self.routes.into_iter();
        Self {
            routes: routes.map(|(method, pattern, bind)| (method, pattern, layered(bind, stack.clone()))).collect(),
            not_found: self.not_found.layered(stack.clone()),
            other_methods: self.other_methods.layered(stack),
        }
    }

    /// Answers requests for paths without a route; without it they get 404, and 501 for a method that no path has.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, test::TestClient};
    ///
    /// let app = Router::new().fallback(async || (StatusCode::NOT_FOUND, "no such page"));
    /// assert_eq!(TestClient::in_process(app)?.get("/x").send()?.text(), "no such page");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn fallback<M: 'static>(mut self, handler: impl Handler<M, S>) -> Self {
        self.not_found = Miss { bind: bound(handler), is_own: true };
        self
    }

    /// Answers requests for paths that have routes for other methods only; without it they get 405. Allow lists those
    /// methods in either case, and OPTIONS is answered with it.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, get, test::TestClient};
    ///
    /// let app = Router::new()
    ///     .route("/", get(async || ()))
    ///     .method_not_allowed(async || (StatusCode::METHOD_NOT_ALLOWED, "only to be read"));
    /// let answer = TestClient::in_process(app)?.put("/").send()?;
    /// assert_eq!((answer.text(), answer.header("allow")), ("only to be read", Some("GET, HEAD, OPTIONS")));
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn method_not_allowed<M: 'static>(mut self, handler: impl Handler<M, S>) -> Self {
        let bind: Bind<S> = Box::new(move |state| {
            let answer = Some(Layered::new(AllowField, bind(handler, state.clone())));
            Rc::new(OtherMethods { answer })
        });
        self.other_methods = Miss { bind, is_own: true };
        self
    }

    /// Gives all handlers so far their state; each has a clone of it.
    ///
    /// ```
    /// use armature_core::{Router, State, get, test::TestClient};
    ///
    /// let app = Router::new().route("/", get(async |State(name): State<&'static str>| name)).with_state("counter");
    /// assert_eq!(TestClient::in_process(app)?.get("/").send()?.text(), "counter");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_state<Outer: Clone + 'static>(self, state: S) -> Router<Outer> {
        let ready = |(method, pattern, bind): (Method, String, Bind<S>)| -> (Method, String, Bind<Outer>) {
            let service = bind(&state);
            (method, pattern, Box::new(|_| service))
        };
        Router {
            routes: self.routes.into_iter().map(ready).collect(),
            not_found: self.not_found.with_state(&state),
            other_methods: self.other_methods.with_state(&state),
        }
    }
}

impl<S> Router<S> {
    /// Methods and patterns of all routes, in the order in which they were added.
    ///
    /// ```
    /// use armature_core::{Method, Router, get};
    ///
    /// let router: Router = Router::new().route("/notes", get(async || ()).post(async || ()));
    /// let routes: Vec<_> = router.routes().collect();
    /// assert_eq!(routes, [(Method::Get, "/notes"), (Method::Post, "/notes")]);
    /// ```
    pub fn routes(&self) -> impl Iterator<Item = (Method, &str)> {
        self.routes.iter().map(|(method, pattern, _)| (*method, pattern.as_str()))
    }
}

impl Router<()> {
    /// Builds the table that requests are looked up in.
    ///
    /// # Errors
    /// [`ErrorKind::Route`](crate::ErrorKind::Route) with a line for each pattern that is malformed or conflicts with
    /// another.
    ///
    /// ```
    /// use armature_core::{ErrorKind, Router, get};
    ///
    /// let error = Router::new().route("/{a}", get(async || ())).route("/{b}", get(async || ())).build().err().unwrap();
    /// assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Route, "route GET /{b}: conflicts with GET /{a}"));
    /// ```
    pub fn build(self) -> Result<Routes, Error> {
        let bound = |(method, pattern, bind): (Method, String, Bind<()>)| (method, pattern, bind(&()));
        let table =
            RouteTable::build(self.routes.into_iter().map(bound)).map_err(|errors| RouteError::join(&errors))?;
        Ok(Routes { table, not_found: (self.not_found.bind)(&()), other_methods: (self.other_methods.bind)(&()) })
    }
}

/// The handlers of one path, by method.
///
/// ```
/// use armature_core::{MethodRouter, Router, StatusCode, get, test::TestClient};
///
/// fn notes() -> MethodRouter {
///     get(async || "all").post(async || StatusCode::CREATED)
/// }
///
/// let mut client = TestClient::in_process(Router::new().route("/notes", notes()))?;
/// assert_eq!(client.get("/notes").send()?.text(), "all");
/// assert_eq!(client.post("/notes").send()?.status(), StatusCode::CREATED);
/// # Ok::<(), armature_core::Error>(())
/// ```
pub struct MethodRouter<S = ()> {
    endpoints: Vec<(Method, Bind<S>)>,
}

macro_rules! methods {
    ($($name:ident $method:ident beside $other:ident $doc:literal)*) => {
        $(
            #[doc = concat!("Answers ", $doc, " with `handler`.")]
            ///
            /// ```
            #[doc = concat!("use armature_core::{Router, StatusCode, ", stringify!($name), ", test::TestClient};")]
            ///
            #[doc = concat!("let accept = ", stringify!($name), "(async || StatusCode::ACCEPTED);")]
            /// let mut client = TestClient::in_process(Router::new().route("/", accept))?;
            #[doc = concat!("assert_eq!(client.", stringify!($name), "(\"/\").send()?.status(), StatusCode::ACCEPTED);")]
            /// # Ok::<(), armature_core::Error>(())
            /// ```
            #[must_use]
            pub fn $name<M: 'static, S: Clone + 'static>(handler: impl Handler<M, S>) -> MethodRouter<S> {
                MethodRouter { endpoints: Vec::new() }.on(Method::$method, handler)
            }
        )*

        impl<S: Clone + 'static> MethodRouter<S> {
            $(
                #[doc = concat!("Answers ", $doc, " with `handler`.")]
                ///
                /// ```
                #[doc = concat!("use armature_core::{Router, StatusCode, ", stringify!($other), ", test::TestClient};")]
                ///
                #[doc = concat!("let methods = ", stringify!($other), "(async || ())")]
                #[doc = concat!("    .", stringify!($name), "(async || StatusCode::ACCEPTED);")]
                /// let mut client = TestClient::in_process(Router::new().route("/", methods))?;
                #[doc = concat!("assert_eq!(client.", stringify!($name), "(\"/\").send()?.status(), StatusCode::ACCEPTED);")]
                #[doc = concat!("assert_eq!(client.", stringify!($other), "(\"/\").send()?.status(), StatusCode::OK);")]
                /// # Ok::<(), armature_core::Error>(())
                /// ```
                #[must_use]
                pub fn $name<M: 'static>(self, handler: impl Handler<M, S>) -> Self {
                    self.on(Method::$method, handler)
                }
            )*
        }
    };
}

methods! {
    get Get beside post "GET, and HEAD unless it has a handler of its own,"
    head Head beside post "HEAD"
    post Post beside get "POST"
    put Put beside get "PUT"
    delete Delete beside get "DELETE"
    patch Patch beside get "PATCH"
    options Options beside get "OPTIONS"
}

impl<S: Clone + 'static> MethodRouter<S> {
    /// Answers a method with `handler`.
    ///
    /// ```
    /// use armature_core::{Method, Router, get, test::TestClient};
    ///
    /// let methods = get(async || "read").on(Method::Trace, async || "traced");
    /// let mut client = TestClient::in_process(Router::new().route("/", methods))?;
    /// assert_eq!(client.request(Method::Trace, "/").send()?.text(), "traced");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn on<M: 'static>(mut self, method: Method, handler: impl Handler<M, S>) -> Self {
        self.endpoints.push((method, bound(handler)));
        self
    }
}

impl<S: 'static> MethodRouter<S> {
    /// Puts a middleware, or a tuple of them with the first outermost, around the handlers so far.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, middleware::BodyLimit, post, test::TestClient};
    ///
    /// let methods = post(async |text: String| text).layer(BodyLimit(3)).put(async |text: String| text);
    /// let mut client = TestClient::in_process(Router::new().route("/", methods))?;
    /// assert_eq!(client.post("/").body("abcd").send()?.status(), StatusCode::PAYLOAD_TOO_LARGE);
    /// assert_eq!(client.put("/").body("abcd").send()?.status(), StatusCode::OK);
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn layer(self, stack: impl Stack) -> Self {
        let endpoints = self.endpoints.into_iter();
        Self { endpoints: endpoints.map(|(method, bind)| (method, layered(bind, stack.clone()))).collect() }
    }

    /// Allows the handlers so far bodies of so many bytes, in place of the server's
    /// [`body_bytes_max`](crate::Limits::body_bytes_max).
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, post, test::TestClient};
    ///
    /// let app = Router::new().route("/upload", post(async |text: String| text.len().to_string()).body_bytes_max(3_000_000));
    /// let upload = "a".repeat(3_000_000);
    /// assert_eq!(TestClient::in_process(app)?.post("/upload").body(upload).send()?.text(), "3000000");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn body_bytes_max(self, bytes: u64) -> Self {
        self.layer(BodyLimit(bytes))
    }
}

/// The methods that [`any`] answers.
const ANY: [Method; 5] = [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Patch];

/// Answers every routable method but HEAD, OPTIONS, TRACE and CONNECT, which keep their own meaning, with `handler`.
///
/// ```
/// use armature_core::{Router, any, test::TestClient};
///
/// let mut client = TestClient::in_process(Router::new().route("/", any(async || "whatever")))?;
/// assert_eq!(client.get("/").send()?.text(), "whatever");
/// assert_eq!(client.delete("/").send()?.text(), "whatever");
/// # Ok::<(), armature_core::Error>(())
/// ```
#[must_use]
pub fn any<M: 'static, S: Clone + 'static>(handler: impl Handler<M, S>) -> MethodRouter<S> {
    ANY.into_iter().fold(MethodRouter { endpoints: Vec::new() }, |router, method| router.on(method, handler.clone()))
}

/// A built router: immutable, one per worker.
///
/// ```
/// use armature_core::{Router, Routes, get, test::TestClient};
///
/// let routes: Routes = Router::new().route("/", get(async || "hello")).build()?;
/// assert_eq!(TestClient::in_process(routes)?.get("/").send()?.text(), "hello");
/// # Ok::<(), armature_core::Error>(())
/// ```
pub struct Routes {
    table: RouteTable<Rc<dyn Service>>,
    not_found: Rc<dyn Service>,
    other_methods: Rc<dyn Service>,
}

impl Service for Routes {
    #[inline]
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        if let Some(service) = self.table.find_exact(request.head.method(), request.head.path_bytes()) {
            return service.call(request, slot, cx);
        }
        let Request { head, body } = request;
        match self.table.find(head.method(), head.path()) {
            Lookup::Found { value, params } => value.call(Request { head: head.with_params(&params), body }, slot, cx),
            Lookup::OtherMethods(methods) => {
                self.other_methods.call(Request { head: head.with_other_methods(methods), body }, slot, cx)
            }
            Lookup::NotFound if head.method() == Method::Options && head.path() == "*" => {
                let methods = self.table.methods();
                self.other_methods.call(Request { head: head.with_other_methods(methods), body }, slot, cx)
            }
            Lookup::NotFound => self.not_found.call(Request { head, body }, slot, cx),
        }
    }
}

/// Answers where no path fits.
struct NotFound;

impl Service for NotFound {
    fn call(&self, request: Request<'_>, _: &mut Slot, _: &mut Context<'_>) -> Poll<Response> {
        let is_known = request.head.method() != Method::Other;
        Poll::Ready(Response::status(if is_known { StatusCode::NOT_FOUND } else { StatusCode::NOT_IMPLEMENTED }))
    }
}

/// Answers where the path fits and the method does not: OPTIONS with what there is (RFC 9110 §9.3.7), anything else with 405
/// (§15.5.6), in the program's own words where it has some.
struct OtherMethods {
    answer: Option<Layered<AllowField, Rc<dyn Service>>>,
}

impl Service for OtherMethods {
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        let is_options = request.head.method() == Method::Options;
        match &self.answer {
            Some(answer) if !is_options => answer.call(request, slot, cx),
            _ => {
                let status = if is_options { StatusCode::NO_CONTENT } else { StatusCode::METHOD_NOT_ALLOWED };
                let mut response = Response::status(status);
                AllowField.after(request.head.other_methods().allow(), &mut response);
                Poll::Ready(response)
            }
        }
    }
}

/// Puts the methods that there are into Allow.
#[derive(Clone)]
struct AllowField;

impl Hooks for AllowField {
    type Kept = String;

    fn before(&self, request: &mut Request<'_>) -> Result<String, Response> {
        Ok(request.head.other_methods().allow())
    }

    fn after(&self, allow: String, response: &mut Response) {
        // Names of methods and commas are always a value.
        if let Ok(allow) = HeaderValue::try_from(allow) {
            response.insert_header(&header::ALLOW, &allow);
        }
    }
}
