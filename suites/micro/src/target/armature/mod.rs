//! armature-core.

use std::rc::Rc;

use armature_core::{
    IntoResponse, Json, Limits, Method, Path, Query, RequestBody, Response, Router, SmallString, State, StatusCode,
    extract::{FromRequest, ViaBody},
    get,
    h1::head::{self, HeadIndex},
    http::{HeaderName, HeaderValue},
    middleware::Hooks,
    post,
    route::{Lookup, RouteTable},
    service::{ConnectionInfo, Request, RequestHead},
};
use bytes::Bytes;
use client::Client;
use serde::{Serialize, de::DeserializeOwned};

use super::{now, patterns};
use crate::{
    document::{self, Note, Order, Size},
    exchange::{self, Exchange, HEALTH, LAYER, SHARED, Search},
    operation::{INPUTS, Operation, over, same},
    route::{self, Kind, Place},
    work::{Answer, Work},
};

mod client;

pub(super) fn operation(work: Work, scale: usize) -> Box<dyn Operation> {
    match work {
        Work::Nothing => crate::operation::empty(scale),
        Work::Lookup(routes, kind, place) => lookup(routes, kind, place, scale),
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
    }
}

fn lookup(routes: usize, kind: Kind, place: Place, scale: usize) -> Box<dyn Operation> {
    let routes_by_number = route::patterns(routes).enumerate().map(|(number, pattern)| (Method::Get, pattern, number));
    let table = RouteTable::build(routes_by_number).expect("patterns do not conflict");
    over(
        route::lookups(routes, kind, place, scale),
        // As a router does it: first among the paths without parameters, then among all.
        move |lookup| match table.find_exact(Method::Get, lookup.path.as_bytes()) {
            Some(number) => Some(*number),
            None => match table.find(Method::Get, &lookup.path) {
                Lookup::Found { value, .. } => Some(*value),
                Lookup::OtherMethods(_) | Lookup::NotFound => None,
            },
        },
        |lookup, found| same(found, &lookup.found),
    )
}

fn table(routes: usize) -> Router {
    patterns(routes).fold(Router::new(), |router, pattern| router.route(pattern, get(move || async move { pattern })))
}

fn application() -> Router {
    Router::new()
        .route("/health", get(async || HEALTH))
        .route("/users/{id}", get(async |Path(id): Path<SmallString>| id))
        .route("/notes", post(async |Json(note): Json<Note>| Json(note)))
        .route(
            "/shops/{shop}/orders/{order}/items/{item}",
            get(async |Path((shop, order, item)): Path<(u32, u32, u32)>| (shop + order + item).to_string()),
        )
        .route("/search", get(async |Query(search): Query<Search>| search.term))
        .route("/state", get(async |State(shared): State<Rc<&'static str>>| *shared))
        .route("/text", post(async |text: String| text))
        .with_state(Rc::new(SHARED))
}

/// Adds the field that says that a request has passed here.
#[derive(Clone)]
struct Layer;

impl Hooks for Layer {
    type Kept = ();

    fn before(&self, _: &mut Request<'_>) -> Result<(), Response> {
        Ok(())
    }

    fn after(&self, (): (), response: &mut Response) {
        let (name, value) = LAYER;
        response.insert_header(&HeaderName::from_static(name), &HeaderValue::from_static(value));
    }
}

fn layered(layers: usize) -> Router {
    let router = application();
    match layers {
        0 => router,
        1 => router.layer(Layer),
        2 => router.layer((Layer, Layer)),
        4 => router.layer((Layer, Layer, Layer, Layer)),
        8 => router.layer((Layer, Layer, Layer, Layer, Layer, Layer, Layer, Layer)),
        _ => panic!("there is no stack of {layers}"),
    }
}

fn exchanges(router: Router, exchanges: Vec<Exchange>) -> Box<dyn Operation> {
    let mut client = Client::new(router);
    over(exchanges, move |exchange| client.send(exchange), client::check)
}

fn serialize<T: Serialize + 'static>(documents: Vec<T>) -> Box<dyn Operation> {
    over(
        documents,
        |document| Json(document).into_response(),
        |document, response| same(&response.body().as_slice(), &document::json(document).as_slice()),
    )
}

fn deserialize<T>(documents: Vec<T>) -> Box<dyn Operation>
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static,
{
    const HEAD: &[u8] = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\r\n";
    let (mut index, connection) = (HeadIndex::default(), Rc::new(ConnectionInfo::default()));
    assert_eq!(head::parse(HEAD, &Limits::default(), &mut index), Ok(true), "the head is well-formed");
    over(
        document::bodies(documents),
        move |(_, body): &(T, Bytes)| {
            let head = RequestHead::new(HEAD, &index, &connection);
            let request = Request { head, body: RequestBody::from(body.clone()) };
            let made = now(<Json<T> as FromRequest<(), ViaBody>>::from_request(request, &()));
            made.ok().map(|Json(document)| document)
        },
        |(document, _), found| same(&found.as_ref(), &Some(document)),
    )
}

fn respond(answer: Answer, scale: usize) -> Box<dyn Operation> {
    match answer {
        Answer::Empty => over(
            vec![(); INPUTS * scale],
            |&()| Response::status(StatusCode::OK),
            |&(), response| same(&response.status_code(), &StatusCode::OK),
        ),
        Answer::Status => over(
            super::statuses::<StatusCode>(scale),
            |status| Response::status(*status),
            |status, response| same(&response.status_code(), status),
        ),
        Answer::Json => serialize(document::notes(scale)),
        Answer::TenFields => over(
            super::fields::<HeaderName, HeaderValue>(scale),
            |fields| {
                let mut response = Response::status(StatusCode::OK);
                for (name, value) in fields {
                    response.insert_header(name, value);
                }
                response
            },
            |fields, response| {
                let found = response.header_map();
                fields.iter().try_for_each(|(name, value)| same(&found.get(name), &Some(value)))
            },
        ),
    }
}
