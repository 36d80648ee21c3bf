//! The routes of the contract as armature handlers. Leaves sockets and runtimes to `armature_core::Server`.

use std::{fs, io};

use armature_core::{
    Body, Files, Html, IntoResponse, Json, MediaType, Path, Query, Response, Router, SmallString, State, StatusCode,
    get, post,
};
use bytes::Bytes;
use serde::Deserialize;
use tempfile::TempDir;
use workload::{
    database::{self, Database, World},
    payload::{self, Message},
};

/// Sizes of the files that experiments ask for, KiB.
const FILES_KIB: [usize; 4] = [16, 64, 256, 1024];

/// A folder of files with the bytes of `/download`, which is there until it is dropped.
pub(crate) fn files() -> io::Result<TempDir> {
    let folder = TempDir::new()?;
    for kib in FILES_KIB {
        fs::write(folder.path().join(format!("{kib}-kib")), payload::download(kib * 1024).unwrap_or_default())?;
    }
    Ok(folder)
}

/// The whole contract; without a database its routes answer 503. With a folder its files are served as well.
pub(crate) fn router(database: Option<Database>, files: Option<&std::path::Path>) -> anyhow::Result<Router> {
    let router = contract(database);
    Ok(match files {
        Some(folder) => router.route_service("/files/{*path}", Files::new(folder)?),
        None => router,
    })
}

fn contract(database: Option<Database>) -> Router {
    Router::new()
        .route("/plaintext", get(plaintext))
        .route("/json", get(json))
        .route("/db", get(db))
        .route("/queries", get(queries))
        .route("/fortunes", get(fortunes))
        .route("/updates", get(updates))
        .route("/cached-queries", get(cached_queries))
        .route("/health", get(async || text(payload::HEALTH)))
        .route("/users/{id}", get(async |Path(id): Path<SmallString>| text(id)))
        .route("/download/{bytes}", get(download))
        .route("/echo", post(async |body: Bytes| body))
        .route("/panic", get(panic))
        .with_state(database)
}

const TEXT: MediaType = MediaType::from_static(payload::TEXT_PLAIN);

fn text(body: impl Into<Body>) -> Response {
    Response::new(TEXT, body)
}

async fn json() -> Json<Message> {
    #[cfg(feature = "faults")]
    crate::fault::happen();
    Json(Message::hello())
}

async fn plaintext() -> Response {
    #[cfg(feature = "faults")]
    crate::fault::happen();
    text(payload::PLAINTEXT)
}

async fn db(State(database): State<Option<Database>>) -> Result<Json<World>, Failure> {
    Ok(Json(connected(database)?.random_world().await?))
}

async fn queries(
    State(database): State<Option<Database>>,
    Query(rows): Query<Queries>,
) -> Result<Json<Vec<World>>, Failure> {
    let rows = payload::row_count(rows.queries.as_deref());
    Ok(Json(connected(database)?.worlds(rows).await?))
}

async fn updates(
    State(database): State<Option<Database>>,
    Query(rows): Query<Queries>,
) -> Result<Json<Vec<World>>, Failure> {
    let rows = payload::row_count(rows.queries.as_deref());
    Ok(Json(connected(database)?.update(rows).await?))
}

async fn cached_queries(
    State(database): State<Option<Database>>,
    Query(rows): Query<Count>,
) -> Result<Json<Vec<World>>, Failure> {
    let rows = payload::row_count(rows.count.as_deref());
    Ok(Json(connected(database)?.cached(rows)))
}

async fn fortunes(State(database): State<Option<Database>>) -> Result<Html<String>, Failure> {
    let fortunes = connected(database)?.fortunes().await?;
    Ok(Html(database::render(&fortunes)?))
}

async fn download(Path(bytes): Path<usize>) -> Response {
    match payload::download(bytes) {
        Some(body) => body.into_response(),
        None => text("at most 16 MiB").with_status(StatusCode::BAD_REQUEST),
    }
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

fn connected(database: Option<Database>) -> Result<Database, Failure> {
    database.ok_or_else(|| Failure(StatusCode::SERVICE_UNAVAILABLE, "started without --database".into()))
}

/// Anything that went wrong in a handler, answered with the reason.
struct Failure(StatusCode, String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        text(self.1).with_status(self.0)
    }
}
