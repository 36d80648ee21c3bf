//! The handlers of accounts and notes.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{
        StatusCode,
        header::{LINK, LOCATION},
    },
    response::IntoResponse,
};
use rest_service::{Draft, Login, Note, Notes, Page, Session};

use crate::problem::{Json, Path, Query, Result};

type Store = State<Arc<Notes>>;

pub(crate) async fn login(State(store): Store, Json(login): Json<Login>) -> Result<axum::Json<Session>> {
    Ok(axum::Json(store.login(&login)?))
}

pub(crate) async fn list(State(store): Store, Query(page): Query<Page>) -> Result<impl IntoResponse> {
    let listing = store.list(page.check()?);
    let link = listing.link().map(|link| [(LINK, link)]);
    Ok((link, axum::Json(listing)))
}

pub(crate) async fn create(State(store): Store, Json(draft): Json<Draft>) -> Result<impl IntoResponse> {
    let note = store.create(draft.check()?);
    let location = format!("/api/notes/{}", note.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], axum::Json(note)))
}

pub(crate) async fn read(State(store): Store, Path(id): Path<u64>) -> Result<axum::Json<Note>> {
    Ok(axum::Json(store.read(id)?))
}

pub(crate) async fn replace(
    State(store): Store,
    Path(id): Path<u64>,
    Json(draft): Json<Draft>,
) -> Result<axum::Json<Note>> {
    Ok(axum::Json(store.replace(id, draft.check()?)?))
}

pub(crate) async fn delete(State(store): Store, Path(id): Path<u64>) -> Result<StatusCode> {
    store.delete(id)?;
    Ok(StatusCode::NO_CONTENT)
}
