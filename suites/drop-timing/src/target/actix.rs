//! actix-web, with actix-http underneath.

use std::{
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_http::Request;
use actix_web::{
    App, HttpMessage, HttpResponse, HttpServer,
    body::{BodySize, MessageBody},
    dev::{Payload, Service},
    http::{
        KeepAlive, Method, StatusCode, Uri,
        header::{HeaderName, HeaderValue},
    },
    rt, test,
    web::{self, Data},
};
use bytes::Bytes;

use super::{ADDRESS, FIELDS, REQUEST_FIELDS, Ready, Running};
use crate::{
    application::{Application, DRAIN_DEADLINE, Pieces},
    tally::{Counted, Witness},
    work::Place,
};

pub(super) fn request(body: Bytes) -> Request {
    let mut request = Request::with_payload(Payload::from(body));
    let head = request.head_mut();
    head.method = Method::POST;
    head.uri = Uri::from_static("/items");
    for (name, value) in &FIELDS[..REQUEST_FIELDS] {
        head.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    request
}

pub(super) fn response(body: Bytes) -> HttpResponse<Bytes> {
    let mut response = HttpResponse::with_body(StatusCode::OK, body);
    for (name, value) in FIELDS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

pub(super) fn body(counted: Counted) -> actix_web::body::BoxBody {
    Pieces::with(counted).boxed()
}

pub(super) fn router(paths: impl Iterator<Item = String>, counted: Counted) -> impl Sized {
    let app = paths.fold(App::new(), |app, path| {
        let counted = counted.clone();
        app.route(
            &path,
            web::get().to(move || {
                let held = counted.clone();
                async move {
                    drop(held);
                    ""
                }
            }),
        )
    });
    match pin!(test::init_service(app)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(service) => service,
        Poll::Pending => panic!("an application that needs nothing else does not wait"),
    }
}

impl<V: 'static> MessageBody for Pieces<V>
where
    V: Unpin,
{
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes_left())
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.take().map(Ok))
    }
}

pub(super) fn serve(application: Application, ready: Ready) -> Result<(), String> {
    rt::System::new().block_on(run(application, ready)).map_err(|error| error.to_string())
}

async fn run(application: Application, ready: Ready) -> std::io::Result<()> {
    let connecting = application.clone();
    let server = HttpServer::new(move || {
        let (application, extending) = (application.clone(), application.clone());
        App::new()
            .app_data(Data::new(application))
            .wrap_fn(move |request, service| {
                if let Some(witness) = extending.value(Place::Extension) {
                    request.extensions_mut().insert(witness);
                }
                service.call(request)
            })
            .route("/", web::get().to(answer))
    })
    .on_connect(move |_, kept| {
        if let Some(witness) = connecting.value(Place::Connection) {
            kept.insert::<Witness>(witness);
        }
    })
    .workers(1)
    // As in the comparisons: no timers for connections, since the others have none either.
    .keep_alive(KeepAlive::Os)
    .client_request_timeout(Duration::ZERO)
    .tcp_nodelay(true)
    .shutdown_timeout(DRAIN_DEADLINE.as_secs())
    .disable_signals()
    .bind(ADDRESS)?;
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    // The order is given when `stop` is called; the future only waits for the end, which `server` does too.
    ready(Running { address, stop: Box::new(move || drop(handle.stop(true))) });
    server.await
}

async fn answer(application: Data<Application>) -> HttpResponse<Pieces<Option<Witness>>> {
    let _held = application.value(Place::Handler);
    HttpResponse::with_body(StatusCode::OK, application.pieces())
}
