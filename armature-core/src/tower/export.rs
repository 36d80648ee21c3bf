//! A service of this crate as one of tower: for servers of other crates, and for what a layer of tower is put around.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use super::{
    message::{refused, request_from, without_body},
    passage::{Passages, Ticket},
};
use crate::{
    body::{Body, StreamError},
    h1::Refusal,
    http::{Method, header},
    limits::{HEAD_BYTES_CEILING, HEAD_FIELDS_CEILING, Limits},
    service::{OwnedRequest, Service, Slot},
};

/// The service as one of tower, which is never not ready and never fails: what breaks a rule is answered.
///
/// It stays on its thread, as what it serves does. Requests are held to [`Limits::default`]'s bounds on heads and bodies, or to
/// [`with_limits`](TowerService::with_limits). Their [`peer`](crate::service::ConnectionInfo::peer) is the
/// [`SocketAddr`](std::net::SocketAddr) among their extensions, where whoever serves them has put one there; all extensions are
/// one [`Extension`](crate::extract::Extension) of the type [`http::Extensions`].
///
/// ```
/// use armature_core::{Router, get, tower::into_tower};
/// use http_body_util::{BodyExt, Empty};
/// use tower::ServiceExt;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let service = into_tower(Router::new().route("/", get(async || "hello")).build()?);
/// let request = http::Request::get("http://localhost/").body(Empty::<bytes::Bytes>::new())?;
/// let response = service.oneshot(request).await?;
/// assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// # }).unwrap();
/// ```
pub fn into_tower(service: impl Service) -> TowerService {
    TowerService { service: Rc::new(service), limits: Rc::default(), passages: None }
}

/// See [`into_tower`].
///
/// ```
/// use armature_core::{Router, get, tower::{TowerService, into_tower}};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service: TowerService = into_tower(Router::new().route("/", get(async || "hello")).build()?);
/// let request = http::Request::get("http://localhost/").body(String::new())?;
/// let answer = service.oneshot(request).await?;
/// assert_eq!(answer.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TowerService {
    service: Rc<dyn Service>,
    limits: Rc<Limits>,
    /// What requests bring past the layer that this is inside of.
    passages: Option<Rc<Passages>>,
}

impl TowerService {
    /// What a layer is put around. The server has judged by its limits what comes to the layer.
    pub(super) fn inside(service: Rc<dyn Service>, passages: Rc<Passages>) -> Self {
        let limits = Limits {
            head_bytes_max: HEAD_BYTES_CEILING,
            head_fields_max: HEAD_FIELDS_CEILING,
            target_bytes_max: HEAD_BYTES_CEILING,
            ..Limits::default()
        };
        Self { service, limits: Rc::new(limits), passages: Some(passages) }
    }

    /// The same service with other bounds on heads and bodies. The deadlines, and what is about connections, are those of the
    /// server that serves it.
    ///
    /// ```
    /// use armature_core::{Limits, Router, post, tower::into_tower};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let routes = Router::new().route("/", post(async |text: String| text)).build()?;
    /// let service = into_tower(routes).with_limits(Limits { body_bytes_max: 3, ..Limits::default() });
    /// let answer = service.oneshot(http::Request::post("http://localhost/").body("four".to_owned())?).await?;
    /// assert_eq!(answer.status(), 413);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits: Rc::new(limits), ..self }
    }

    fn take<B>(&self, request: http::Request<B>) -> Result<(OwnedRequest, Origin), Refusal>
    where
        B: http_body::Body<Error: Into<StreamError>> + 'static,
    {
        let passage = self.passages.clone().zip(request.extensions().get().copied());
        let mut request = request_from(request, &self.limits)?;
        let origin = match passage {
            Some((passages, ticket)) => {
                passages.enter(ticket, &mut request);
                Origin::Layer(passages, ticket)
            }
            None => Origin::Server(request.head().method()),
        };
        Ok((request, origin))
    }
}

impl fmt::Debug for TowerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TowerService")
    }
}

impl<B> tower_service::Service<http::Request<B>> for TowerService
where
    B: http_body::Body<Error: Into<StreamError>> + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Answering {
        let state = match self.take(request) {
            Ok((request, origin)) => State::Asked(self.service.clone(), Box::new(request), origin),
            Err(refusal) => State::Refused(refusal),
        };
        Answering { state, slot: Slot::default() }
    }
}

/// An answer that a [`TowerService`] is working on.
///
/// ```
/// use armature_core::{Router, get, tower::{Answering, into_tower}};
/// use tower::Service;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut service = into_tower(Router::new().route("/", get(async || "hello")).build()?);
/// let request = http::Request::get("http://localhost/").body(String::new())?;
/// let answering: Answering = service.call(request);
/// assert_eq!(answering.await?.status(), 200);
/// # Ok(())
/// # }
/// ```
pub struct Answering {
    state: State,
    slot: Slot,
}

enum State {
    Refused(Refusal),
    Asked(Rc<dyn Service>, Box<OwnedRequest>, Origin),
    Waiting(Origin),
    Over,
}

/// Where a request comes from.
enum Origin {
    /// From a server, which is told what a response to this method has.
    Server(Method),
    /// From a layer of tower around this service.
    Layer(Rc<Passages>, Ticket),
}

impl Future for Answering {
    type Output = Result<http::Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { state, slot } = self.get_mut();
        let (mut response, origin) = match std::mem::replace(state, State::Over) {
            State::Refused(refusal) => return Poll::Ready(Ok(refused(refusal).into())),
            State::Asked(service, mut request, origin) => {
                match request.lend(|request| service.call(request, slot, cx)) {
                    Poll::Ready(response) => (response, origin),
                    Poll::Pending => {
                        *state = State::Waiting(origin);
                        return Poll::Pending;
                    }
                }
            }
            State::Waiting(origin) => match slot.poll(cx) {
                Poll::Ready(response) => (response, origin),
                Poll::Pending => {
                    *state = State::Waiting(origin);
                    return Poll::Pending;
                }
            },
            // Polled after its end: there is nothing to be had any more.
            State::Over => return Poll::Pending,
        };
        match origin {
            Origin::Server(method) => without_body(&mut response, method),
            Origin::Layer(passages, ticket) => {
                let length = response.declared_length();
                passages.leave(ticket, response.rare.take());
                if let Some(length) = length {
                    response.insert_header(&header::CONTENT_LENGTH, &length.into());
                }
            }
        }
        Poll::Ready(Ok(response.into()))
    }
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").field("slot", &self.slot).finish_non_exhaustive()
    }
}
