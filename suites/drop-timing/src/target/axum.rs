//! axum, as `axum::serve` serves it on one thread.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State, connect_info::Connected},
    http::{HeaderName, HeaderValue, Method, Uri},
    middleware::map_request_with_state,
    response::Response,
    routing::get,
    serve::{IncomingStream, Listener},
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
    sync::oneshot,
};

use super::{ADDRESS, FIELDS, REQUEST_FIELDS, Ready, Running};
use crate::{
    application::{Application, Pieces},
    tally::{Counted, Witness},
    work::Place,
};

pub(super) fn request(body: Bytes) -> Request {
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/items");
    for (name, value) in &FIELDS[..REQUEST_FIELDS] {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    request
}

pub(super) fn response(body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    for (name, value) in FIELDS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

pub(super) fn body(counted: Counted) -> Body {
    Body::new(Pieces::with(counted))
}

pub(super) fn router(paths: impl Iterator<Item = String>, counted: Counted) -> Router {
    paths.fold(Router::new(), |router, path| {
        let counted = counted.clone();
        router.route(
            &path,
            get(move || {
                let held = counted.clone();
                async move { drop(held) }
            }),
        )
    })
}

impl<V: Unpin> http_body::Body for Pieces<V> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.take().map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes_left())
    }
}

pub(super) fn serve(application: Application, ready: Ready) -> Result<(), String> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(run(application, ready)).map_err(|error| error.to_string())
}

async fn run(application: Application, ready: Ready) -> io::Result<()> {
    let listener = TcpListener::bind(ADDRESS).await?;
    let address = listener.local_addr()?;
    let (stop, stopping) = oneshot::channel::<()>();
    ready(Running { address, stop: Box::new(move || _ = stop.send(())) });
    let mut router = Router::new().route("/", get(answer));
    if application.is_in(Place::Extension) {
        router = router.layer(map_request_with_state(application.clone(), extend));
    }
    let service = router.with_state(application.clone()).into_make_service_with_connect_info::<Kept>();
    axum::serve(Accepting { listener, application }, service)
        .with_graceful_shutdown(async move {
            // It also ends when nobody can stop the server any more.
            let _ = stopping.await;
        })
        .await
}

async fn answer(State(application): State<Application>) -> Response {
    let _held = application.value(Place::Handler);
    Response::new(Body::new(application.pieces()))
}

async fn extend(State(application): State<Application>, mut request: Request) -> Request {
    if let Some(witness) = application.value(Place::Extension) {
        request.extensions_mut().insert(witness);
    }
    request
}

/// A listener that has a value for each connection.
struct Accepting {
    listener: TcpListener,
    application: Application,
}

/// What is kept for a connection; requests have copies of it.
#[derive(Debug, Clone)]
struct Kept {
    _witness: Option<Arc<Witness>>,
}

impl Listener for Accepting {
    type Io = TcpStream;
    type Addr = (SocketAddr, Kept);

    async fn accept(&mut self) -> (TcpStream, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // A connection that cannot have it is as good as gone.
        let _ = stream.set_nodelay(true);
        (stream, (address, Kept { _witness: self.application.value(Place::Connection).map(Arc::new) }))
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr().map(|address| (address, Kept { _witness: None }))
    }
}

impl Connected<IncomingStream<'_, Accepting>> for Kept {
    fn connect_info(stream: IncomingStream<'_, Accepting>) -> Self {
        stream.remote_addr().1.clone()
    }
}
