//! The routes of the contract as actix-web handlers. Leaves the server to `main.rs`.

use std::{
    fmt,
    future::{Ready, ready},
};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, Responder, ResponseError,
    dev::Payload,
    http::{StatusCode, header::HeaderValue},
    web::{self, Bytes, Data, Json, Path, Query, ServiceConfig},
};
use serde::Deserialize;
use workload::{
    database::{self, Database, World},
    payload::{self, Message},
};

const TEXT: HeaderValue = HeaderValue::from_static(payload::TEXT_PLAIN);
const HTML: HeaderValue = HeaderValue::from_static(payload::TEXT_HTML);
const OCTETS: HeaderValue = HeaderValue::from_static(payload::OCTET_STREAM);

/// Registers the whole contract; without a database its routes answer 503.
pub(crate) fn routes(app: &mut ServiceConfig) {
    app.route("/plaintext", web::get().to(plaintext))
        .route("/json", web::get().to(json))
        .route("/db", web::get().to(db))
        .route("/queries", web::get().to(queries))
        .route("/fortunes", web::get().to(fortunes))
        .route("/updates", web::get().to(updates))
        .route("/cached-queries", web::get().to(cached_queries))
        .route("/health", web::get().to(health))
        .route("/users/{id}", web::get().to(user))
        .route("/download/{bytes}", web::get().to(download))
        .route("/echo", web::post().to(echo))
        .route("/panic", web::get().to(panic));
}

async fn plaintext() -> impl Responder {
    HttpResponse::Ok().content_type(TEXT).body(payload::PLAINTEXT)
}

async fn json() -> impl Responder {
    Json(Message::hello())
}

async fn health() -> impl Responder {
    HttpResponse::Ok().content_type(TEXT).body(payload::HEALTH)
}

async fn user(id: Path<String>) -> impl Responder {
    HttpResponse::Ok().content_type(TEXT).body(id.into_inner())
}

async fn download(bytes: Path<usize>) -> impl Responder {
    match payload::download(bytes.into_inner()) {
        Some(body) => HttpResponse::Ok().content_type(OCTETS).body(body),
        None => HttpResponse::BadRequest().content_type(TEXT).body("at most 16 MiB"),
    }
}

async fn echo(body: Bytes) -> impl Responder {
    HttpResponse::Ok().content_type(OCTETS).body(body)
}

async fn panic() -> HttpResponse {
    panic!("{}", payload::PANIC)
}

async fn db(Connected(database): Connected) -> Result<Json<World>, Failure> {
    Ok(Json(database.random_world().await?))
}

async fn queries(Connected(database): Connected, rows: Query<Queries>) -> Result<Json<Vec<World>>, Failure> {
    let rows = payload::row_count(rows.queries.as_deref());
    Ok(Json(database.worlds(rows).await?))
}

async fn updates(Connected(database): Connected, rows: Query<Queries>) -> Result<Json<Vec<World>>, Failure> {
    let rows = payload::row_count(rows.queries.as_deref());
    Ok(Json(database.update(rows).await?))
}

async fn cached_queries(Connected(database): Connected, rows: Query<Count>) -> Json<Vec<World>> {
    Json(database.cached(payload::row_count(rows.count.as_deref())))
}

async fn fortunes(Connected(database): Connected) -> Result<HttpResponse, Failure> {
    let fortunes = database.fortunes().await?;
    let page = database::render(&fortunes)?;
    Ok(HttpResponse::Ok().content_type(HTML).body(page))
}

#[derive(Deserialize)]
struct Queries {
    queries: Option<String>,
}

#[derive(Deserialize)]
struct Count {
    count: Option<String>,
}

/// The database, or 503 where the server was started without one.
struct Connected(Database);

impl FromRequest for Connected {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let database = request.app_data::<Data<Option<Database>>>().and_then(|data| data.as_ref().clone());
        ready(database.map(Self).ok_or_else(|| Failure {
            status: StatusCode::SERVICE_UNAVAILABLE,
            reason: "started without --database".to_owned(),
        }))
    }
}

/// Whatever keeps a handler from answering, and the status that says so.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    reason: String,
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, reason: error.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status).content_type(TEXT).body(self.reason.clone())
    }
}
