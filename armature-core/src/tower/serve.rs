//! Services of tower as services of this crate, and layers of tower as middleware.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service as Foreign;

use super::{
    TowerService,
    message::{failed, refused, request_to},
    passage::Passages,
    relay::{SendBody, Sender},
};
use crate::{
    body::{BodyError, RequestBody, StreamError},
    respond::{IntoResponse, Response},
    service::{OwnedRequest, Request, Service, Slot, Stack},
};

/// A service of tower, for a route.
///
/// Each request has a clone of it, which is called once it is ready. Its request's body is a [`SendBody`], so that services that
/// go to other threads can be served, too; the client's address is among the extensions as a
/// [`SocketAddr`](std::net::SocketAddr). What it fails with is the [`cause`](Response::cause) of a 500; a service that wants to
/// say something else says it itself, by `map_result` of tower's `ServiceBuilder` for example. It answers methods other than
/// those of [`route_service`](crate::Router::route_service) with what it likes, and cannot upgrade a connection.
///
/// ```
/// use armature_core::{Router, tower::from_tower};
/// use tower_http::services::ServeDir;
///
/// let router: Router =
///     Router::new().route_service("/files/{*path}", from_tower(ServeDir::new("public")).below_route());
/// # router.build().unwrap();
/// ```
pub fn from_tower<S>(service: S) -> FromTower<S> {
    FromTower { service, is_below_route: false }
}

/// See [`from_tower`].
///
/// ```
/// use armature_core::{Router, test::TestClient, tower::{FromTower, from_tower}};
/// use tower_http::services::ServeDir;
///
/// let sources: FromTower<ServeDir> = from_tower(ServeDir::new("src")).below_route();
/// let mut client = TestClient::in_process(Router::new().route_service("/src/{*path}", sources))?;
/// assert!(client.get("/src/lib.rs").send()?.text().contains("pub mod tower;"));
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FromTower<S> {
    service: S,
    is_below_route: bool,
}

impl<S> FromTower<S> {
    /// Has the service see as its path what the last parameter of the route's pattern stands for, behind a `/`.
    ///
    /// ```
    /// use armature_core::{Router, StatusCode, test::TestClient, tower::{SendBody, from_tower}};
    ///
    /// let path = tower::service_fn(async |request: http::Request<SendBody>| {
    ///     Ok::<_, std::convert::Infallible>(http::Response::new(request.uri().path().to_owned()))
    /// });
    /// let app = Router::new().route_service("/files/{*path}", from_tower(path).below_route());
    /// assert_eq!(TestClient::in_process(app)?.get("/files/a.txt").send()?.text(), "/a.txt");
    /// # Ok::<(), armature_core::Error>(())
    /// ```
    #[must_use]
    pub fn below_route(self) -> Self {
        Self { is_below_route: true, ..self }
    }
}

impl<S, B> Service for FromTower<S>
where
    S: Foreign<http::Request<SendBody>, Response = http::Response<B>, Error: Into<StreamError>, Future: 'static>
        + Clone
        + 'static,
    B: http_body::Body<Error: Into<StreamError>> + 'static,
{
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        let Request { head, body } = request;
        if body.is_announced_too_large() {
            return Poll::Ready(BodyError::TooLarge.into_response());
        }
        let path = self.is_below_route.then(|| head.params().last()).flatten().map(|(_, rest)| format!("/{rest}"));
        let (body, sender) = SendBody::new(body);
        match request_to(&head, path.as_deref(), body) {
            Ok(request) => slot.run(feed(sender, answer(self.service.clone(), request)), cx),
            Err(refusal) => Poll::Ready(refused(refusal)),
        }
    }
}

/// What a clone of a service answers when it is ready.
async fn answer<S, R, B>(mut service: S, request: http::Request<R>) -> Response
where
    S: Foreign<http::Request<R>, Response = http::Response<B>, Error: Into<StreamError>>,
    B: http_body::Body<Error: Into<StreamError>> + 'static,
{
    let answered = match poll_fn(|cx| service.poll_ready(cx)).await {
        Ok(()) => service.call(request).await,
        Err(error) => Err(error),
    };
    answered.map_or_else(|error| failed(error.into()), Response::from)
}

