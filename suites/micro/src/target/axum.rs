//! axum. It has no lookup of its own to call: routes are looked up by whole requests only.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use axum::{
    Json, Router,
    body::{Body, HttpBody},
    extract::{FromRequest, Path, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tower::Service;

use super::{now, patterns};
use crate::{
    document::{self, Note, Order, Size},
    exchange::{self, Exchange, FIELDS, HEALTH, LAYER, SHARED, Search},
    operation::{INPUTS, Operation, over, same},
    work::{Answer, Work},
};

pub(super) fn operation(work: Work, scale: usize) -> Option<Box<dyn Operation>> {
    Some(match work {
        Work::Nothing => crate::operation::empty(scale),
        Work::Lookup(..) => return None,
        Work::Dispatch(routes, kind, place) => {
            exchanges(table(routes), exchange::dispatches(routes, kind, place, scale))
        }
        Work::Middleware(layers) => exchanges(layered(layers), exchange::layered(layers, scale)),
        Work::Exchange(ask) => exchanges(application(), exchange::exchanges(ask, scale)),
        Work::Serialize(Size::Small) => serialize(document::notes(scale)),
        Work::Serialize(size) => serialize(document::orders(size, scale)),
        Work::Deserialize(Size::Small) => deserialize::<Note>(document::notes(scale)),
        Work::Deserialize(size) => deserialize::<Order>(document::orders(size, scale)),
        Work::Respond(answer) => respond(answer, scale),
    })
}

fn table(routes: usize) -> Router {
    patterns(routes).fold(Router::new(), |router, pattern| router.route(pattern, get(move || async move { pattern })))
}

fn application() -> Router {
    Router::new()
        .route("/health", get(async || HEALTH))
        .route("/users/{id}", get(async |Path(id): Path<String>| id))
        .route("/notes", post(async |Json(note): Json<Note>| Json(note)))
        .route(
            "/shops/{shop}/orders/{order}/items/{item}",
            get(async |Path((shop, order, item)): Path<(u32, u32, u32)>| (shop + order + item).to_string()),
        )
        .route("/search", get(async |Query(search): Query<Search>| search.term))
        .route("/state", get(async |State(shared): State<Arc<&'static str>>| *shared))
        .route("/text", post(async |text: String| text))
        .with_state(Arc::new(SHARED))
}

fn layered(layers: usize) -> Router {
    let add = async |mut response: Response| {
        let (name, value) = LAYER;
        response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
        response
    };
    (0..layers).fold(application(), |router, _| router.layer(map_response(add)))
}

fn exchanges(mut router: Router, exchanges: Vec<Exchange>) -> Box<dyn Operation> {
    over(
        exchanges,
        move |exchange| {
            let Ok(response) = now(Service::call(&mut router, request(exchange)));
            let (head, body) = response.into_parts();
            (head, content(body))
        },
        |exchange, (head, body)| {
            let layers = head.headers.get_all(LAYER.0).iter().filter(|value| *value == LAYER.1).count();
            exchange.check(head.status.as_u16(), body, layers)
        },
    )
}

/// A request made of its parts, as a server makes it of what it has parsed.
fn request(exchange: &Exchange) -> Request<Body> {
    let body = exchange.body.as_ref();
    let mut request = Request::new(body.map_or(Body::empty(), |body| Body::from(body.clone())));
    *request.method_mut() = if body.is_some() { Method::POST } else { Method::GET };
    *request.uri_mut() = Uri::try_from(exchange.target.as_str()).expect("the suite's targets are well-formed");
    let fields = request.headers_mut();
    fields.reserve(FIELDS.len() + 2);
    for (name, value) in FIELDS.iter().copied().chain(exchange.content_type.map(|value| ("content-type", value))) {
        insert(fields, name, value);
    }
    if let Some(body) = body {
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    request
}

fn insert(fields: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes()).expect("the suite's fields are well-formed");
    fields.insert(name, HeaderValue::from_str(value).expect("the suite's fields are well-formed"));
}

/// The bytes of a body that is there as a whole, taken as a server takes them.
fn content(mut body: Body) -> Bytes {
    match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    }
}

fn serialize<T: Serialize + 'static>(documents: Vec<T>) -> Box<dyn Operation> {
    over(
        documents,
        |document| content(Json(document).into_response().into_body()),
        |document, body| same(&&body[..], &document::json(document).as_slice()),
    )
}

fn deserialize<T>(documents: Vec<T>) -> Box<dyn Operation>
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static,
{
    over(
        document::bodies(documents),
        |(_, body): &(T, Bytes)| {
            let mut request = Request::new(Body::from(body.clone()));
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let made = now(Json::<T>::from_request(request, &()));
            made.ok().map(|Json(document)| document)
        },
        |(document, _), found| same(&found.as_ref(), &Some(document)),
    )
}

fn respond(answer: Answer, scale: usize) -> Box<dyn Operation> {
    match answer {
        Answer::Empty => over(
            vec![(); INPUTS * scale],
            |&()| StatusCode::OK.into_response(),
            |&(), response| same(&response.status().as_u16(), &200),
        ),
        Answer::Status => over(
            super::statuses::<StatusCode>(scale),
            |status| status.into_response(),
            |status, response| same(&response.status(), status),
        ),
        Answer::Json => over(
            document::notes(scale),
            |note| Json(note).into_response(),
            |_, response| same(&response.status().as_u16(), &200),
        ),
        Answer::TenFields => over(
            super::fields::<HeaderName, HeaderValue>(scale),
            |fields| {
                let mut response = StatusCode::OK.into_response();
                for (name, value) in fields {
                    response.headers_mut().append(name.clone(), value.clone());
                }
                response
            },
            |fields, response: &Response| {
                fields.iter().try_for_each(|(name, value)| same(&response.headers().get(name), &Some(value)))
            },
        ),
    }
}
