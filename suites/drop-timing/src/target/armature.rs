//! armature-core.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use armature_core::{
    Body, Limits, RequestBody, Response, Router, Routes, Server, State, StatusCode,
    body::{BodySource, StreamError},
    get,
    h1::head::{self, HeadIndex},
    http::{HeaderName, HeaderValue},
    middleware::Middleware,
    respond::MediaType,
    service::{ConnectionInfo, Disconnect, Request, RequestHead, Service, Slot},
};
use bytes::Bytes;

use super::{ADDRESS, FIELDS, REQUEST_FIELDS, Ready, Running};
use crate::{
    application::{Application, DRAIN_DEADLINE, Pieces},
    tally::Counted,
    work::Place,
};

/// A request: its head is a view of bytes that its connection keeps, so it is made once.
pub(super) fn request(body: Bytes) -> Request<'static> {
    thread_local! {
        static HEAD: RequestHead<'static> = head();
    }
    Request { head: HEAD.with(RequestHead::clone), body: RequestBody::from(body) }
}

fn head() -> RequestHead<'static> {
    let fields: String = FIELDS[..REQUEST_FIELDS].iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let bytes: &[u8] = format!("POST /items HTTP/1.1\r\nhost: drops.example\r\n{fields}\r\n").leak().as_bytes();
    let mut index = HeadIndex::default();
    assert_eq!(head::parse(bytes, &Limits::default(), &mut index), Ok(true), "the head is well-formed");
    RequestHead::new(bytes, Box::leak(Box::new(index)), Box::leak(Box::new(Rc::new(ConnectionInfo::default()))))
}

pub(super) fn response(body: Bytes) -> Response {
    let mut response = Response::status(StatusCode::OK).with_body(body);
    for (name, value) in FIELDS {
        response.insert_header(&HeaderName::from_static(name), &HeaderValue::from_static(value));
    }
    response
}

pub(super) fn body(counted: Counted) -> Body {
    Body::stream(Pieces::with(counted))
}

pub(super) fn router(paths: impl Iterator<Item = String>, counted: Counted) -> Routes {
    let router = paths.fold(Router::new(), |router, path| {
        let counted = counted.clone();
        router.route(
            &path,
            get(move || {
                let held = counted.clone();
                async move { drop(held) }
            }),
        )
    });
    router.build().expect("patterns do not conflict")
}

impl<V: Unpin> BodySource for Pieces<V> {
    fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        Poll::Ready(self.take().map(Ok))
    }

    fn length(&self) -> Option<u64> {
        Some(self.bytes_left())
    }
}

pub(super) fn serve(application: Application, ready: Ready) -> Result<(), String> {
    let limits = Limits { drain_deadline: DRAIN_DEADLINE, ..Limits::default() };
    let server = Server::bind(ADDRESS).map_err(|error| error.to_string())?.workers(1).limits(limits);
    let (address, handle) = (server.local_addr(), server.handle());
    let running = Running { address, stop: Box::new(move || handle.drain()) };
    let server = server.on_ready(move || ready(running));
    server.serve(move |_| routes(application.clone())).map_err(|error| error.to_string())
}

fn routes(application: Application) -> Router {
    // Only who watches the connection has something that is dropped with it.
    let answering = if application.is_in(Place::Connection) { get(answer_watching) } else { get(answer) };
    Router::new().route("/", answering).layer(Extend(application.clone())).with_state(application)
}

async fn answer(State(application): State<Application>) -> Response {
    let _held = application.value(Place::Handler);
    Response::new(MediaType::TEXT, Body::stream(application.pieces()))
}

/// Leaves a task behind that has a value for as long as the connection is there: a connection itself keeps none.
async fn answer_watching(State(application): State<Application>, disconnect: Disconnect) -> Response {
    let witness = application.value(Place::Connection);
    tokio::task::spawn_local(async move {
        disconnect.await;
        drop(witness);
    });
    Response::new(MediaType::TEXT, Body::stream(application.pieces()))
}

/// Adds an extension to each request, if this is the place for values.
#[derive(Clone)]
struct Extend(Application);

impl Middleware for Extend {
    fn call<S: Service>(
        &self,
        request: Request<'_>,
        next: &Rc<S>,
        slot: &mut Slot,
        cx: &mut Context<'_>,
    ) -> Poll<Response> {
        let Some(witness) = self.0.value(Place::Extension) else { return next.call(request, slot, cx) };
        let Request { head, body } = request;
        let extended = head.extensions().and(&witness);
        next.call(Request { head: head.with_extensions(extended.list()), body }, slot, cx)
    }
}
