//! The router: routes by method and path to endpoints, and answers what has no route.
//!
//! [`Router`] is what programs write; [`Routes`] is what it becomes when it is built, immutable and looked up by every
//! request. Leaves matching to `../route/mod.rs` and calling handlers to `../handler.rs`.

use std::{
    rc::Rc,
    task::{Context, Poll},
};

use crate::{
    error::Error,
    handler::{Endpoint, Handler, Unbound, WithBodyLimit},
    http::{HeaderValue, Method, StatusCode, header},
    respond::Response,
    route::{Lookup, MethodSet, RouteTable},
    service::{Request, Service, Slot},
};

/// Routes in the making. `S` is the state that its handlers still need; [`with_state`](Router::with_state) provides it.
pub struct Router<S = ()> {
    routes: Vec<(Method, String, RouteEndpoint<S>)>,
    fallback: Option<RouteEndpoint<S>>,
}

enum RouteEndpoint<S> {
    NeedsState(Box<dyn Unbound<S>>),
    Ready(Rc<dyn Endpoint>),
    Limited { endpoint: Box<RouteEndpoint<S>>, body_bytes_max: u64 },
}

impl<S: 'static> RouteEndpoint<S> {
    fn bind(self, state: &S) -> Rc<dyn Endpoint> {
        match self {
            Self::NeedsState(unbound) => unbound.bind(state),
            Self::Ready(endpoint) => endpoint,
            Self::Limited { endpoint, body_bytes_max } => {
                Rc::new(WithBodyLimit { endpoint: endpoint.bind(state), body_bytes_max })
            }
        }
    }
}

impl<S: Clone + 'static> Default for Router<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + 'static> Router<S> {
    /// A router without routes.
    #[must_use]
    pub fn new() -> Self {
        Self { routes: Vec::new(), fallback: None }
    }

    /// Adds the handlers of one path. `{id}` stands for one segment, `{*rest}` for the rest of the path.
    ///
    /// Mistakes in the pattern surface when the router is built.
    #[must_use]
    pub fn route(mut self, pattern: &str, methods: MethodRouter<S>) -> Self {
        for (method, endpoint) in methods.endpoints {
            self.routes.push((method, pattern.to_owned(), endpoint));
        }
        self
    }

    /// Adds all routes of another router under a prefix such as `/api`. Its fallback is not taken over.
    #[must_use]
    pub fn nest(mut self, prefix: &str, router: Self) -> Self {
        let prefix = prefix.trim_end_matches('/');
        for (method, pattern, endpoint) in router.routes {
            let pattern = if pattern == "/" { prefix.to_owned() } else { format!("{prefix}{pattern}") };
            self.routes.push((method, pattern, endpoint));
        }
        self
    }

    /// Adds all routes of another router, and its fallback where this one has none.
    #[must_use]
    pub fn merge(mut self, router: Self) -> Self {
        self.routes.extend(router.routes);
        self.fallback = self.fallback.or(router.fallback);
        self
    }

    /// Answers requests for paths without a route; without it they get 404.
    #[must_use]
    pub fn fallback<M: 'static>(mut self, handler: impl Handler<M, S>) -> Self {
        self.fallback = Some(RouteEndpoint::NeedsState(handler.into_unbound()));
        self
    }

    /// Gives all handlers so far their state; each has a clone of it.
    #[must_use]
    pub fn with_state<Outer: Clone + 'static>(self, state: S) -> Router<Outer> {
        Router {
            routes: self
                .routes
                .into_iter()
                .map(|(method, pattern, endpoint)| (method, pattern, RouteEndpoint::Ready(endpoint.bind(&state))))
                .collect(),
            fallback: self.fallback.map(|endpoint| RouteEndpoint::Ready(endpoint.bind(&state))),
        }
    }
}

impl Router<()> {
    /// Builds the table that requests are looked up in.
    ///
    /// # Errors
    /// [`ErrorKind::Route`](crate::ErrorKind::Route) for the first pattern that is malformed or conflicts.
    pub fn build(self) -> Result<Routes, Error> {
        let mut table = RouteTable::default();
        for (method, pattern, endpoint) in self.routes {
            table.insert(method, &pattern, endpoint.bind(&()))?;
        }
        Ok(Routes { table, fallback: self.fallback.map(|endpoint| endpoint.bind(&())) })
    }
}

