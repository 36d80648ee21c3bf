//! The handlers of accounts and notes.

use std::sync::Arc;

use armature_core::{
    IntoResponse, Json, Query, State, StatusCode,
    http::header::{LINK, LOCATION},
};
use rest_service::{Draft, Login, Note, Notes, Page, Session};

use crate::problem::{Id, Result};

pub(crate) type Store = State<Arc<Notes>>;

pub(crate) async fn login(State(store): Store, Json(login): Json<Login>) -> Result<Json<Session>> {
    Ok(Json(store.login(&login)?))
}

pub(crate) async fn list(State(store): Store, Query(page): Query<Page>) -> Result<impl IntoResponse> {
    let listing = store.list(page.check()?);
    let link = listing.link().map(|link| [(LINK, link)]);
    Ok((link, Json(listing)))
}

pub(crate) async fn create(State(store): Store, Json(draft): Json<Draft>) -> Result<impl IntoResponse> {
    let note = store.create(draft.check()?);
    let location = format!("/api/notes/{}", note.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(note)))
}

pub(crate) async fn read(State(store): Store, Id(id): Id) -> Result<Json<Note>> {
    Ok(Json(store.read(id)?))
}

pub(crate) async fn replace(State(store): Store, Id(id): Id, Json(draft): Json<Draft>) -> Result<Json<Note>> {
    Ok(Json(store.replace(id, draft.check()?)?))
}

pub(crate) async fn delete(State(store): Store, Id(id): Id) -> Result<StatusCode> {
    store.delete(id)?;
    Ok(StatusCode::NO_CONTENT)
}