/// Waits for the answer, and sends the body that whoever makes it asks for.
async fn feed(mut sender: Option<Sender>, answer: impl Future<Output = Response>) -> Response {
    let mut answer = pin!(answer);
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(response) = answer.as_mut().poll(cx) {
                return Poll::Ready(response);
            }
            if !sender.as_mut().is_some_and(|sender| sender.poll(cx)) {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// A layer of tower as middleware, alone or in a tuple with others.
///
/// It is put around each route once, when the routes are built; each request has a clone of the service that it makes then. What
/// a layer shares, such as a limit, is shared where the layer itself says so, by being a `Global…Layer` for example. Layers whose
/// services have to be `Send` are not for handlers that need not be.
///
/// Parameters, extensions, upgrades and the rest pass by the layer. What it adds to the request's extensions is found in the
/// [`Extension`](crate::extract::Extension) of the type [`http::Extensions`]. What it fails with is the
/// [`cause`](Response::cause) of a 500.
///
/// ```
/// use std::time::Duration;
///
/// use armature_core::{Router, StatusCode, get, tower::from_tower_layer};
/// use tower_http::{compression::CompressionLayer, timeout::TimeoutLayer};
///
/// let layers = tower::ServiceBuilder::new()
///     .layer(CompressionLayer::new())
///     .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(10)));
/// let router: Router = Router::new().route("/", get(async || "hello")).layer(from_tower_layer(layers));
/// # router.build().unwrap();
/// ```
pub fn from_tower_layer<L>(layer: L) -> FromTowerLayer<L> {
    FromTowerLayer(layer)
}

/// See [`from_tower_layer`].
///
/// ```
/// use armature_core::{Router, get, http::{HeaderValue, header}, test::TestClient};
/// use armature_core::tower::{FromTowerLayer, from_tower_layer};
/// use tower_http::set_header::SetResponseHeaderLayer;
///
/// let age = SetResponseHeaderLayer::overriding(header::AGE, HeaderValue::from(7));
/// let age: FromTowerLayer<SetResponseHeaderLayer<HeaderValue>> = from_tower_layer(age);
/// let mut client = TestClient::in_process(Router::new().route("/", get(async || ())).layer(age))?;
/// assert_eq!(client.get("/").send()?.header("age"), Some("7"));
/// # Ok::<(), armature_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FromTowerLayer<L>(L);

impl<L, B> Stack for FromTowerLayer<L>
where
    L: Layer<TowerService> + Clone + 'static,
    L::Service: Foreign<http::Request<RequestBody>, Response = http::Response<B>, Error: Into<StreamError>, Future: 'static>
        + Clone
        + 'static,
    B: http_body::Body<Error: Into<StreamError>> + 'static,
{
    type Around<S: Service> = Served<L::Service>;

    fn around<S: Service>(self, next: S) -> Served<L::Service> {
        let passages = Rc::<Passages>::default();
        Served { service: self.0.layer(TowerService::inside(Rc::new(next), passages.clone())), passages }
    }
}

/// A service that a layer of tower has made around one of this crate.
///
/// ```
/// use armature_core::{Router, get, middleware::Stack, test::TestClient, tower::{Served, TowerService, from_tower_layer}};
/// use tower::layer::util::Identity;
///
/// let routes = Router::new().route("/", get(async || "hello")).build()?;
/// let served: Served<TowerService> = from_tower_layer(Identity::new()).around(routes);
/// let app = Router::new().route_service("/", served);
/// assert_eq!(TestClient::in_process(app)?.get("/").send()?.text(), "hello");
/// # Ok::<(), armature_core::Error>(())
/// ```
pub struct Served<S> {
    service: S,
    passages: Rc<Passages>,
}

impl<S> fmt::Debug for Served<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Served")
    }
}

impl<S, B> Service for Served<S>
where
    S: Foreign<http::Request<RequestBody>, Response = http::Response<B>, Error: Into<StreamError>, Future: 'static>
        + Clone
        + 'static,
    B: http_body::Body<Error: Into<StreamError>> + 'static,
{
    fn call(&self, request: Request<'_>, slot: &mut Slot, cx: &mut Context<'_>) -> Poll<Response> {
        let mut owned = OwnedRequest::from(request);
        let body = owned.take_body();
        let mut request = match request_to(&owned.head(), None, body) {
            Ok(request) => request,
            Err(refusal) => return Poll::Ready(refused(refusal)),
        };
        let passage = self.passages.open(owned);
        request.extensions_mut().insert(passage.ticket());
        let answer = answer(self.service.clone(), request);
        slot.run(
            async move {
                let mut response = answer.await;
                passage.leave(&mut response);
                response
            },
            cx,
        )
    }
}