/// The handlers of one path, by method.
pub struct MethodRouter<S = ()> {
    endpoints: Vec<(Method, RouteEndpoint<S>)>,
}

macro_rules! methods {
    ($($name:ident $method:ident $doc:literal)*) => {
        $(
            #[doc = concat!("Answers ", $doc, " with `handler`.")]
            #[must_use]
            pub fn $name<M: 'static, S: Clone + 'static>(handler: impl Handler<M, S>) -> MethodRouter<S> {
                MethodRouter { endpoints: Vec::new() }.on(Method::$method, handler)
            }
        )*

        impl<S: Clone + 'static> MethodRouter<S> {
            $(
                #[doc = concat!("Answers ", $doc, " with `handler`.")]
                #[must_use]
                pub fn $name<M: 'static>(self, handler: impl Handler<M, S>) -> Self {
                    self.on(Method::$method, handler)
                }
            )*
        }
    };
}

methods! {
    get Get "GET, and HEAD unless it has a handler of its own,"
    head Head "HEAD"
    post Post "POST"
    put Put "PUT"
    delete Delete "DELETE"
    patch Patch "PATCH"
    options Options "OPTIONS"
}

impl<S: Clone + 'static> MethodRouter<S> {
    /// Answers a method with `handler`.
    #[must_use]
    pub fn on<M: 'static>(mut self, method: Method, handler: impl Handler<M, S>) -> Self {
        self.endpoints.push((method, RouteEndpoint::NeedsState(handler.into_unbound())));
        self
    }
}

impl<S> MethodRouter<S> {
    /// Allows the handlers so far bodies of so many bytes, in place of the server's
    /// [`body_bytes_max`](crate::Limits::body_bytes_max).
    #[must_use]
    pub fn body_bytes_max(self, bytes: u64) -> Self {
        let limited = |(method, endpoint)| {
            (method, RouteEndpoint::Limited { endpoint: Box::new(endpoint), body_bytes_max: bytes })
        };
        Self { endpoints: self.endpoints.into_iter().map(limited).collect() }
    }
}

/// Answers every routable method but HEAD, OPTIONS, TRACE and CONNECT, which keep their own meaning, with `handler`.
#[must_use]
pub fn any<M: 'static, S: Clone + 'static>(handler: impl Handler<M, S>) -> MethodRouter<S> {
    [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Patch]
        .into_iter()
        .fold(MethodRouter { endpoints: Vec::new() }, |router, method| router.on(method, handler.clone()))
}

/// A built router: immutable, one per worker.
pub struct Routes {
    table: RouteTable<Rc<dyn Endpoint>>,
    fallback: Option<Rc<dyn Endpoint>>,
}

impl Service for Routes {
    #[inline]
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        if let Some(endpoint) = self.table.find_exact(request.head.method(), request.head.path_bytes()) {
            return endpoint.call(request, slot, cx);
        }
        let Request { head, body } = request;
        match self.table.find(head.method(), head.path()) {
            Lookup::Found { value, params } => value.call(Request { head: head.with_params(&params), body }, slot, cx),
            Lookup::OtherMethods(methods) => Poll::Ready(other_method(head.method(), methods)),
            Lookup::NotFound => self.not_found(Request { head, body }, slot, cx),
        }
    }
}

impl Routes {
    #[cold]
    fn not_found(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        let method = request.head.method();
        if method == Method::Options && request.head.path() == "*" {
            return Poll::Ready(other_method(method, self.table.methods()));
        }
        match &self.fallback {
            Some(fallback) => fallback.call(request, slot, cx),
            None if method == Method::Other => Poll::Ready(Response::status(StatusCode::NOT_IMPLEMENTED)),
            None => Poll::Ready(Response::status(StatusCode::NOT_FOUND)),
        }
    }
}

/// OPTIONS is answered with what there is (RFC 9110 §9.3.7), anything else with 405 (§15.5.6).
#[cold]
fn other_method(method: Method, methods: MethodSet) -> Response {
    let status = if method == Method::Options { StatusCode::NO_CONTENT } else { StatusCode::METHOD_NOT_ALLOWED };
    let response = Response::status(status);
    match HeaderValue::try_from(methods.allow()) {
        Ok(allow) => response.with_header(header::ALLOW, allow),
        // Names of methods and commas are always a value.
        Err(_) => response,
    }
}
