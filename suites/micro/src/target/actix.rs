//! actix-web, with actix-http underneath and actix-router for bare lookups.

use actix_http::Request;
use actix_router::{Path as RouterPath, Router};
use actix_web::{
    App, Error, FromRequest, HttpResponse,
    body::MessageBody,
    dev::{Payload, Service, ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode, Uri, header,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    middleware::{Next, from_fn},
    test::{self, TestRequest},
    web::{self, Data, Json, Path, Query, ServiceConfig},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{now, patterns};
use crate::{
    document::{self, Note, Order, Size},
    exchange::{self, Exchange, FIELDS, HEALTH, LAYER, SHARED, Search},
    operation::{INPUTS, Operation, over, same},
    route::{self, Kind, Place},
    work::{Answer, Work},
};

pub(super) fn operation(work: Work, scale: usize) -> Option<Box<dyn Operation>> {
    Some(match work {
        Work::Nothing => crate::operation::empty(scale),
        Work::Lookup(routes, kind, place) => lookup(routes, kind, place, scale),
        Work::Dispatch(routes, kind, place) => {
            exchanges(move |app| table(app, routes), exchange::dispatches(routes, kind, place, scale))
        }
        Work::Middleware(layers) => exchanges(move |app| layered(app, layers), exchange::layered(layers, scale)),
        Work::Exchange(ask) => exchanges(application, exchange::exchanges(ask, scale)),
        Work::Serialize(Size::Small) => serialize(document::notes(scale)),
        Work::Serialize(size) => serialize(document::orders(size, scale)),
        Work::Deserialize(Size::Small) => deserialize::<Note>(document::notes(scale)),
        Work::Deserialize(size) => deserialize::<Order>(document::orders(size, scale)),
        Work::Respond(answer) => respond(answer, scale),
    })
}

fn lookup(routes: usize, kind: Kind, place: Place, scale: usize) -> Box<dyn Operation> {
    let mut table = Router::<usize>::build();
    for (number, pattern) in route::patterns(routes).enumerate() {
        table.path(pattern, number);
    }
    let table = table.finish();
    over(
        route::lookups(routes, kind, place, scale),
        move |lookup| table.recognize(&mut RouterPath::new(lookup.path.as_str())).map(|(number, _)| *number),
        |lookup, found| same(found, &lookup.found),
    )
}

fn table(app: &mut ServiceConfig, routes: usize) {
    for pattern in patterns(routes) {
        app.route(pattern, web::get().to(move || async move { pattern }));
    }
}

fn application(app: &mut ServiceConfig) {
    app.app_data(Data::new(SHARED))
        .route("/health", web::get().to(async || HEALTH))
        .route("/users/{id}", web::get().to(async |id: Path<String>| id.into_inner()))
        .route("/notes", web::post().to(async |note: Json<Note>| note))
        .route(
            "/shops/{shop}/orders/{order}/items/{item}",
            web::get().to(async |numbers: Path<(u32, u32, u32)>| {
                let (shop, order, item) = numbers.into_inner();
                (shop + order + item).to_string()
            }),
        )
        .route("/search", web::get().to(async |search: Query<Search>| search.into_inner().term))
        .route("/state", web::get().to(async |shared: Data<&'static str>| **shared))
        .route("/text", web::post().to(async |text: String| text));
}

/// Middleware around the route. Each around an application makes its type twice as long, and a stack of eight takes the
/// compiler minutes; a route keeps its own behind a pointer, as axum's router does with its layers.
fn layered(app: &mut ServiceConfig, layers: usize) {
    let health = web::get().to(async || HEALTH);
    app.route("/health", (0..layers).fold(health, |route, _| route.wrap(from_fn(add))));
}

async fn add<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let (name, value) = LAYER;
    let mut response = next.call(request).await?;
    response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
    Ok(response)
}

fn exchanges(routes: impl FnOnce(&mut ServiceConfig), exchanges: Vec<Exchange>) -> Box<dyn Operation> {
    let service = now(test::init_service(App::new().configure(routes)));
    over(
        exchanges,
        move |exchange| {
            let (_, response) = now(service.call(request(exchange))).ok()?.into_parts();
            let (head, body) = response.into_parts();
            Some((head, body.try_into_bytes().unwrap_or_default()))
        },
        |exchange, answer| match answer {
            Some((head, body)) => {
                let layers = head.headers().get_all(LAYER.0).filter(|value| *value == LAYER.1).count();
                exchange.check(head.status().as_u16(), body, layers)
            }
            None => Err(format!("{}: an error in place of an answer", exchange.target)),
        },
    )
}

/// A request made of its parts, as the server makes it of what it has parsed.
fn request(exchange: &Exchange) -> Request {
    let body = exchange.body.as_ref();
    let payload = body.map_or(Payload::None, |body| Payload::from(body.clone()));
    let mut request = Request::with_payload(payload);
    let head = request.head_mut();
    head.method = if body.is_some() { Method::POST } else { Method::GET };
    head.uri = Uri::try_from(exchange.target.as_str()).expect("the suite's targets are well-formed");
    for (name, value) in FIELDS.iter().copied().chain(exchange.content_type.map(|value| ("content-type", value))) {
        insert(&mut head.headers, name, value);
    }
    if let Some(body) = body {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    request
}

fn insert(fields: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes()).expect("the suite's fields are well-formed");
    fields.insert(name, HeaderValue::from_str(value).expect("the suite's fields are well-formed"));
}

fn serialize<T: Serialize + 'static>(documents: Vec<T>) -> Box<dyn Operation> {
    over(
        documents,
        |document| HttpResponse::Ok().json(document).into_body().try_into_bytes().unwrap_or_default(),
        |document, body| same(&&body[..], &document::json(document).as_slice()),
    )
}

fn deserialize<T>(documents: Vec<T>) -> Box<dyn Operation>
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static,
{
    let request = TestRequest::post().insert_header((header::CONTENT_TYPE, "application/json")).to_http_request();
    over(
        document::bodies(documents),
        move |(_, body): &(T, Bytes)| {
            let mut payload = Payload::from(body.clone());
            now(Json::<T>::from_request(&request, &mut payload)).ok().map(Json::into_inner)
        },
        |(document, _), found| same(&found.as_ref(), &Some(document)),
    )
}

fn respond(answer: Answer, scale: usize) -> Box<dyn Operation> {
    match answer {
        Answer::Empty => over(
            vec![(); INPUTS * scale],
            |&()| HttpResponse::new(StatusCode::OK),
            |&(), response| same(&response.status().as_u16(), &200),
        ),
        Answer::Status => over(
            super::statuses::<StatusCode>(scale),
            |status| HttpResponse::new(*status),
            |status, response| same(&response.status(), status),
        ),
        Answer::Json => over(
            document::notes(scale),
            |note| HttpResponse::Ok().json(note),
            |_, response| same(&response.status().as_u16(), &200),
        ),
        Answer::TenFields => over(
            super::fields::<HeaderName, HeaderValue>(scale),
            |fields| {
                let mut response = HttpResponse::new(StatusCode::OK);
                for (name, value) in fields {
                    response.headers_mut().append(name.clone(), value.clone());
                }
                response
            },
            |fields, response| {
                fields.iter().try_for_each(|(name, value)| same(&response.headers().get(name), &Some(value)))
            },
        ),
    }
}
