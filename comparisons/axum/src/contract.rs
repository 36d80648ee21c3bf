//! The routes of the contract as axum handlers. Leaves sockets and runtimes to `workers.rs` and `stock.rs`.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequestParts, Path, Query},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, SERVER},
        request::Parts,
    },
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use workload::{
    database::{self, Database, World},
    payload::{self, Message},
};

/// A response header given by its name and value, which axum sets over the body's default.
type Header = [(HeaderName, HeaderValue); 1];

const TEXT: Header = [(CONTENT_TYPE, HeaderValue::from_static(payload::TEXT_PLAIN))];

/// The whole contract; without a database its routes answer 503.
pub(crate) fn router(database: Option<Database>) -> Router {
    Router::new()
        .route("/plaintext", get(async || (TEXT, payload::PLAINTEXT)))
        .route("/json", get(async || Json(Message::hello())))
        .route("/db", get(db))
        .route("/queries", get(queries))
        .route("/fortunes", get(fortunes))
        .route("/updates", get(updates))
        .route("/cached-queries", get(cached_queries))
        .route("/health", get(async || (TEXT, payload::HEALTH)))
        .route("/users/{id}", get(async |Path(id): Path<String>| (TEXT, id)))
        .route("/download/{bytes}", get(download))
        // A layer of this route alone: one around the router would be boxed once more for every route.
        .route("/echo", post(async |body: Bytes| body).layer(DefaultBodyLimit::max(payload::ECHO_BYTES_MAX)))
        .route("/panic", get(panic))
        .with_state(database)
}

/// Adds the server's name; every response of either way to serve passes here.
pub(crate) fn name_server(mut response: Response) -> Response {
    response.headers_mut().insert(SERVER, HeaderValue::from_static("axum"));
    response
}

async fn db(Connected(database): Connected) -> Result<Json<World>, Failure> {
    Ok(Json(database.random_world().await?))
}

async fn queries(Connected(database): Connected, Query(rows): Query<Queries>) -> Result<Json<Vec<World>>, Failure> {
    let rows = payload::row_count(rows.queries.as_deref());
    Ok(Json(database.worlds(rows).await?))
}

async fn updates(Connected(database): Connected, Query(rows): Query<Queries>) -> Result<Json<Vec<World>>, Failure> {
    let rows = payload::row_count(rows.queries.as_deref());
    Ok(Json(database.update(rows).await?))
}

async fn cached_queries(Connected(database): Connected, Query(rows): Query<Count>) -> Json<Vec<World>> {
    Json(database.cached(payload::row_count(rows.count.as_deref())))
}

async fn fortunes(Connected(database): Connected) -> Result<Html<String>, Failure> {
    let fortunes = database.fortunes().await?;
    Ok(Html(database::render(&fortunes)?))
}

async fn download(Path(bytes): Path<usize>) -> Result<Vec<u8>, Refusal> {
    payload::download(bytes).ok_or((StatusCode::BAD_REQUEST, TEXT, "at most 16 MiB"))
}

async fn panic() -> Response {
    panic!("{}", payload::PANIC)
}

#[derive(Deserialize)]
struct Queries {
    queries: Option<String>,
}

#[derive(Deserialize)]
struct Count {
    count: Option<String>,
}

type Refusal = (StatusCode, Header, &'static str);

/// The database, or 503 where the server was started without one.
struct Connected(Database);

impl FromRequestParts<Option<Database>> for Connected {
    type Rejection = Refusal;

    async fn from_request_parts(_: &mut Parts, database: &Option<Database>) -> Result<Self, Refusal> {
        database.clone().map(Self).ok_or((StatusCode::SERVICE_UNAVAILABLE, TEXT, "started without --database"))
    }
}

/// Anything that went wrong in a handler, answered with 500 and the reason.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, TEXT, self.0).into_response()
    }
}
